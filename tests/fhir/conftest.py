"""A real HAPI's answers, recorded: each test of `recorded` runs against `fixtures/http/<test>.json`, or records it anew.

`CASEBRIDGE_RECORD=http://127.0.0.1:8190/fhir pytest tests/fhir/test_hapi_quirks.py` sends the very same requests to that server, checks the
same assertions, writes the files, and deletes what it created. A replay fails where the client sends anything else than was recorded.
"""

import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from adapter.fhir import bundle
from adapter.fhir.client import FhirClient
from adapter.fhir.resource import Raw, dumps, parse
from tests.fhir import remote as made_up

FOLDER = Path(__file__).parents[2] / "fixtures" / "http"
BASE = "http://hapi.example/fhir"
SYSTEM = "https://casebridge.example/wire-test"
SENT = ("Accept", "Cache-Control", "Content-Type", "Host", "If-Match", "If-None-Exist", "Prefer")
RECEIVED = ("Content-Location", "Content-Type", "Date", "ETag", "Last-Modified", "Location", "Retry-After", "X-Powered-By", "X-Progress")


class Recorded:
    """A client whose remote is a recording (or is being recorded), and the name that makes this run's resources its own."""

    def __init__(self, run: str, base: str, session: requests.Session, *, live: bool) -> None:
        self.run, self.base, self.session, self.live = run, base, session, live
        self.client = self.client_with()

    def client_with(self, **settings: Any) -> FhirClient:
        return FhirClient(self.base, session=self.session, sleep=lambda seconds: None, **settings)

    def key(self, name: str = "a") -> str:
        return bundle.token(SYSTEM, f"{self.run}-{name}")

    def only(self, name: str = "a") -> str:
        return bundle.condition({"identifier": self.key(name)})

    def patient(self, name: str = "a", **more: Any) -> Raw:
        identifier = [{"system": SYSTEM, "value": f"{self.run}-{name}"}]
        return {"resourceType": "Patient", "identifier": identifier, "name": [{"family": "Kanarifugl"}], **more}

    def pause(self, seconds: float) -> None:
        """Give the server time; a recording needs none."""
        if self.live:
            time.sleep(seconds)


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    path = FOLDER / f"{request.node.name.removeprefix('test_')}.json"
    server = os.environ.get("CASEBRIDGE_RECORD")
    yield from _recording(path, server) if server else _replay(path)


def _replay(path: Path) -> Iterator[Recorded]:
    kept = parse(path.read_bytes())
    waiting = list(kept["exchanges"])

    def answer(sent: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        assert waiting, f"a request more than was recorded: {sent.method} {sent.url}"
        exchange = waiting.pop(0)
        assert _request(sent) == exchange["request"]
        got = exchange["response"]
        body = dumps(got["body"]) if isinstance(got["body"], dict) else got["body"]
        return got["status"], got["headers"], body.encode()

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock, requests.Session() as session:
        for method in ("GET", "POST", "PUT", "DELETE"):
            mock.add_callback(method, re.compile(".*"), callback=answer, content_type=None)
        yield Recorded(kept["run"], BASE, session, live=False)
    assert not waiting, f"{len(waiting)} recorded requests were not sent"


def _recording(path: Path, server: str) -> Iterator[Recorded]:
    exchanges: list[Raw] = []
    created: list[str] = []

    def keep(response: requests.Response, **_: Any) -> None:
        body = _trimmed(response.content)
        got = {"status": response.status_code, "headers": {k: response.headers[k] for k in RECEIVED if k in response.headers}, "body": body}
        exchanges.append({"request": _request(response.request), "response": got})
        places = [response.headers.get("Location"), response.headers.get("Content-Location")]
        if isinstance(body, dict) and response.request.method == "POST":
            places += [entry.get("response", {}).get("location") for entry in body.get("entry", ())]
        created.extend(f"{found[0]}/{found[1]}" for found in map(bundle.place, places) if found)

    run = uuid.uuid4().hex[:12]
    with requests.Session() as session:
        session.hooks["response"].append(keep)
        yield Recorded(run, server, session, live=True)
    text = json.dumps({"run": run, "exchanges": exchanges}, indent=1, ensure_ascii=False, default=str)
    path.write_text(text.replace(server, BASE) + "\n")
    # Twice: what others refer to can be deleted only after them.
    for place in [*created, *reversed(created)]:
        requests.delete(f"{server}/{place}", timeout=60)


def _request(sent: requests.PreparedRequest) -> Raw:
    body = {"body": json.loads(sent.body)} if sent.body else {}
    headers = {name: sent.headers[name] for name in SENT if name in sent.headers}
    return {"method": sent.method, "url": sent.url, "headers": headers, **body}


def _trimmed(content: bytes) -> Any:
    """JSON as JSON; a CapabilityStatement cut to three types, because the whole is 1.5 MB."""
    try:
        body = json.loads(content)
    except ValueError:
        return content.decode()
    if body.get("resourceType") == "CapabilityStatement":
        for rest in body["rest"]:
            rest["resource"] = [item for item in rest["resource"] if item["type"] in ("Patient", "CarePlan", "Binary")]
            for item in rest["resource"]:
                item.pop("searchRevInclude", None)
                item.pop("searchInclude", None)
            rest.pop("operation", None)
    return body


@pytest.fixture
def remote() -> Iterator[made_up.Remote]:
    with made_up.Remote() as mock:
        yield mock


@pytest.fixture
def waits() -> list[float]:
    """The seconds the client would have slept."""
    return []


@pytest.fixture
def client(waits: list[float]) -> Iterator[FhirClient]:
    with FhirClient(made_up.BASE, sleep=waits.append, clock=lambda: datetime(2025, 4, 22, 12, tzinfo=UTC)) as client:
        yield client
