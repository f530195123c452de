"""Edits of a record as a whole: what its writer may say, and what the process or a computation says."""

from adapter.cases.record import Fields
from adapter.errors import RuleViolated

# Fields that follow from something else, and what they follow from.
MADE: dict[str, dict[str, str]] = {
    "case": {
        **dict.fromkeys(("step", "status", "status_history", "closed_at", "requests", "cycle"), "transitions"),
        **dict.fromkeys(("tier", "priority_score"), "the latest risk evaluation"),
    },
    "screening": dict.fromkeys(("scores", "positive_needs"), "the answers"),
    "response": {"scores": "the answers"},
    "plan": {"requests": "its adjustments"},
}
# Fields that are said when a record is made, and changed by a step of their own afterwards.
MOVED = {"case": {"case_manager": "an assignment", "client": "nothing: it is another case"}}


def new(concept: str, fields: Fields) -> Fields:
    """The fields of a new record. Raises RuleViolated `made_elsewhere` where its writer says what follows from something else."""
    return _checked(fields, {}, MADE.get(concept, {}))


def edited(concept: str, before: Fields, fields: Fields) -> Fields:
    """The fields of a record that takes the place of `before`; what follows from something else stays, and may be told as it was.

    Raises RuleViolated `made_elsewhere` where its writer says it otherwise.
    """
    elsewhere = MADE.get(concept, {}) | MOVED.get(concept, {})
    kept = {name: before[name] for name in MADE.get(concept, {}) if name in before}
    return {**kept, **_checked(fields, before, elsewhere)}


def _checked(fields: Fields, before: Fields, elsewhere: dict[str, str]) -> Fields:
    wrong = [name for name in elsewhere if name in fields and fields[name] != before.get(name)]
    if wrong:
        told = "; ".join(f"{name} follows from {elsewhere[name]}" for name in wrong)
        raise RuleViolated(f"Not to be written: {told}.", code="made_elsewhere", expression=wrong)
    return fields
