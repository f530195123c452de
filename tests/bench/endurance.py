"""`python -m tests.bench.endurance`: all of a large store exported while others write, and the server killed in the midst of it.

Whatever was there throughout has to be in the files once, and the server may not take more memory than FEW_MEGABYTES.
"""

import argparse
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread
from uuid import uuid4

import psutil
import requests

from adapter.clock import utc_now
from adapter.config import Settings
from adapter.errors import CasebridgeError
from adapter.fhir.manifest import NDJSON
from adapter.fhir.resource import parse
from adapter.store.connect import open_database
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.loading.load import load
from tests.bench.figures import Broken, Figure, Report, Skipped
from tests.bench.servers import _await, _end, _environment, _free_port, on_database
from tests.bench.sides import store_cpu
from tests.mapping.data import SHARED

FEW_MEGABYTES = 300
DATA = {"synthea-s": SHARED / "synthea-s", "synthea-a": SHARED / "synthea-a"}
_WRITERS, _CHANGED = 2, 2_000
_LOOK, _PATIENCE, _MOST_SECONDS = 0.1, 60, 3600
_MADE = "made-meanwhile-"
Say = Callable[[str], None]
Key = tuple[str, str]


@dataclass
class Server:
    """`casebridge serve` on one port, killed and started again; the most memory that any of its processes had, in MB, and their CPU."""

    settings: Settings
    log: Path
    port: int = field(default_factory=_free_port)
    peak: float = 0.0
    cpu: float = 0.0
    _process: "subprocess.Popen[bytes] | None" = None
    _used: dict[int, float] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    def start(self) -> None:
        """Come back when it answers. Raises Broken."""
        command = [sys.executable, "-m", "adapter.cli", "serve", "--no-auth", "--port", str(self.port)]
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(command, env=_environment(self.settings, False), stdout=out, stderr=subprocess.STDOUT)
        _await(f"{self.url}/metadata", self._process, self.log)

    def kill(self) -> None:
        """End it with SIGKILL, if it runs."""
        if self._process:
            self.look()
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it as an administrator does."""
        if self._process:
            self.look()
            _end(self._process)
            self._process = None

    def look(self) -> None:
        """Take note of its memory and CPU."""
        with suppress(psutil.NoSuchProcess):
            if self._process:
                process = psutil.Process(self._process.pid)
                self.peak = max(self.peak, process.memory_info().rss / 1e6)
                self._used[self._process.pid] = sum(process.cpu_times()[:2])
                self.cpu = sum(self._used.values())


def run(folder: Path, kills: int, say: Say) -> Report:
    """What an export of all that the folder holds came to. Raises Skipped and Broken."""
    if not folder.exists():
        raise Skipped(f"{folder.name} is not beside the project")
    with TemporaryDirectory(prefix="casebridge-bench-") as home:
        given, name = Settings.from_env(), f"bench_{uuid4().hex}"
        settings = replace(given, home=Path(home), database=name, db=on_database(given.db, name) if given.db else None)
        # The store is this process' child, so that it outlives the server.
        with open_database(settings, notice=lambda _: None) as database:
            say(f"{folder.name} is loaded")
            load(Repository(database, lambda: utc_now() - timedelta(hours=1)), [folder])
            repository, server = Repository(database), Server(settings, Path(home, "serve.log"))
            try:
                server.start()
                # With what a server publishes of itself when it starts.
                kept, began_store = _keys(repository), store_cpu(database.client)
                with _writing(repository, kept) as written:
                    seconds, files = _export(server, kills, say)
                spent = store_cpu(database.client) - began_store
                held, size = _read(server, files)
            finally:
                server.stop()
                if settings.db:
                    database.client.drop_database(name)
    wrong = {
        "resources that were there throughout are missing": sum(key not in held for key in kept),
        "resources are in it more than once": sum(number > 1 for number in held.values()),
    }
    figures = [
        Figure("from the kick-off to the manifest, restarts included", "s", [seconds]),
        Figure("resources a second", "", [len(kept) / seconds]),
        Figure("peak resident memory of the server", "MB", [server.peak], FEW_MEGABYTES),
        Figure("CPU time of the server", "s", [server.cpu]),
        Figure("CPU time of the store, what the writers asked of it in it", "s", [spent]),
        Figure("files, read by a client", "MB", [size / 1e6]),
        Figure("changes by others meanwhile", "", [written["changed"]]),
        Figure("resources made and deleted by others meanwhile", "", [written["made"]]),
    ]
    faults = [f"{number} {what}" for what, number in wrong.items() if number]
    title = f"Endurance: an export while {_WRITERS} write, with {kills} SIGKILL of the server in its midst"
    return Report(title, f"{len(kept)} resources ({folder.name}), read over HTTP", figures, faults)


def _keys(repository: Repository) -> set[Key]:
    found = ((type, repository.collection(type).find({"fhir.deleted": False}, {"_id": 1})) for type in repository.types())
    return {(type, document["_id"]) for type, documents in found for document in documents}


@contextmanager
def _writing(repository: Repository, kept: set[Key]) -> Iterator[Counter[str]]:
    """Others write as long as the context is open: they change what is kept, and make and delete what is not."""
    stopping, done, turn = Event(), Counter[str](), Lock()
    some = random.Random(20251122).sample(sorted(kept), min(_CHANGED, len(kept)))

    def write(number: int) -> None:
        chance, own = random.Random(number), Repository(repository.database)
        while not stopping.wait(0.02):
            type, id = chance.choice(some)
            with turn:
                made = f"{_MADE}{done.total()}"
                done["made"] += 1
            try:
                found = own.find(type, id)
                changed = {**found.raw, "language": chance.choice(("en", "de", "da"))}
                own.commit([Change(type, id, changed, found.version), Change("Basic", made, {"resourceType": "Basic", "code": {}}, 0)])
                own.commit([Change("Basic", made, None, 1)])
            except CasebridgeError:
                # The other writer was first.
                continue
            with turn:
                done["changed"] += 1

    threads = [Thread(target=write, args=(number,), name=f"bench-writer-{number}") for number in range(_WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _export(server: Server, kills: int, say: Say) -> tuple[float, Sequence[str]]:
    """The seconds until the manifest was there, and the addresses of the files. The server is killed each time a part more is written."""
    began = time.monotonic()
    answer = requests.get(f"{server.url}/$export", headers={"Prefer": "respond-async"}, timeout=_PATIENCE)
    if answer.status_code != 202:
        raise Broken(f"$export was answered {answer.status_code}")
    status, killed = answer.headers["Content-Location"], 0
    while time.monotonic() < began + _MOST_SECONDS:
        server.look()
        answer = requests.get(status, timeout=_PATIENCE)
        if answer.status_code == 200:
            if killed < kills:
                raise Broken(f"it was done before the server was killed {kills} times")
            return time.monotonic() - began, [file["url"] for file in answer.json()["output"]]
        if answer.status_code not in (202, 429):
            raise Broken(f"the status of the export was answered {answer.status_code}")
        progress = answer.headers.get("X-Progress", "")
        percent = int(progress.partition(" ")[0]) if progress[:1].isdigit() else 0
        if killed < kills and percent * (kills + 1) >= 100 * (killed + 1):
            say(f"killed at {progress}")
            server.kill()
            killed += 1
            server.start()
        time.sleep(_LOOK)
    raise Broken(f"it was not done within {_MOST_SECONDS} s")


def _read(server: Server, files: Sequence[str]) -> tuple[Counter[Key], int]:
    """How often each resource is in the files, and their bytes."""
    held, size = Counter[Key](), 0
    for url in files:
        answer = requests.get(url, headers={"Accept": NDJSON, "Accept-Encoding": "identity"}, timeout=_PATIENCE)
        if answer.status_code != 200:
            raise Broken(f"a file was answered {answer.status_code}")
        server.look()
        size += len(answer.content)
        held.update((raw["resourceType"], raw["id"]) for raw in map(parse, answer.content.splitlines()))
    return held, size


def main() -> int:
    """0: it held, or was skipped. 1: it did not."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.endurance", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", choices=DATA, default="synthea-a", help="3,923 resources, or about 200,000 (default: synthea-a)")
    parser.add_argument("--kills", type=int, default=1, help="how often the server is killed (default: 1)")
    wanted = parser.parse_args()
    try:
        report = run(DATA[wanted.data], wanted.kills, lambda words: print(f"bench: {words} …", file=sys.stderr, flush=True))
    except Skipped as reason:
        print(f"skipped: {reason}")
        return 0
    except Broken as reason:
        print(f"broken: {reason}")
        return 1
    print(*report.lines(), sep="\n")
    return int(bool(report.faults) or not all(figure.reached for figure in report.figures))


if __name__ == "__main__":
    sys.exit(main())
