"""Insurers' answers, taken over into the case's records: when one is written here, and by the watch when one came in by another door."""

from dataclasses import replace

from adapter.cases.consequences import Effect
from adapter.cases.facts import Facts
from adapter.cases.insurance_answers import Look, settled
from adapter.cases.record import Fields
from adapter.casework.facts import records_of
from adapter.mapping.authorisation import answer
from adapter.store.repository import Repository
from adapter.store.resolving import resolve

_ASKED = {"authorisation": ("preauthorisation", "Claim"), "eligibility_response": ("request", "CoverageEligibilityRequest")}
"""By concept of an answer: the field that names the request, and its type."""


def look(repository: Repository, facts: Facts, at: str) -> Look:
    """What there is to take over among a case's records; of two, the later one is that of the later version."""

    def later(one: str, other: str) -> bool:
        first, second = (repository.find(*reference.split("/")) for reference in (one, other))
        return bool(first and second and first.updated > second.updated)

    def ours(reference: str) -> bool:
        found = repository.find(*reference.split("/"))
        return found is None or found.born is None

    return Look(facts, _said(repository, facts), at, later, ours)


def _said(repository: Repository, facts: Facts) -> dict[str, Fields]:
    requests = facts.of("preauthorisation")
    found = {}
    for reference, fields in facts.of("authorisation").items():
        if fields.get("preauthorisation") in requests:
            stored = repository.find(*reference.split("/"))
            found[reference] = answer(stored.raw) if stored and not stored.deleted else fields
    return found


def taken_over(repository: Repository, concept: str, reference: str, fields: Fields, before: Fields, at: str) -> list[Effect]:
    """What changes in the case with an answer that is being written, beside it; nothing where it says no more than before."""
    name, type = _ASKED.get(concept, ("", ""))
    asked = repository.find(type, fields[name].partition("/")[2]) if name in fields and fields != before else None
    case = asked.record.get("case") if asked and not asked.deleted else None
    stored = resolve(repository, case)
    if case is None or stored is None or stored.deleted:
        return []
    records = records_of(repository, case, stored.record | stored.local)
    records.setdefault(concept, {})[reference] = fields
    found = look(repository, Facts(records), at)
    said = {**found.said, **({reference: fields} if concept == "authorisation" else {})}
    effects = settled(replace(found, said=said, later=lambda one, _: one == reference))
    return [effect for effect in effects if effect[1] != reference]
