"""A store, somebody who writes and subscribes there, and who is told."""

import pytest

from adapter.store.documents import Change
from adapter.store.repository import Repository
from tests.sync.receiver import Receiver


@pytest.fixture
def repository(database):
    return Repository(database)


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def write(repository):
    """Makes the next version of a resource, None a deletion."""

    def write(type, id, raw):
        current = repository.find(type, id)
        return repository.commit([Change(type, id, raw, current.version if current else 0)])[0]

    return write


@pytest.fixture
def subscribe(write):
    def subscribe(id, receiver, criteria="Patient", status="requested", end=None, **channel):
        channel = {"type": "rest-hook", "endpoint": f"{receiver.url}/hook", **channel}
        raw = {"resourceType": "Subscription", "status": status, "reason": "Kanarifugl", "criteria": criteria, "channel": channel}
        return write("Subscription", id, {**raw, **({"end": end} if end else {})})

    return subscribe


@pytest.fixture
def status(repository):
    """A Subscription's status and error."""

    def status(id="s"):
        raw = repository.read("Subscription", id).raw
        return raw["status"], raw.get("error")

    return status
