"""The two stories, end to end: lived here, pushed to the hospital, found again there, and pulled back into an empty database."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from adapter.cases.story import Story, parse
from adapter.casework.stories import load_story
from adapter.fhir.references import split
from adapter.fhir.resource import parse as parse_json
from adapter.mapping.derived import is_derived
from adapter.store.documents import Stored, stays
from adapter.store.verify import verify
from adapter.sync.bridge import Bridge
from tests.mapping.data import FIXTURES
from tests.sync.world import World

STORIES = ("river", "alma")


def story(name: str, run: str = "") -> Story:
    raw = parse_json((FIXTURES / "cases" / f"{name}.json").read_bytes())
    return parse({**raw, "story": raw["story"] + run})


def current(bridge: Bridge) -> dict[str, Stored]:
    found = (stored for type in bridge.repository.types() for stored in bridge.repository.scan(type))
    return {stored.reference: stored for stored in found if not stored.deleted}


def born_here(bridge: Bridge) -> dict[str, Stored]:
    """What was made here and goes to others; who made which version is told here alone."""
    return {reference: stored for reference, stored in current(bridge).items() if stored.born is None and not stays(stored)}


def values(node: Any, path: str) -> list[Any]:
    """What is at a dotted path, through all lists."""
    nodes = [node]
    for name in path.split("."):
        nodes = [item for each in nodes if isinstance(each, dict) and name in each for item in _listed(each[name])]
    return nodes


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def holds(datum: dict[str, Any], resources: list[dict[str, Any]]) -> bool:
    found = [str(value) for raw in resources if raw["resourceType"] == datum["type"] for value in values(raw, datum["path"])]
    return datum["value"] in found if "value" in datum else any(datum["contains"].casefold() in text.casefold() for text in found)


def count_holds(found: int, text: str) -> bool:
    return found >= int(text.removeprefix(">=")) if text.startswith(">=") else found == int(text)


@pytest.mark.parametrize("name", STORIES)
def test_the_story_is_at_the_hospital_and_comes_back_equal(world: World, new_database: Callable[[], Any], name: str) -> None:
    told = story(name, world.run)
    load_story(world.bridge.repository, told)
    certificate = world.sync()
    assert certificate.clean, certificate.to_json()
    ours = born_here(world.bridge)
    there = [world.hospital.read(type, id).raw for stored in ours.values() for type, id, _ in [split(stored.link("hospital").reference)]]

    counts = Counter(raw["resourceType"] for raw in there if not is_derived(raw))
    assert {type: counts[type] for type, text in told.expect["fhir"].items() if not count_holds(counts[type], text)} == {}
    assert [datum["datum"] for datum in told.expect["seed"] if not holds(datum, there)] == []

    back = Bridge(new_database())
    back.remotes.add(world.remote)
    assert back.sync("hospital", push=False, say=lambda _: None).holds
    returned = current(back)
    assert {reference for reference in ours if reference not in returned} == set()
    for reference, stored in ours.items():
        assert returned[reference].concept == stored.concept
        assert returned[reference].record == stored.record, reference
    assert [finding for finding in verify(back.repository) if not finding.note] == []


@pytest.mark.parametrize("name", STORIES)
def test_loading_a_story_again_changes_nothing(world: World, name: str) -> None:
    told = story(name)
    load_story(world.bridge.repository, told)
    before = {reference: stored.version for reference, stored in born_here(world.bridge).items()}
    assert load_story(world.bridge.repository, told).steps == 0
    assert {reference: stored.version for reference, stored in born_here(world.bridge).items()} == before


def test_a_minor_adjustment_is_a_second_version_of_the_same_plan(world: World) -> None:
    load_story(world.bridge.repository, story("river"))
    [plan] = [stored for stored in born_here(world.bridge).values() if stored.concept == "plan"]
    assert plan.version >= 2
    assert len(plan.record["services"]) > len(world.bridge.repository.vread("CarePlan", plan.id, 1).record["services"])


def test_a_major_adjustment_is_a_new_plan_that_replaces_the_old(world: World) -> None:
    load_story(world.bridge.repository, story("alma"))
    plans = {stored.reference: stored.record for stored in born_here(world.bridge).values() if stored.concept == "plan"}
    [new] = [record for record in plans.values() if "replaces" in record]
    assert plans[new["replaces"][0] if isinstance(new["replaces"], list) else new["replaces"]]["status"] in ("revoked", "completed")
