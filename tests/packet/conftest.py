import pytest

from adapter.store.repository import Repository

from .scene import NOON, filled


@pytest.fixture
def repository(database) -> Repository:
    """A store with the scene in it."""
    return filled(Repository(database, clock=lambda: NOON))
