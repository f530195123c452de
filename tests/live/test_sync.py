"""The two-sided tests of `tests/sync`, with a real HAPI as the hospital."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sync.test_two_sides import *  # noqa: F403
from tests.sync.world import World
from tests.sync.world import world as make_world


@pytest.fixture
def world(database: Any, hapi: Any) -> Iterator[World]:
    made = make_world(database, hapi.url, types=("Patient", "Goal", "Device"), page_size=100)
    yield made
    made.hospital.close()
