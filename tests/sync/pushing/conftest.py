"""A push from our side to a hospital that a proxy stands before."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sync.pushing.scene import Scene


@pytest.fixture
def scene(database: Any, hospital_url: str, quick_retries: None) -> Iterator[Scene]:
    made = Scene(database, hospital_url)
    with made.proxy, made.hospital:
        yield made
