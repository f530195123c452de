"""A server of each module's own, with the people of an office: every test makes what it is about, and sees nothing of the others'."""

import os
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from adapter.casework.watch import Watch
from adapter.store.repository import Repository
from server import create_app
from tests.server.api.conftest import BOSS, CaseApi, person
from tests.server.fhir import Fhir

from .office import Office

LICENCE = {"kind": "RN", "number": "1", "active": True, "unrestricted": True, "period": {"start": "2020-01-01"}}


class Time:
    """A clock that is set, and goes on by a millisecond whenever it is looked at."""

    def __init__(self):
        self.now = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(milliseconds=1)
        return self.now

    def pass_(self, **span):
        """Let days or hours pass."""
        self.now += timedelta(**span)


@pytest.fixture(scope="module")
def time():
    return Time()


@pytest.fixture(scope="module")
def repository(store, time):
    name = f"test_{uuid.uuid4().hex}"
    yield Repository(store[name], time)
    if os.environ.get("CASEBRIDGE_DB"):
        store.drop_database(name)


@pytest.fixture(scope="module")
def client(repository):
    return create_app(repository).test_client()


@pytest.fixture(scope="module")
def fhir(client):
    return Fhir(client)


@pytest.fixture(scope="module")
def api(client):
    """The case API as Dana; Sam and she are nurses with a licence, Boss is their supervisor."""
    found = CaseApi(client)
    for id in ("dana", "sam"):
        found.as_(f"Practitioner/{id}").put_new(f"case-managers/{id}", person(id, credentials=[LICENCE]))
    found.as_(BOSS).put_new("case-managers/boss", person("boss", role="supervisor"))
    return found


@pytest.fixture(scope="module")
def office(api, time):
    return Office(api, time)


@pytest.fixture(scope="module")
def watch(repository):
    """Looks at what changed and what is due, as a server does now and then; answers how many cases it saw and tasks it made."""
    return Watch(repository).look
