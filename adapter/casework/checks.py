"""The rules of records, put to them with what is stored around them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from adapter.cases.facts import Facts, Situation
from adapter.cases.record import Fields
from adapter.cases.rules import Writing, broken
from adapter.casework.desk import Desk
from adapter.casework.facts import facts_about


@dataclass(frozen=True)
class Proposed:
    """A record as somebody wants it to be. `before` are its fields as they are stored, empty for a new one."""

    concept: str
    reference: str
    fields: Fields
    before: Fields

    @property
    def case(self) -> str:
        return self.reference if self.concept == "case" else str(self.fields.get("case", ""))


def obey(desk: Desk, proposed: Sequence[Proposed], reason: str | None = None) -> None:
    """Raise RuleViolated, NotNow or NotResponsible with the code of the first rule that the records would break, all being saved.

    They are of one case, or of one client where they are of none.
    """

    @cache
    def look() -> Situation:
        return _situation(desk, proposed, reason)

    at = desk.now()
    for each in proposed:
        for error in broken(Writing(each.concept, each.fields, each.before, at, look), reason=reason):
            raise error


def _situation(desk: Desk, proposed: Sequence[Proposed], reason: str | None) -> Situation:
    """The situation of their case, or of their client where they have none, the records being in it as they are to be saved."""
    case = next((each.case for each in proposed if each.case), "")
    fields = _case(desk, case, proposed)
    facts = facts_about(desk, case, fields, [each.fields for each in proposed]) if "client" in fields else Facts()
    records = {concept: dict(known) for concept, known in facts.records.items()}
    for each in proposed:
        records.setdefault(each.concept, {})[each.reference] = each.fields
    return Situation(fields, replace(facts, records=records), desk.now(), desk.actor.reference, reason)


def _case(desk: Desk, case: str, proposed: Sequence[Proposed]) -> Fields:
    """The fields of their case; of no case only whose it would be."""
    mine = next((each.fields for each in proposed if each.concept == "case"), None)
    stored = desk.repository.find("EpisodeOfCare", case.partition("/")[2]) if case and mine is None else None
    known = mine or (stored.record | stored.local if stored and not stored.deleted else {})
    return known if "client" in known else next(({"client": each.fields["client"]} for each in proposed if "client" in each.fields), {})
