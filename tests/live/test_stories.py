"""The two stories end to end, with a real HAPI as the hospital."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sync.test_stories import test_the_story_is_at_the_hospital_and_comes_back_equal  # noqa: F401
from tests.sync.world import World
from tests.sync.world import world as make_world


@pytest.fixture
def world(database: Any, hapi: Any) -> Iterator[World]:
    made = make_world(database, hapi.url, mine=True, sandbox=True)
    yield made
    made.hospital.close()
