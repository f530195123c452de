"""The two stories end to end, with a real HAPI as the hospital."""

from collections.abc import Iterator
from typing import Any

import pytest

from adapter.casework.stories import load_story
from tests.live.validator import validate
from tests.sync.test_stories import STORIES, born_here, story, test_the_story_is_at_the_hospital_and_comes_back_equal  # noqa: F401
from tests.sync.world import World
from tests.sync.world import world as make_world


@pytest.fixture
def world(database: Any, hapi: Any) -> Iterator[World]:
    made = make_world(database, hapi.url, mine=True, sandbox=True)
    yield made
    made.hospital.close()


def test_what_the_stories_produce_is_valid_r4(world: World) -> None:
    """By the official validator. Our own extensions and code systems are not published yet: what it says of those alone is passed over."""
    for name in STORIES:
        load_story(world.bridge.repository, story(name))
    packages = ["hl7.fhir.us.core#6.1.0", "hl7.fhir.us.sdoh-clinicalcare#2.3.0"]
    issues = validate([stored.raw for stored in born_here(world.bridge).values()], igs=packages)
    errors = [issue for issue in issues if issue.is_error and "casebridge.example" not in issue.message]
    assert sorted({(issue.location.partition("/")[0], issue.message) for issue in errors}) == []
