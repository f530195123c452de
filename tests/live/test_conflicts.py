"""Conflicts, explained plans and saved plans, with a real HAPI as the hospital."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sync.conflicts.test_conflicts import *  # noqa: F403
from tests.sync.rehearsal.test_explain import *  # noqa: F403
from tests.sync.rehearsal.test_saved_plan import *  # noqa: F403
from tests.sync.world import World
from tests.sync.world import world as make_world


@pytest.fixture
def world(database: Any, hapi_empty: Any) -> Iterator[World]:
    made = make_world(database, hapi_empty.url, types=("Patient", "Goal", "Observation", "Provenance"), page_size=100)
    yield made
    made.hospital.close()
