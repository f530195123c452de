"""Resources that another casebridge makes at the hospital while we pull: they keep their ids, and what refers to them leads to them."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from adapter.clock import utc_now
from adapter.sync.edge import with_own_id
from adapter.sync.pushing.dead import Letters
from tests.sync.faulty import Exchange, Proxy
from tests.sync.world import World
from tests.sync.world import world as make_world

TYPES = ("Patient", "Goal")


@pytest.fixture
def world(database: Any, proxy: Proxy) -> Iterator[World]:
    made = make_world(database, proxy.url, types=TYPES)
    yield made
    made.hospital.close()


def made_by_another(world: World, patient: str, goal: str | None) -> None:
    """What a push of another casebridge leaves at the hospital."""
    subject = world.hospital.create(with_own_id({"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}, patient))
    body = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "Kanarifugl"}}
    if goal:
        world.hospital.create(with_own_id({**body, "subject": {"reference": f"Patient/{subject.id}"}}, goal))


def meanwhile(proxy: Proxy, act: Callable[[], None], type: str) -> None:
    """Before the hospital hears of the search that brings this type, the other acts."""

    def first(exchange: Exchange) -> None:
        if f"/{type}?" in exchange.path and "_sort" in exchange.path:
            proxy.mend()
            act()
        exchange.answer(exchange.forward())

    proxy.fault(first, method="GET")


def test_what_is_made_while_we_pull_keeps_its_id_and_references_lead_to_it(world: World, proxy: Proxy) -> None:
    world.patient_there()
    made_by_another(world, str(uuid4()), str(uuid4()))
    patient, goal = str(uuid4()), str(uuid4())
    meanwhile(proxy, lambda: made_by_another(world, patient, goal), "Goal")
    world.sync(push=False)
    assert proxy.faults == [], "it was made in the midst of the pull"
    found = world.bridge.repository.read("Goal", goal)
    assert found.raw["subject"]["reference"] == f"Patient/{patient}"
    world.sync(push=False)
    assert world.bridge.repository.read("Patient", patient).born == "hospital"
    assert sum(1 for _ in world.bridge.repository.scan("Patient")) == 3
    assert sum(1 for _ in world.bridge.repository.scan("Goal")) == 2


def test_what_came_under_an_id_of_ours_keeps_it_when_it_gets_another_there(world: World) -> None:
    raw = world.patient_there()
    world.sync(push=False)
    before = world.here(raw).id
    world.edit_there(raw, identifier=with_own_id(raw, str(uuid4()))["identifier"])
    world.sync(push=False)
    assert world.here(raw).id == before
    assert sum(1 for _ in world.bridge.repository.scan("Patient")) == 1


def test_what_was_set_aside_keeps_its_id_and_references_lead_to_it_when_it_is_read_again(world: World) -> None:
    patient, goal = str(uuid4()), str(uuid4())
    made_by_another(world, patient, goal)
    there = [raw["id"] for page in world.hospital.search("Goal", {}) for raw in page.entries]
    letter = {"remote": "hospital", "direction": "pull", "there": f"Goal/{there[0]}", "reason": "odd", "at": utc_now()}
    world.bridge.state.put("dead_letters", "hospital:pull:odd", letter)
    world.bridge.resend("hospital", Letters(world.bridge.state, utc_now).all("hospital"))
    assert [stored.id for stored in world.bridge.repository.scan("Goal")] == [goal]
    assert world.bridge.repository.read("Goal", goal).raw["subject"]["reference"] == f"Patient/{patient}"


def test_what_is_fetched_because_others_refer_to_it_leads_to_what_was_made_while_we_pull(world: World, proxy: Proxy) -> None:
    world.bridge.remotes.change("hospital", {"reference_depth": 1})
    subject = world.patient_there()
    made_by_another(world, str(uuid4()), str(uuid4()))
    role, person = str(uuid4()), str(uuid4())

    def act() -> None:
        doctor = world.hospital.create(with_own_id({"resourceType": "Practitioner", "name": [{"family": "Kanarifugl"}]}, person))
        raw = {"resourceType": "PractitionerRole", "practitioner": {"reference": f"Practitioner/{doctor.id}"}}
        held = world.hospital.create(with_own_id(raw, role))
        goal = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "Kanarifugl"}}
        by = {"subject": {"reference": f"Patient/{subject['id']}"}, "expressedBy": {"reference": f"PractitionerRole/{held.id}"}}
        world.hospital.create(goal | by)

    meanwhile(proxy, act, "Goal")
    world.sync(push=False)
    assert proxy.faults == [], "it was made in the midst of the pull"
    assert world.bridge.repository.read("PractitionerRole", role).raw["practitioner"]["reference"] == f"Practitioner/{person}"
