"""A hospital that exports, for tests: what this project's own server holds, given out in files by a server of the tests' own."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapter.fhir.client import FhirClient
from adapter.fhir.resource import dumps
from adapter.fhir.retry import RetryPolicy
from adapter.sync.bridge import Bridge
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.pulling import export as exports
from adapter.sync.remotes.remote import Remote
from tests.sync.bulk_server import BulkServer, Made, ndjson
from tests.sync.faulty import Proxy
from tests.sync.hospital import hospital_server

TYPES = ("Patient", "Goal")
SIZE = 12


@dataclass
class Scene:
    """Our store, a hospital, and the server that exports what the hospital has."""

    bridge: Bridge
    hospital: FhirClient
    server: BulkServer

    def pull(self, **options: Any) -> Certificate:
        return self.bridge.sync("hospital", push=False, say=lambda _: None, **options)

    def export(self, since: str | None = None) -> Certificate:
        return self.pull(export=True, since=since)

    def make(self, count: int = SIZE) -> list[dict[str, Any]]:
        """So many new patients at the hospital, each with a goal."""
        people = [self.hospital.create({"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}).raw or {} for _ in range(count)]
        for person in people:
            goal = {"lifecycleStatus": "active", "description": {"text": "Kanarifugl"}, "subject": {"reference": f"Patient/{person['id']}"}}
            self.hospital.create({"resourceType": "Goal", **goal})
        return people

    def there(self, type: str) -> list[dict[str, Any]]:
        return [raw for page in self.hospital.search(type, {"_count": 50}) for raw in page.entries]

    def prepare(self, *, counted: bool = True) -> None:
        """The next export holds what the hospital has now, goals first, in files of five lines."""
        self.server.files = []
        for type in reversed(TYPES):
            rows = self.there(type)
            for start in range(0, len(rows), 5):
                some = rows[start : start + 5]
                self.server.files.append(Made(type, ndjson(some), count=len(some) if counted else None))
        self.server.time = next(self.hospital.search("Patient", {"_count": 1})).server_time.isoformat()

    def here(self) -> dict[str, Any]:
        """What our store holds, but for the moments at which it was written."""
        found = {}
        for type in TYPES:
            for stored in self.bridge.repository.scan(type):
                raw = {name: value for name, value in stored.raw.items() if name != "meta"} if not stored.deleted else {}
                meta = {name: value for name, value in stored.raw["meta"].items() if name != "lastUpdated"} if raw else {}
                found[stored.reference] = (dumps(raw), meta, stored.links, stored.born, stored.outbox, stored.deleted)
        return found

    def files(self) -> Counter[str]:
        """How often each file was asked for."""
        return Counter(number for number, *_ in self.server.reads)


@contextmanager
def exporting(theirs: Any, ours: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A hospital on the one database whose exports are ready to be pulled into the other, in batches of three lines."""
    monkeypatch.setattr(RetryPolicy, "wait", lambda self, attempt: 0.0)
    monkeypatch.setattr(exports, "_BATCH", 3)
    with hospital_server(theirs) as url, BulkServer(Proxy(url)) as server, FhirClient(url) as hospital:
        bridge = Bridge(ours)
        bridge.remotes.add(Remote("hospital", server.url, types=TYPES, page_size=7))
        made = Scene(bridge, hospital, server)
        made.make()
        made.prepare()
        yield made


def settings(scene: Scene, **values: Any) -> None:
    scene.bridge.remotes.change("hospital", values)


def same_by_search(scene: Scene, database: Any) -> dict[str, Any]:
    """What another store holds after it has pulled from the same hospital by search."""
    other = Bridge(database)
    other.remotes.add(Remote("hospital", scene.server.url, types=TYPES))
    searched = replace(scene, bridge=other)
    assert searched.pull().clean
    return searched.here()
