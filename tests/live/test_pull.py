"""A pull against a real HAPI: deletions, its history of everything, a Group's members, and what those refer to."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sync.faulty import Proxy
from tests.sync.test_two_sides import changed
from tests.sync.ward import Ward, history
from tests.sync.world import World
from tests.sync.world import world as make_world

from .hapi import Hapi


@pytest.fixture
def ward(database: Any, hapi: Hapi) -> Iterator[Ward]:
    """Our side, and HAPI behind a proxy that sees what is asked."""
    with Proxy(hapi.url) as proxy:
        made = make_world(database, proxy.url, types=("Patient", "Observation"), page_size=100)
        seen = Ward(made.bridge, made.hospital, made.remote)
        seen.proxy = proxy
        yield seen
        seen.hospital.close()


def observed(world: World, patient: dict[str, Any], **elements: Any) -> dict[str, Any]:
    """A new observation of the patient's."""
    about = {"subject": {"reference": f"Patient/{patient['id']}"}, "code": {"text": "Kanarifugl"}}
    written = world.hospital.create({"resourceType": "Observation", "status": "final", **about, **elements})
    return world.hospital.read("Observation", written.id).raw


def doctor(world: World) -> dict[str, Any]:
    written = world.hospital.create({"resourceType": "Practitioner", "name": [{"family": "Kanarifugl"}]})
    return world.hospital.read("Practitioner", written.id).raw


def is_here(world: World, raw: dict[str, Any]) -> bool:
    """Whether the resource was pulled, and is not deleted."""
    key = f"hospital|{raw['resourceType']}/{raw['id']}"
    return [stored.deleted for stored in world.bridge.repository.scan(raw["resourceType"], {"links.key": key})] == [False]


def scoped(world: Ward, **scope: str) -> None:
    """Patients of this test only, so that the server may hold others'."""
    world.set(scope=scope, types=())


def test_a_deletion_is_told_by_one_history_of_everything(ward: Ward) -> None:
    patient = ward.patient_there()
    dropped, kept = observed(ward, patient), observed(ward, patient)
    scoped(ward, patients=patient["id"])
    assert ward.sync(push=False).clean
    ward.hospital.delete("Observation", dropped["id"])
    ward.proxy.seen.clear()
    certificate = ward.sync(push=False)
    assert certificate.clean
    assert is_here(ward, kept)
    assert not is_here(ward, dropped)
    assert [path for path in ward.asked("_history") if "_getpages" not in path] == ward.asked("/fhir/_history")


def test_without_a_history_a_deletion_is_found_by_comparing_ids(ward: Ward) -> None:
    ward.lacks(history)
    patient = ward.patient_there()
    dropped, kept = observed(ward, patient), observed(ward, patient)
    scoped(ward, patients=patient["id"])
    ward.sync(push=False)
    ward.hospital.delete("Observation", dropped["id"])
    ward.set(ids_every=0)
    certificate = ward.sync(push=False)
    assert (certificate.clean, changed(certificate.pulled)) == (True, {"delete": 1})
    assert (is_here(ward, kept), is_here(ward, dropped)) == (True, False)


def test_what_was_deleted_and_made_again_is_here_again(ward: Ward) -> None:
    patient = ward.patient_there()
    raw = observed(ward, patient)
    scoped(ward, patients=patient["id"])
    ward.sync(push=False)
    ward.hospital.delete("Observation", raw["id"])
    ward.sync(push=False)
    ward.hospital.update({**raw, "status": "amended"}, if_match="2")
    ward.sync(push=False)
    assert ward.here(raw).raw["status"] == "amended"


def test_a_group_s_members_come_with_what_refers_to_them_and_what_that_refers_to(ward: Ward) -> None:
    inside, outside, ada = ward.patient_there(), ward.patient_there(), doctor(ward)
    theirs = {
        patient["id"]: observed(ward, patient, performer=[{"reference": f"Practitioner/{ada['id']}"}]) for patient in (inside, outside)
    }
    member = [{"entity": {"reference": f"Patient/{inside['id']}"}}]
    group = ward.hospital.create({"resourceType": "Group", "type": "person", "actual": True, "member": member}).id
    scoped(ward, group=group)
    certificate = ward.sync(push=False)
    assert certificate.clean, certificate.to_json()
    assert {raw["id"]: is_here(ward, raw) for raw in (inside, outside)} == {inside["id"]: True, outside["id"]: False}
    assert (is_here(ward, theirs[inside["id"]]), is_here(ward, theirs[outside["id"]]), is_here(ward, ada)) == (True, False, True)
    ward.edit_there({"resourceType": "Practitioner", "id": ada["id"]}, gender="female")
    ward.edit_there({"resourceType": "Group", "id": group}, member=[{"entity": {"reference": f"Patient/{outside['id']}"}}])
    again = ward.sync(push=False)
    assert again.clean, again.to_json()
    assert is_here(ward, outside)
    assert is_here(ward, theirs[outside["id"]])
    assert is_here(ward, inside), "what leaves the scope is kept"
    assert ward.here(ada).raw["gender"] == "female"
    assert changed(ward.sync(push=False).pulled) == {}


def test_a_second_pull_of_all_types_asks_little(ward: Ward) -> None:
    ward.patient_there()
    ward.set(types=(), searches={"*": "_tag=urn:example:nobody|nothing"})
    ward.sync(push=False)
    ward.proxy.seen.clear()
    assert ward.sync(push=False).holds
    assert len(ward.proxy.seen) < 20, ward.proxy.seen
