"""/health is about the process, /ready about its store."""

import pymongo
import pytest

from adapter.store.repository import Repository
from server import create_app, probes


@pytest.fixture
def without_store(monkeypatch):
    """The application over a store where nobody answers."""
    monkeypatch.setattr(probes, "READY_SECONDS", 0.2)
    with pymongo.MongoClient("127.0.0.1", 1, directConnection=True) as nobody:
        yield create_app(Repository(nobody["none"])).test_client()


def test_a_server_with_its_store_is_alive_and_ready(client):
    assert client.get("/health").json == {"status": "ok"}
    assert client.get("/ready").json == {"status": "ready"}


def test_a_server_without_its_store_is_alive_and_not_ready(without_store):
    assert without_store.get("/health").json == {"status": "ok"}
    answer = without_store.get("/ready")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert (answer.json["title"], answer.json["code"]) == ("Service Unavailable", "no-store")


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_a_probe_is_only_read(client, path):
    answer = client.post(path)
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_a_probe_by_another_name_of_the_host_is_refused(client, path):
    assert client.get(path, headers={"Host": "attacker.example"}).status_code == 400
