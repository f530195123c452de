"""The two servers that are compared: casebridge in processes of its own on an empty database, and a HAPI with Java's second compiler."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import pymongo
import requests

from adapter.config import Settings
from adapter.store.connect import open_database
from tests.bench.figures import Broken, Skipped
from tests.live.hapi import Hapi
from tests.live.java import JavaError

MAX_PAGE = 1000
"""The same on both."""
_PATIENCE = 120.0


@dataclass(frozen=True)
class Memory:
    """What all processes of a server hold, in MB: a page counts for each that maps it (`rss`), or is shared out between them (`pss`)."""

    rss: float
    pss: float | None


@dataclass(frozen=True)
class Side:
    """A server that runs. `start` is the seconds from its launch to its first CapabilityStatement."""

    name: str
    url: str
    start: float
    processes: Callable[[], list[psutil.Process]]
    compiles: bool
    """Whether it gets faster for minutes, as Java does."""
    settings: Settings | None = None
    """How to open its store; None where that is not ours."""

    def memory(self) -> Memory:
        """What it holds now."""
        full = [process.memory_full_info() for process in self.processes()]
        shared = [info.pss for info in full if hasattr(info, "pss")]  # Linux alone shares out
        return Memory(sum(info.rss for info in full) / 1e6, sum(shared) / 1e6 if shared else None)


@contextmanager
def ours(*, integrity: bool) -> Iterator[Side]:
    """`casebridge serve` on an empty database: in an embedded store of its own, or on the MongoDB that CASEBRIDGE_DB names.

    Raises Skipped where that is on another machine, Broken where the server does not come up.
    """
    name, port = f"bench_{uuid4().hex}", _free_port()
    with TemporaryDirectory(prefix="casebridge-bench-") as folder:
        given = Settings.from_env()
        settings = replace(given, home=Path(folder), database=name, db=on_database(given.db, name) if given.db else None)
        mongod = _mongod(settings)
        log = Path(folder, "serve.log")
        began = time.monotonic()
        with log.open("wb") as out:
            command = [sys.executable, "-m", "adapter.cli", "serve", "--no-auth", "--port", str(port)]
            process = subprocess.Popen(command, env=_environment(settings, integrity), stdout=out, stderr=subprocess.STDOUT)
        url = f"http://127.0.0.1:{port}/fhir"
        try:
            _await(f"{url}/metadata", process, log)
            took = time.monotonic() - began
            yield Side("casebridge", url, took, lambda: [*_family(process.pid), *mongod], False, settings)
        finally:
            _end(process)
            # Whoever leaves an embedded store last stops it, also one that a killed server left behind.
            with open_database(settings, notice=lambda _: None) as database:
                if settings.db:
                    database.client.drop_database(name)


@contextmanager
def hapi(*, heap: str, integrity: bool) -> Iterator[Side]:
    """A HAPI with nothing on it. Raises Skipped where none can be built here."""
    try:
        server = Hapi.start(heap=heap, optimised=True, max_page=MAX_PAGE, check_references=integrity)
    except JavaError as error:
        raise Skipped(f"no HAPI server: {error}") from None
    with server:
        yield Side("HAPI", server.url, server.seconds, lambda: _family(server.pid or 0), True)


def on_database(uri: str, name: str) -> str:
    """The MongoDB URI with another database, and a user still looked up where it was."""
    parts = urlsplit(uri)
    source = parts.path.strip("/")
    query = parts.query
    if source and "@" in parts.netloc and "authSource=" not in query:
        query = f"{query}&authSource={source}".lstrip("&")
    return parts._replace(path=f"/{name}", query=query).geturl()


def _environment(settings: Settings, integrity: bool) -> Mapping[str, str]:
    own = {
        "CASEBRIDGE_HOME": str(settings.home),
        "CASEBRIDGE_DATABASE": settings.database,
        "CASEBRIDGE_INTEGRITY": "on" if integrity else "off",
    }
    return {**os.environ, **own, **({"CASEBRIDGE_DB": settings.db} if settings.db else {})}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Come back at the first 200. Raises Broken where the server ends, or does not answer for minutes."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with suppress(requests.ConnectionError):
            if requests.get(url, timeout=_PATIENCE).status_code == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise Broken(f"casebridge does not start: {log.read_text(errors='replace')[-500:]}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _family(pid: int) -> list[psutil.Process]:
    """A process and all that it started: the embedded store is a child of the server that needed it first."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def _mongod(settings: Settings) -> list[psutil.Process]:
    """The process of the MongoDB, where there is one. Raises Skipped for one on another machine."""
    if settings.db is None:
        return []
    with pymongo.MongoClient[dict[str, object]](settings.db) as client:
        status = client.admin.command("serverStatus")
        if client.address is None or client.address[0] not in ("localhost", "127.0.0.1", "::1"):
            raise Skipped("CASEBRIDGE_DB names a MongoDB on another machine, and both servers are to run on this one")
    return [psutil.Process(int(status["pid"]))]
