"""What the checks of the process look at, read from the store: a case's records, and who else is on them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache

from adapter.care.model import rules
from adapter.cases.facts import Facts, models
from adapter.cases.record import Fields
from adapter.cases.registry import RECORDS
from adapter.casework.desk import Desk
from adapter.casework.paid import paid
from adapter.fhir.references import split
from adapter.fhir.resource import Raw, parse
from adapter.mapping.registry import TYPES
from adapter.store import compartments
from adapter.store.documents import Stored
from adapter.store.filters import KEY
from adapter.store.repository import Repository

_PEOPLE = ("Practitioner", "PractitionerRole", "Organization")
_ENDED = ("finished", "cancelled", "entered-in-error")

Records = dict[str, dict[str, Fields]]
"""Fields by concept and reference."""


def records_of(repository: Repository, case: str, fields: Fields, beside: Iterable[Fields] = ()) -> Records:
    """The records of a case and of its client, but those of the client's other cases; and of the people that these refer to.

    `beside` are records that are not stored yet: the people that they refer to are found, too.
    """
    found: Records = {}
    client = fields["client"]
    stored = repository.find("Patient", client.partition("/")[2])
    if stored and not stored.deleted:
        found["client"] = {client: stored.record | stored.local}
    mentioned: set[tuple[str, str]] = set()
    present = set(repository.types())
    for type in present.intersection(TYPES) - {"Patient", "EpisodeOfCare", *_PEOPLE}:
        # By the key and not by the compartment: R4's compartment of a patient has no Tasks.
        for stored in repository.scan(type, {KEY: client}):
            own = stored.record | stored.local if stored.concept and not stored.deleted else {}
            if not _is_whole(stored.concept, own) or own.get("case", case) != case or own.get("client", client) != client:
                continue
            found.setdefault(str(stored.concept), {})[stored.reference] = own
            mentioned |= {each for each in compartments.references(stored.text) if each[0] in _PEOPLE}
    mentioned |= {pair for each in beside for pair in _people_in(each)}
    for type, id in mentioned | _split(fields.get("case_manager")):
        for stored in _people(repository, type, id):
            if stored.concept:
                fields_of = found.setdefault(stored.concept, {}).setdefault(f"{type}/{id}", {})
                fields_of |= stored.record | stored.local
    found["case"] = {case: fields}
    return found


@cache
def _required(concept: str) -> frozenset[str]:
    kind = RECORDS[concept]
    names = kind.keys()
    return frozenset(name for name in names if kind.field(name).required)


def _is_whole(concept: str | None, fields: Fields) -> bool:
    """Whether the record says all that it must: what another system left open is no fact to decide by."""
    return concept in RECORDS and fields.keys() >= _required(concept)


def _people_in(value: object) -> Iterator[tuple[str, str]]:
    """The people that a field refers to, however deep."""
    if isinstance(value, str):
        yield from (pair for pair in _split(value) if pair[0] in _PEOPLE)
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _people_in(part)


def _split(reference: str | None) -> set[tuple[str, str]]:
    pair = split(reference) if reference else None
    return {pair[:2]} if pair else set()


def _people(repository: Repository, type: str, id: str) -> Iterable[Stored]:
    """All faces of a person: a case manager's two have one id."""
    types = ("Practitioner", "PractitionerRole") if type.startswith("Practitioner") else (type,)
    return [stored for each in types if (stored := repository.find(each, id)) and not stored.deleted]


def facts_of(desk: Desk, case: str, fields: Fields, manager: str | None = None) -> Facts:
    """The facts about a case; the caseload is that of `manager`, else of the case's own."""
    who = manager or fields.get("case_manager")
    load = places(open_cases(desk.repository.whole, who), desk.now(), but=case) if who else 0
    siblings = {reference: other for reference, other in open_cases(desk.repository, fields["client"]).items() if reference != case}
    about = facts_about(desk, case, fields)
    # A group has other members too, so who sees the client need not see it; of a client who is not seen nothing is told by it.
    groups = _groups(desk.repository.whole, fields["client"]) if about.of("client") else frozenset()
    known = replace(about, open_cases=load, siblings=siblings, groups=groups)
    return replace(known, paid=paid(desk.repository, fields)) if fields.get("step") == "outcome_evaluation" else known


def facts_about(desk: Desk, case: str, fields: Fields, beside: Iterable[Fields] = ()) -> Facts:
    """What of the facts lies in the client's own record; with an empty `case`, in what belongs to no case. `beside` as of records_of."""
    records = records_of(desk.repository, case, fields, beside)
    return Facts(records, supervisor=desk.actor.supervisor, medications=_medications(desk.repository, fields["client"]))


def _medications(repository: Repository, client: str) -> dict[str, Fields]:
    """The codes of the client's active prescriptions, by reference."""
    if "MedicationRequest" not in repository.types():
        return {}
    found = {}
    for row in compartments.members(repository.database, "Patient", client.partition("/")[2], "MedicationRequest"):
        raw = parse(row.text)
        if raw.get("status") == "active" and raw.get("intent") not in ("proposal", "plan", "option"):
            found[f"MedicationRequest/{row.id}"] = _concept(raw.get("medicationCodeableConcept") or raw.get("medicationReference") or {})
    return found


def _concept(raw: Raw) -> Fields:
    coding: Fields = next(iter(raw.get("coding", ())), {})
    text = raw.get("text", raw.get("display"))
    return {name: coding[name] for name in ("system", "code", "display") if name in coding} | ({"text": text} if text else {})


def _groups(repository: Repository, client: str) -> frozenset[str]:
    """The groups in force that have the client as a member."""
    if "Group" not in repository.types():
        return frozenset()
    found = (stored for stored in repository.scan("Group", {KEY: client}) if not stored.deleted and stored.raw.get("active", True))
    return frozenset(stored.reference for stored in found if any(_is_member(member, client) for member in stored.raw.get("member", ())))


def _is_member(member: Raw, client: str) -> bool:
    return member.get("entity", {}).get("reference") == client and not member.get("inactive")


def open_cases(repository: Repository, whose: str) -> dict[str, Fields]:
    """The open cases of a client, or of a primary case manager, by reference."""
    rows = repository.scan("EpisodeOfCare", {KEY: whose, "concept": "case"})
    found = ((stored.reference, stored.record | stored.local) for stored in rows if not stored.deleted and not _ended(stored))
    return {reference: fields for reference, fields in found if whose in (fields.get("client"), fields.get("case_manager"))}


def _ended(stored: Stored) -> bool:
    return stored.raw.get("status") in _ENDED


def places(cases: Mapping[str, Fields], at: str, but: str = "") -> Fraction:
    """How many places of a caseload these cases take; `but` does not count."""
    return sum((rules(models(fields, at)).places for reference, fields in cases.items() if reference != but), Fraction())
