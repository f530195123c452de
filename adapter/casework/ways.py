"""Where a case can go from here, and what is missing for each way: for people to see before they try."""

from dataclasses import dataclass

from adapter.cases.facts import Facts, Situation
from adapter.cases.guards import violations
from adapter.cases.workflow import HELD, PROCESS, TRANSITIONS, held
from adapter.casework.desk import Desk
from adapter.casework.records import Kept


@dataclass(frozen=True)
class Way:
    """A transition that the case's step allows."""

    transition: str
    trigger: str
    target: str
    missing: tuple[str, ...]
    """What must be done first, as sentences; nothing where the way is free."""
    needs_reason: bool


def ways(desk: Desk, case: Kept, facts: Facts) -> list[Way]:
    """The ways from the case's step, in the order of the process, each with what is missing; a reason is asked for and not missing."""
    now = Situation(case.fields, facts, desk.now(), desk.actor.reference, "…")
    step = case.fields.get("step")
    return [
        Way(
            row.id,
            row.trigger,
            held(case.fields) if row.target == HELD else row.target,
            tuple(text for _, text in violations(row.guards, now)),
            "reason" in row.guards,
        )
        for row in TRANSITIONS
        if step in row.sources
    ]


def lacking(desk: Desk, case: Kept, facts: Facts) -> dict[str, tuple[str, ...]]:
    """What each of the seven steps lacks, by its name, as sentences: what would keep the case from going on to the next."""
    now = Situation(case.fields, facts, desk.now(), desk.actor.reference, "…")
    found = {}
    for step, following in zip(PROCESS, (*PROCESS[1:], "closed"), strict=True):
        row = next(row for row in TRANSITIONS if step in row.sources and row.target == following)
        found[step] = tuple(text for _, text in violations(row.guards, now))
    return found
