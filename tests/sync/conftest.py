"""The hospital is this project's own server; `tests/live` runs the same tests against a real HAPI."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sync.hospital import hospital_server
from tests.sync.world import World
from tests.sync.world import world as make_world


@pytest.fixture
def world(store: Any, database: Any) -> Iterator[World]:
    other = store[f"{database.name}_hospital"]
    try:
        with hospital_server(other) as url:
            made = make_world(database, url)
            yield made
            made.hospital.close()
    finally:
        store.drop_database(other.name)
