"""Who is who, with a real HAPI as the hospital: its search by identifier, and its own merge of two patients."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from adapter.sync.people.parting import split
from tests.live.hapi import Hapi
from tests.sync.people.clinic import SSN, TRUST, goal_here, patient, person_here, questions, read
from tests.sync.world import World
from tests.sync.world import world as make_world


@pytest.fixture
def world(database: Any, hapi: Hapi) -> Iterator[World]:
    made = make_world(database, hapi.url, types=("Patient", "Goal"), trust=TRUST)
    yield made
    made.hospital.close()


def merge(hapi: Hapi, survivor: dict[str, Any], loser: dict[str, Any]) -> None:
    """What an administrator of HAPI does with duplicates; its operation's name in 8.8."""
    pair = (("source-resource", loser), ("target-resource", survivor))
    parameters = [{"name": name, "valueReference": {"reference": f"Patient/{raw['id']}"}} for name, raw in pair]
    body = {"resourceType": "Parameters", "parameter": parameters}
    requests.post(f"{hapi.url}/Patient/$hapi.fhir.merge", json=body, timeout=60).raise_for_status()


def test_a_merge_by_hapi_is_followed_and_can_be_taken_back(world: World, hapi: Hapi, mark: str) -> None:
    one, two = patient(world, f"{mark}-1"), patient(world, f"{mark}-2")
    world.sync()
    survivor, loser = world.here(one), world.here(two)
    sent = goal_here(world, loser.reference)
    world.sync()
    unsent = goal_here(world, loser.reference)
    merge(hapi, one, two)
    assert world.sync().holds
    assert questions(world) == []
    assert {read(world, goal).raw["subject"]["reference"] for goal in (sent, unsent)} == {survivor.reference}
    assert world.there(one)["identifier"] == [*one["identifier"], {"use": "old", "system": SSN, "value": f"{mark}-2"}]
    version = world.there(two)["meta"]["versionId"]
    assert world.sync().clean
    assert world.there(two)["meta"]["versionId"] == version
    [(id, _)] = world.bridge.people.unions.all({"loser": loser.reference})
    split(world.bridge.people, id, by="supervisor")
    # What HAPI itself led elsewhere stays as HAPI has it.
    assert read(world, sent).raw["subject"]["reference"] == survivor.reference
    assert read(world, unsent).raw["subject"]["reference"] == loser.reference


def test_who_was_made_here_is_found_at_hapi_and_not_made_again(world: World, mark: str) -> None:
    there = patient(world, mark, telecom=[{"system": "phone", "value": "1"}])
    ours = person_here(world, mark)
    assert world.sync(pull=False).clean
    found = [raw for page in world.hospital.search("Patient", {"identifier": f"{SSN}|{mark}"}) for raw in page.entries]
    assert [raw["id"] for raw in found] == [there["id"]]
    assert read(world, ours).link("hospital").reference == f"Patient/{there['id']}"
