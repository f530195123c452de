"""Whether workers help: one NDJSON file, imported by this process, by one worker, and by two that share it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psutil

from adapter.config import Settings
from adapter.fhir.resource import Raw, dumps, parse
from adapter.store.repository import Repository
from adapter.sync.loading.load import load
from adapter.sync.workers.jobs import Elsewhere
from adapter.sync.workers.tasks import workers
from tests.bench import data
from tests.bench.figures import Figure, Report, Skipped
from tests.bench.sides import Store, cpu, store, store_cpu
from tests.live.redis_server import redis_server

CROWDS = (0, 1, 2)
"""How many workers; without any, this process does it."""


@dataclass
class _Side:
    """So many workers on a database of their own, and the seconds that each round took: by the clock, of our CPU, of the store's."""

    ours: Repository
    elsewhere: Elsewhere | None = None
    crowd: Sequence[psutil.Process] = ()
    seconds: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    stored: list[float] = field(default_factory=list)


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """Each round: the same file by each crowd, each time under other ids; one round before is not counted."""
    name, texts = data.small()
    resources, faults = [parse(text) for text in texts], list[str]()
    with _redis() as url, store() as client, ExitStack() as stack:
        sides = {count: stack.enter_context(_side(client, url, count)) for count in CROWDS}
        for turn in range(rounds + 1):
            for count, side in sides.items():
                say(f"{count} workers: round {turn} of {rounds}" if turn else f"{count} workers: a round to warm up")
                _load(side, client, resources, f"{turn}-{count}", faults)
    here, one, two = (replace(side, seconds=side.seconds[1:], worked=side.worked[1:], stored=side.stored[1:]) for side in sides.values())
    cores, number = os.cpu_count() or 1, len(texts)
    least = [max(stored, (stored + worked) / cores) for stored, worked in zip(two.stored, two.worked, strict=True)]
    figures = [
        Figure("two workers ÷ one worker", "times", _over(two.seconds, one.seconds)),
        Figure(f"two workers ÷ the least that the store and {cores} cores allow", "times", _over(two.seconds, least)),
        Figure("one process", "s", here.seconds),
        Figure("one worker", "s", one.seconds),
        Figure("two workers", "s", two.seconds),
        *(
            Figure(f"{name}, CPU a resource, {whose}", "ms", [1000 * each / number for each in spent])
            for name, side in (("one process", here), ("one worker", one), ("two workers", two))
            for whose, spent in (("ours", side.worked), ("the store's", side.stored))
        ),
    ]
    return [Report("Workers: one file of NDJSON, divided", f"{number} resources ({name})", figures, faults)]


def _over(these: Sequence[float], those: Sequence[float]) -> list[float]:
    return [this / that for this, that in zip(these, those, strict=True)]


@contextmanager
def _redis() -> Iterator[str]:
    try:
        with redis_server() as url:
            yield url
    except LookupError as reason:
        raise Skipped(str(reason)) from None


@contextmanager
def _side(client: Store, url: str, count: int) -> Iterator[_Side]:
    """So many worker processes on an empty database; none: no queue either."""
    ours = Repository(client[f"bench_{uuid4().hex}"])
    if not count:
        yield _Side(ours)
        return
    host, port = client.address or ("", 0)
    uri = os.environ.get("CASEBRIDGE_DB") or f"mongodb://{host}:{port}/?retryWrites=false"
    environment = {**os.environ, "CASEBRIDGE_DB": uri, "CASEBRIDGE_DATABASE": ours.database.name, "CASEBRIDGE_WORKERS": url}
    command = [sys.executable, "-m", "adapter.cli", "worker"]
    started = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        for process in started:
            if process.stderr is None or "Working" not in process.stderr.readline():
                raise Skipped("a worker does not start")
        elsewhere = workers(replace(Settings.from_env(), workers=url), ours, lambda _: None)
        yield _Side(ours, elsewhere, [psutil.Process(each.pid) for each in started])
    finally:
        for process in started:
            process.terminate()
            process.communicate()


def _load(side: _Side, client: Store, resources: Sequence[Raw], prefix: str, faults: list[str]) -> None:
    with TemporaryDirectory(prefix="casebridge-bench-") as folder:
        path = Path(folder) / "all.ndjson"
        texts = (dumps({**raw, "id": f"{prefix}-{raw['id']}"}) for raw in resources)
        path.write_text("".join(f"{text}\n" for text in texts))
        began, worked, stored = time.perf_counter(), _worked(side), store_cpu(client)
        report = load(side.ours, [path], workers=side.elsewhere)
        side.seconds.append(time.perf_counter() - began)
        side.worked.append(_worked(side) - worked)
        side.stored.append(store_cpu(client) - stored)
    if report.created.total() != len(resources) or report.bad:
        faults.append(f"{prefix}: {report.created.total()} of {len(resources)} resources were loaded")


def _worked(side: _Side) -> float:
    return time.process_time() + sum(map(cpu, side.crowd))
