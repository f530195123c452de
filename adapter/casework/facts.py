"""What the checks of the process look at, read from the store: a case's records, and who else is on them."""

from collections.abc import Iterable

from adapter.care.caseload import weight
from adapter.cases.facts import Facts, models
from adapter.cases.record import Fields
from adapter.casework.desk import Desk
from adapter.fhir.references import split
from adapter.mapping.registry import TYPES
from adapter.store import compartments
from adapter.store.documents import Stored
from adapter.store.filters import KEY
from adapter.store.repository import Repository

_PEOPLE = ("Practitioner", "PractitionerRole", "Organization")
_ENDED = ("finished", "cancelled", "entered-in-error")

Records = dict[str, dict[str, Fields]]
"""Fields by concept and reference."""


def records_of(repository: Repository, case: str, fields: Fields) -> Records:
    """The records of a case and of its client, but those of the client's other cases; and of the people that these refer to."""
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
            own = stored.record if stored.concept and not stored.deleted else {}
            if not own or own.get("case", case) != case or own.get("client", client) != client:
                continue
            found.setdefault(str(stored.concept), {})[stored.reference] = own
            mentioned |= {each for each in compartments.references(stored.text) if each[0] in _PEOPLE}
    for type, id in mentioned | _split(fields.get("case_manager")):
        for stored in _people(repository, type, id):
            if stored.concept:
                fields_of = found.setdefault(stored.concept, {}).setdefault(f"{type}/{id}", {})
                fields_of |= stored.record | stored.local
    found["case"] = {case: fields}
    return found


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
    load = caseload_weight(open_cases(desk.repository, who), desk.now(), but=case) if who else 0
    return Facts(records_of(desk.repository, case, fields), open_cases=load, supervisor=desk.actor.supervisor)


def open_cases(repository: Repository, manager: str) -> dict[str, Fields]:
    """The cases that a case manager has open, by reference."""
    rows = repository.scan("EpisodeOfCare", {KEY: manager, "concept": "case"})
    mine = ((stored.reference, stored.record | stored.local) for stored in rows if not stored.deleted and not _ended(stored))
    return {reference: fields for reference, fields in mine if fields.get("case_manager") == manager}


def _ended(stored: Stored) -> bool:
    return stored.raw.get("status") in _ENDED


def caseload_weight(cases: dict[str, Fields], at: str, but: str = "") -> int:
    """How much of a caseload these cases take; `but` does not count."""
    return sum(weight(models(fields, at)) for reference, fields in cases.items() if reference != but)
