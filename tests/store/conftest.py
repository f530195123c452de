"""A repository with a clock of its own, and the ways to fill it and to search it."""

from datetime import UTC, datetime, timedelta

import pytest

from adapter.store import search
from adapter.store.documents import Change
from adapter.store.repository import Repository

NOON = datetime(2025, 4, 22, 12, tzinfo=UTC)


@pytest.fixture
def repository(database):
    ticks = iter(range(100_000))
    return Repository(database, clock=lambda: NOON + timedelta(seconds=next(ticks)))


@pytest.fixture
def save(repository):
    """Stores resources, one transaction each: save("Patient", p1={…})."""

    def save(type, **bodies):
        for id, body in bodies.items():
            current = repository.find(type, id)
            repository.commit([Change(type, id, {"resourceType": type, **body}, current.version if current else 0)])

    return save


@pytest.fixture
def find(repository):
    def find(type, *params, **more):
        repository.collection(type)
        result = search.run(repository.database, search.parse(type, [*params, *more.items()]))
        return [row.id for row in result.rows]

    return find
