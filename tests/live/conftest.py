"""One real HAPI for all live tests. They run only when asked for: `pytest -m live` (make test-live)."""

import os
import re
import uuid
from collections.abc import Iterator

import pytest
import requests

from adapter.fhir.client import FhirClient

from .hapi import Hapi
from .java import JavaError


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.live)


@pytest.hookimpl(tryfirst=True)  # before pytest's own -m, which then finds the marker
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if re.search(r"\blive\b", config.option.markexpr):
        return
    live = [item for item in items if item.get_closest_marker("live")]
    config.hook.pytest_deselected(items=live)
    items[:] = [item for item in items if not item.get_closest_marker("live")]


@pytest.fixture(scope="session")
def hapi(pytestconfig: pytest.Config) -> Iterator[Hapi]:
    """A HAPI server that all tests share; CASEBRIDGE_LIVE_HAPI names one that runs already. Keep to your own `mark`."""
    running = os.environ.get("CASEBRIDGE_LIVE_HAPI")
    if running:
        yield Hapi(running)
        return
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # half a minute or more of silence looks like a hang
        try:
            server = Hapi.start()
        except JavaError as error:
            pytest.fail(str(error), pytrace=False)
    with server:
        yield server


@pytest.fixture
def hapi_empty(hapi: Hapi) -> Hapi:
    """The shared server with nothing on it. Skipped on a server that is not ours to empty."""
    if hapi.pid is None:
        pytest.skip("CASEBRIDGE_LIVE_HAPI names a server that is not ours to empty")
    hapi.empty()
    return hapi


@pytest.fixture
def mark() -> str:
    """A value that no other test uses: identifiers made of it keep tests on one server apart."""
    return uuid.uuid4().hex


class Wire(requests.Session):
    """Plain requests to one FHIR base, to see what goes over the wire rather than what a client makes of it."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base

    def request(self, method: str, url: str, **rest: object) -> requests.Response:  # type: ignore[override]
        full = url if url.startswith("http") else f"{self.base}/{url}".rstrip("/")
        return super().request(method, full, **{"timeout": 60, **rest})  # type: ignore[arg-type]


@pytest.fixture
def wire(hapi: Hapi) -> Iterator[Wire]:
    """Plain requests to the shared server; paths are relative to its FHIR base."""
    with Wire(hapi.url) as session:
        yield session


@pytest.fixture
def client(hapi: Hapi) -> FhirClient:
    """Our own client on the shared server."""
    return FhirClient(hapi.url)
