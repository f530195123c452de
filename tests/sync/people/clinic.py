"""Words for who is who at a hospital, and here."""

from typing import Any
from uuid import uuid4

from adapter.fhir.references import walk
from adapter.fhir.resource import content, same
from adapter.store.documents import Change, Stored
from adapter.store.verify import verify
from tests.sync.world import World

SSN, CARD = "urn:example:ssn", "urn:example:card"
TYPES = ("Organization", "Patient", "Observation", "Goal")
TRUST = (SSN, CARD)


def ids(ssn: str = "", card: str = "") -> list[dict[str, Any]]:
    return [{"system": system, "value": value} for system, value in ((SSN, ssn), (CARD, card)) if value]


def patient(world: World, ssn: str = "", card: str = "", **elements: Any) -> dict[str, Any]:
    return world.patient_there(**{"birthDate": "1950-01-01", "identifier": ids(ssn, card), **elements})


def observation(world: World, of: str, text: str = "Kanarifugl") -> dict[str, Any]:
    written = world.hospital.create(
        {"resourceType": "Observation", "status": "final", "code": {"text": text}, "subject": {"reference": of}}
    )
    return world.hospital.read("Observation", written.id).raw


def make_here(world: World, type: str, **elements: Any) -> Stored:
    return world.bridge.repository.commit([Change(type, uuid4().hex, {"resourceType": type, **elements}, 0)])[0]


def person_here(world: World, ssn: str = "", **elements: Any) -> Stored:
    told = {"identifier": ids(ssn or uuid4().hex), "birthDate": "1950-01-01", "gender": "female"}
    return make_here(world, "Patient", **{"name": [{"use": "official", "family": "Kanarifugl"}], **told, **elements})


def goal_here(world: World, of: str) -> Stored:
    return make_here(world, "Goal", lifecycleStatus="active", description={"text": "walk (Kanarifugl)"}, subject={"reference": of})


def everybody(world: World, type: str = "Patient") -> list[Stored]:
    return [stored for stored in world.bridge.repository.scan(type) if not stored.deleted]


def read(world: World, stored: Stored) -> Stored:
    return world.bridge.repository.read(stored.type, stored.id)


def edit(world: World, stored: Stored, **elements: Any) -> Stored:
    now = read(world, stored)
    return world.bridge.repository.commit([Change(now.type, now.id, {**now.raw, **elements}, now.version)])[0]


def questions(world: World) -> list[tuple[str, dict[str, Any]]]:
    return list(world.bridge.people.questions.all())


def subjects(world: World) -> set[str]:
    return {found["reference"] for type in ("Observation", "Goal") for stored in everybody(world, type) for found in walk(stored.raw)}


def holds_together(world: World) -> None:
    assert [finding for finding in verify(world.bridge.repository) if not finding.note] == []


def contents(*stored: Stored) -> list[dict[str, Any]]:
    return [content(each.raw) for each in stored]


def alike(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> bool:
    return same(left, right)


def merge_there(world: World, survivor: dict[str, Any], loser: dict[str, Any]) -> None:
    other = {"reference": f"Patient/{survivor['id']}"}
    world.edit_there(loser, active=False, link=[{"other": other, "type": "replaced-by"}])
