"""A first load of 3,923 resources by `$export` from a real HAPI: the same store as by search, and killed in its midst, still the same.

What is killed with SIGKILL is `python -m adapter.cli`.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from adapter.fhir.resource import dumps
from adapter.store.repository import Repository
from adapter.store.verify import verify
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.sync.faulty import Proxy

from .conftest import Wire
from .hapi import Hapi
from .test_synthea import PATIENCE, SIZE, transaction

KILLS = 5


@pytest.fixture(scope="module")
def proxy(hapi: Hapi) -> Iterator[Proxy]:
    """HAPI with the whole data set and nothing else, behind a proxy that sees what is asked; one address gives the same ids everywhere."""
    if hapi.pid is None:
        pytest.skip("CASEBRIDGE_LIVE_HAPI names a server that is not ours to empty")
    hapi.empty()
    with Wire(hapi.url) as wire:
        headers = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
        wire.post("", data=transaction(), headers=headers, timeout=PATIENCE).raise_for_status()
    with Proxy(hapi.url) as made:
        yield made
    hapi.empty()


@dataclass
class Side:
    """A casebridge of its own, and its command line as a process."""

    database: Any
    uri: str
    url: str
    chance: random.Random = field(default_factory=lambda: random.Random(20251122))

    def __post_init__(self) -> None:
        self.bridge = Bridge(self.database)
        self.bridge.remotes.add(Remote("hapi", self.url, timeout=PATIENCE, export_wait=1, first_load="export"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "CASEBRIDGE_DB": self.uri, "CASEBRIDGE_DATABASE": self.database.name}
        command = [sys.executable, "-m", "adapter.cli", *arguments]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def kill(self, more: int) -> None:
        """A pull is killed, a little after it has brought so many more resources."""
        before = self.size()
        process = self.start("pull", "hapi")
        while process.poll() is None and self.size() < before + more:
            time.sleep(0.01)
        time.sleep(self.chance.uniform(0, 0.1))
        process.kill()
        _, said = process.communicate()
        assert process.returncode == -signal.SIGKILL, (process.returncode, said)

    def pull(self) -> dict[str, Any]:
        """The certificate of a pull that ends well."""
        process = self.start("pull", "hapi", "--json")
        out, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, (process.returncode, said, out[-2000:])
        return dict(json.loads(out))

    def size(self) -> int:
        repository = Repository(self.database)
        return sum(repository.collection(type).estimated_document_count() for type in repository.types())

    def content(self) -> dict[str, Any]:
        """All that is stored, but for the moments at which it was written."""
        found = {}
        for type in self.bridge.repository.types():
            for stored in self.bridge.repository.scan(type):
                raw = {name: value for name, value in stored.raw.items() if name != "meta"}
                meta = {name: value for name, value in stored.raw["meta"].items() if name != "lastUpdated"}
                found[stored.reference] = (dumps(raw), meta, stored.version, stored.links, stored.born, stored.outbox, stored.deleted)
        return found


@pytest.fixture(scope="module")
def searched(proxy: Proxy, store: Any, store_uri: str) -> dict[str, Any]:
    """What a pull by search gives."""
    side = Side(store[f"test_{uuid4().hex}"], store_uri, proxy.url)
    side.bridge.remotes.change("hapi", {"first_load": "search"})
    assert side.bridge.sync("hapi", push=False, say=lambda _: None).clean
    content = side.content()
    assert len(content) == SIZE
    return content


def kick_offs(proxy: Proxy) -> int:
    return sum("$export?" in path for _, path in proxy.seen)


def test_a_first_load_by_export_gives_the_same_store_as_by_search(
    proxy: Proxy, searched: dict[str, Any], store: Any, store_uri: str
) -> None:
    side, before = Side(store[f"test_{uuid4().hex}"], store_uri, proxy.url), kick_offs(proxy)
    certificate = side.bridge.sync("hapi", push=False, say=lambda _: None)
    assert certificate.clean, certificate.to_json()
    assert sum(row["created"] for _, row, _ in certificate.rows()) == SIZE
    assert side.content() == searched
    assert kick_offs(proxy) == before + 1
    assert [finding for finding in verify(side.bridge.repository) if not finding.note] == []
    # The files of the export stay on HAPI for a while, as Binaries with all of its data: they are not pulled.
    second = side.bridge.sync("hapi", push=False, say=lambda _: None)
    assert second.clean
    assert (second.pulled.written, kick_offs(proxy)) == (0, before + 1)


def test_a_first_load_by_export_killed_in_its_midst_loses_nothing_and_doubles_nothing(
    proxy: Proxy, searched: dict[str, Any], store: Any, store_uri: str
) -> None:
    side, before = Side(store[f"test_{uuid4().hex}"], store_uri, proxy.url), kick_offs(proxy)
    sizes = []
    for _ in range(KILLS):
        side.kill(side.chance.randint(1, SIZE // KILLS * 2 // 3))
        sizes.append(side.size())
    assert 0 < sizes[0] < sizes[-1] < SIZE, sizes
    certificate = side.pull()
    assert certificate["clean"]
    assert sum(row["fetched"] for row in certificate["pull"].values()) == SIZE
    assert side.content() == searched
    assert kick_offs(proxy) == before + 1
    assert [finding for finding in verify(side.bridge.repository) if not finding.note] == []
