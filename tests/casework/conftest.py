"""A desk with people at it."""

from datetime import UTC, datetime, timedelta

import pytest

from adapter.casework.desk import Actor, Desk
from adapter.casework.records import save
from adapter.store.repository import Repository

DANA, SAM, BOSS = "Practitioner/dana", "Practitioner/sam", "Practitioner/boss"


class Time:
    """A clock that goes on by a second whenever it is looked at, and further when it is told to."""

    def __init__(self):
        self.now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now

    def forward(self, **span):
        self.now += timedelta(**span)


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def repository(database, time):
    return Repository(database, time)


def person(repository, id, role="case_manager", **fields):
    whole = {"names": [{"family": "Kanarifugl", "given": [id]}], "practitioner": f"Practitioner/{id}", "discipline": "nurse", "role": role}
    save(repository, "case_manager", id, whole | fields, synthetic=True)


def client(repository, id):
    fields = {"identifiers": [{"system": "urn:example:mrn", "value": id}], "names": [{"family": "Kanarifugl", "given": [id]}]}
    save(repository, "client", id, fields, synthetic=True)
    return f"Patient/{id}"


@pytest.fixture
def desk(repository, time):
    for id in ("dana", "sam"):
        person(repository, id)
    person(repository, "boss", "supervisor")
    client(repository, "alma")
    return Desk(repository, Actor(DANA), time, synthetic=True)


@pytest.fixture
def boss(desk):
    return Desk(desk.repository, Actor(BOSS, "supervisor"), desk.clock, synthetic=True)


@pytest.fixture
def new_client(repository):
    def new(id):
        return client(repository, id)

    return new


def case(client="Patient/alma", **fields):
    """The fields that a new case needs."""
    models = [{"model": "brokerage", "primary": True}]
    return {"client": client, "case_number": f"N-{client[8:]}", "case_type": "general", "models": models, "case_manager": DANA} | fields
