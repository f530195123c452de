"""What was imported about a client, as the proposals of Charlson, LACE and HOSPITAL look at it."""

from typing import Any

from adapter.care.proposal import Known
from adapter.fhir.resource import Raw
from adapter.store import query, search
from adapter.store.filters import KEY
from adapter.store.repository import Repository

_LABS = "http://loinc.org|718-7,http://loinc.org|2951-2"
_LATEST = "200"


def known(repository: Repository, client: str) -> Known:
    """The client's conditions, encounters, procedures and the latest haemoglobin and sodium values; `client` is a reference."""
    person = repository.find("Patient", client.partition("/")[2])
    return Known(
        conditions=_records(repository, client, "Condition", "condition"),
        encounters=_records(repository, client, "Encounter", "encounter"),
        measurements=_labs(repository, client),
        procedures=_procedures(repository, client),
        birth_date=person.raw.get("birthDate") if person and not person.deleted else None,
    )


def _records(repository: Repository, client: str, type: str, concept: str) -> dict[str, dict[str, Any]]:
    return {
        stored.reference: stored.record
        for stored in repository.scan(type, {KEY: client})
        if not stored.deleted and stored.concept == concept and stored.record.get("client") == client
    }


def _labs(repository: Repository, client: str) -> dict[str, dict[str, Any]]:
    repository.collection("Observation")
    asked = query.parse("Observation", [("subject", client), ("code", _LABS), ("_sort", "-date"), ("_count", _LATEST)])
    found = [repository.find("Observation", row.id) for row in search.run(repository.database, asked).rows]
    return {stored.reference: stored.record for stored in found if stored and stored.concept == "measurement"}


def _procedures(repository: Repository, client: str) -> dict[str, dict[str, Any]]:
    """Status, encounter and beginning of each procedure; what is a record of ours, such as an education session, is not meant."""
    found: dict[str, dict[str, Any]] = {}
    for stored in repository.scan("Procedure", {KEY: client}):
        if not stored.deleted and stored.concept is None:
            found[stored.reference] = _procedure(stored.raw)
    return found


def _procedure(raw: Raw) -> dict[str, Any]:
    begun = raw.get("performedDateTime") or raw.get("performedPeriod", {}).get("start")
    encounter = raw.get("encounter", {}).get("reference")
    parts = {"status": str(raw.get("status", "")).replace("-", "_"), "start": begun, "encounter": encounter}
    return {name: value for name, value in parts.items() if value}
