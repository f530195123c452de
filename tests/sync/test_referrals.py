"""A provider with a FHIR server: what is referred goes there, its answer comes back, and what follows is settled here."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapter.casework import referrals, transitions
from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put, read
from adapter.casework.watch import Watch
from adapter.clock import utc_now
from adapter.fhir.resource import parse
from adapter.mapping.transfer_summary import document_in
from tests.casework.conftest import DANA, person
from tests.casework.shelf import Shelf
from tests.sync.world import World
from tests.sync.world import world as make_world

ABOUT = {"client": "Patient/alma", "case": "EpisodeOfCare/c-alma"}
REHAB = "Organization/rehab"


@pytest.fixture
def desk(world: World, hospital_url: str) -> Desk:
    """A case here, and a provider whose endpoint is the server that we sync with."""
    repository = world.bridge.repository
    person(repository, "dana")
    shelf = Shelf(repository)
    shelf.case("alma", managing_organization=REHAB)
    shelf.stay("alma", "2026-02-25")
    found = Desk(repository, Actor(DANA), utc_now)
    door = {"status": "active", "connection": {"code": "hl7-fhir-rest"}, "payload_types": [{"text": "any"}], "address": hospital_url}
    put(found, "endpoint", "door", door)
    put(found, "stakeholder", "rehab", {"kind": "rehab_facility", "name": "Kanarifugl", "endpoints": ["Endpoint/door"]})
    order = {"status": "not_started", "intent": "order", "kind": "rehabilitation", "description": "Kanarifugl's therapy"}
    put(found, "planned_service", "therapy", ABOUT | order)
    return found


@pytest.fixture
def provider(new_database: Callable[[], Any], hospital_url: str) -> Iterator[World]:
    """The provider's own casebridge, that syncs with the same server."""
    made = make_world(new_database(), hospital_url)
    yield made
    made.hospital.close()


def service(desk: Desk) -> str:
    return str(read(desk.repository, "planned_service", "therapy").fields["status"])


def test_a_referral_goes_out_is_done_in_the_provider_s_casebridge_and_comes_back(world: World, desk: Desk, provider: World) -> None:
    """C-01, A-13, B-04"""
    task = referrals.send(desk, referrals.refer(desk, "therapy", REHAB).id)
    assert [row.by_fhir for row in referrals.of_case(desk, "c-alma")] == [True]
    theirs = Desk(provider.bridge.repository, Actor("Practitioner/kim"), utc_now)
    for word, wanted in (("accepted", "not_started"), ("in_progress", "in_progress"), ("completed", "completed")):
        assert world.sync().clean
        assert provider.sync().clean
        results = [{"text": "Kanarifugl walks again"}] if word == "completed" else []
        referrals.answer(theirs, task.id, word, results=results)
        assert provider.sync().clean
        assert world.sync().clean
        Watch(desk.repository).look()
        assert service(desk) == wanted
    [row] = referrals.of_case(desk, "c-alma")
    assert (row.status, row.results, row.leads_to) == ("completed", ("Kanarifugl walks again",), ())


def test_an_answer_that_is_written_at_the_provider_s_server_settles_the_service_once(world: World, desk: Desk) -> None:
    """C-01, B-04"""
    task = referrals.send(desk, referrals.refer(desk, "therapy", REHAB).id)
    assert world.sync().clean
    link = desk.repository.read("Task", task.id).link("hospital")
    assert link is not None
    there = world.hospital.read(*link.reference.split("/")).raw
    for word, wanted in (("accepted", "not_started"), ("in-progress", "in_progress"), ("completed", "completed")):
        there = world.edit_there(there, status=word)
        assert world.sync().clean
        Watch(desk.repository).look()
        assert service(desk) == wanted
    version = read(desk.repository, "planned_service", "therapy").version
    assert world.sync().clean
    Watch(desk.repository).look()
    assert read(desk.repository, "planned_service", "therapy").version == version


def test_a_transfer_summary_reaches_the_receiver_whole_and_their_word_comes_back(world: World, desk: Desk, provider: World) -> None:
    """P-24, B-04"""
    move = {"encounter": "Encounter/stay-alma", "status": "in_progress", "to_setting": "rehab", "receiver": REHAB}
    put(desk, "transition_plan", "move", ABOUT | move)
    package = transitions.send(desk, "move").fields["package"]
    assert world.sync().clean
    assert provider.sync().clean
    arrived = provider.bridge.repository.read(*package.split("/"))
    assert parse(document_in(arrived.raw)) == transitions.package(desk, "move")
    theirs = Desk(provider.bridge.repository, Actor("Practitioner/kim"), utc_now)
    transitions.answer(theirs, "move", "received")
    [task] = list(provider.bridge.repository.scan("Task"))
    there = world.hospital.read(*task.link("hospital").reference.split("/")).raw  # type: ignore[union-attr]
    assert provider.sync().clean
    world.edit_there(there, status="accepted")
    assert world.sync().clean
    Watch(desk.repository).look()
    after = read(desk.repository, "transition_plan", "move").fields
    assert {"acknowledged_at", "first_follow_up_due_at"} <= after.keys()
    assert world.sync().clean
