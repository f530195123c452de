"""The hospital is this project's own server; `tests/live` runs the same tests against a real HAPI."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapter.fhir.client import FhirClient
from adapter.fhir.retry import RetryPolicy
from adapter.sync.remotes.remote import Remote
from tests.sync.faulty import Proxy
from tests.sync.hospital import hospital_server
from tests.sync.world import World
from tests.sync.world import world as make_world


@pytest.fixture
def hospital_url(new_database: Callable[[], Any]) -> Iterator[str]:
    """An empty hospital's."""
    with hospital_server(new_database()) as url:
        yield url


@pytest.fixture
def world(hospital_url: str, database: Any) -> Iterator[World]:
    made = make_world(database, hospital_url)
    yield made
    made.hospital.close()


@pytest.fixture
def proxy(hospital_url: str) -> Iterator[Proxy]:
    """In front of the hospital."""
    with Proxy(hospital_url) as made:
        yield made


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks a remote asks a second time at once, and then gives up."""
    client = Remote.client

    def quick(self: Remote, kind: Callable[..., FhirClient] = FhirClient, **options: Any) -> FhirClient:
        return client(self, kind, **{**options, "retry": RetryPolicy(attempts=2, base=0.01)})

    monkeypatch.setattr(Remote, "client", quick)
