"""The two sides of a measured sync: a HAPI server of our own with data, and an empty database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psutil
import pymongo
import requests

from adapter.config import Settings
from adapter.fhir.resource import Raw, dumps
from adapter.store.connect import open_database
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.bench.figures import Skipped
from tests.live.hapi import Hapi
from tests.live.java import JavaError

PAGE = 500
_AT_ONCE = 4000
_PATIENCE = 600.0
Store = pymongo.MongoClient[dict[str, Any]]


@contextmanager
def hospital() -> Iterator[Hapi]:
    """A HAPI server with nothing on it. Raises Skipped where none can be built here."""
    try:
        server = Hapi.start(heap="1g", max_page=PAGE)
    except JavaError as error:
        raise Skipped(f"no HAPI server: {error}") from None
    with server:
        yield server


def fill(server: Hapi, resources: list[Raw], say: Callable[[str], None]) -> None:
    """Put resources on a server under their own ids."""
    for start in range(0, len(resources), _AT_ONCE):
        some = resources[start : start + _AT_ONCE]
        say(f"putting {len(some)} resources on HAPI")
        entries = [{"resource": raw, "request": {"method": "PUT", "url": f"{raw['resourceType']}/{raw['id']}"}} for raw in some]
        body = dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()
        headers = {"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}
        requests.post(server.url, data=body, headers=headers, timeout=_PATIENCE).raise_for_status()


@contextmanager
def store() -> Iterator[Store]:
    """The store that CASEBRIDGE_DB names, else an embedded one that is gone afterwards."""
    with TemporaryDirectory(prefix="casebridge-bench-") as folder:
        settings = replace(Settings.from_env(), home=Path(folder))
        with open_database(settings, notice=lambda _: None) as database:
            yield database.client


def store_cpu(client: Store) -> float:
    """CPU seconds so far of an embedded store, which has its port in its command line; 0 of another."""
    _, port = client.address or ("", 0)
    stores = (each for each in psutil.process_iter(["cmdline"]) if {"--port", str(port)} <= set(each.info["cmdline"] or ()))
    return sum(map(cpu, stores))


def cpu(process: psutil.Process) -> float:
    """CPU seconds of a process so far."""
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def bridge(client: Store, url: str) -> Iterator[Bridge]:
    """A casebridge on an empty database that knows the server as `hospital`."""
    name = f"bench_{uuid4().hex}"
    try:
        made = Bridge(client[name])
        made.remotes.add(Remote("hospital", url, page_size=PAGE))
        yield made
    finally:
        client.drop_database(name)
