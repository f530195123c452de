"""The hospital is this project's own server; `tests/live` runs the same tests against a real HAPI."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sync.hospital import hospital_server
from tests.sync.world import World
from tests.sync.world import world as make_world


@pytest.fixture
def world(new_database: Callable[[], Any], database: Any) -> Iterator[World]:
    with hospital_server(new_database()) as url:
        made = make_world(database, url)
        yield made
        made.hospital.close()
