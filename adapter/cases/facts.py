"""What a check of the process may look at: the case's records, and the moment somebody asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction

from adapter.cases.record import Fields


@dataclass(frozen=True)
class Facts:
    """What the checks may look at.

    `records`: the fields of the case's records, by concept and reference. `open_cases`: how many places of the caseload the case manager's
    other cases take. `supervisor`: whether who asks for the transition is one. `siblings`: the client's other open cases. `groups`: the
    groups that the client is a member of. `medications`: the codes of what is prescribed now, by reference. `paid`: what the insurers'
    statements about the time of the case come to, where there are any.
    """

    records: Mapping[str, Mapping[str, Fields]] = field(default_factory=dict)
    open_cases: Fraction | int = 0
    supervisor: bool = False
    siblings: Mapping[str, Fields] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    medications: Mapping[str, Fields] = field(default_factory=dict)
    paid: Fields | None = None

    def of(self, concept: str) -> Mapping[str, Fields]:
        """The concept's records by reference; empty where there are none."""
        return self.records.get(concept, {})


@dataclass(frozen=True)
class Situation:
    """A transition that somebody asks for: of this case, with these facts, at this moment, by this person."""

    case: Fields
    facts: Facts
    at: str
    by: str
    reason: str | None


def day(moment: str) -> date:
    """The day of a date or dateTime as it is written; a partial date means its first day."""
    return date.fromisoformat((moment + "-01-01")[:10] if len(moment) < 10 else moment[:10])


def covers(period: Fields | None, at: str) -> bool:
    """Whether `at` lies in the period; an open side, or no period at all, covers everything.

    Two times are compared as such, and the end of one stretch is then the start of the next; anything less by days, the last one included.
    """
    span = period or {}
    return ("start" not in span or not _before(at, span["start"])) and ("end" not in span or not _after(at, span["end"]))


def _before(at: str, start: str) -> bool:
    return moment(at) < moment(start) if "T" in at and "T" in start else day(at) < day(start)


def _after(at: str, end: str) -> bool:
    return moment(at) >= moment(end) if "T" in at and "T" in end else day(at) > day(end)


def models(case: Fields, at: str) -> set[str]:
    """The models of case management that the case follows at that moment."""
    return {model["model"] for model in case.get("models", []) if "model" in model and covers(model.get("period"), at)}


def moment(text: str) -> datetime:
    """A dateTime to compare by: without a time it is the start of its first day in UTC, and a leap second the second before."""
    if "T" not in text:
        return datetime.combine(day(text), datetime.min.time(), UTC)
    return datetime.fromisoformat(re.sub(r":60(?=[.Z+-])", ":59", text))


def latest(records: Mapping[str, Fields], name: str) -> Fields:
    """The record whose field `name`, a dateTime, is the latest; one without it is the earliest. Nothing where there are no records."""
    return newest(records, name)[1]


def newest(records: Mapping[str, Fields], name: str) -> tuple[str, Fields]:
    """The same, with its reference; an empty one where there are no records."""
    return max(records.items(), key=lambda item: moment(item[1].get(name, "0001")), default=("", {}))


def current_plan(facts: Facts) -> Fields:
    """The plan that is in force or about to be: intent plan, draft or active, and no other such plan replaces it."""
    return plan_in_hand(facts)[1]


def plan_in_hand(facts: Facts) -> tuple[str, Fields]:
    """The same, with its reference; an empty one where there is none."""
    live = {key: plan for key, plan in facts.of("plan").items() if plan["intent"] == "plan" and plan["status"] in ("draft", "active")}
    replaced = {old for plan in live.values() for old in plan.get("replaces", [])}
    return newest({key: plan for key, plan in live.items() if key not in replaced}, "created_at")


def services_of_plan(facts: Facts) -> dict[str, Fields]:
    """The services of the current plan by reference, without mere proposals."""
    known = facts.of("planned_service")
    return {key: known[key] for key in current_plan(facts).get("services", []) if key in known and known[key]["intent"] != "proposal"}


def goals_of_plan(facts: Facts) -> dict[str, Fields]:
    """The goals of the current plan by reference."""
    known = facts.of("goal")
    return {key: known[key] for key in current_plan(facts).get("goals", []) if key in known}


def manager(now: Situation) -> Fields:
    """The primary case manager's record; nothing where there is none."""
    return now.facts.of("case_manager").get(now.case.get("case_manager", ""), {})
