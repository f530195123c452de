"""Whether workers help: the same import by this process, and by two workers."""

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from adapter.config import Settings
from adapter.fhir.resource import Raw, dumps, parse
from adapter.store.repository import Repository
from adapter.sync.loading.load import load
from adapter.sync.workers.jobs import Elsewhere
from adapter.sync.workers.tasks import workers
from tests.bench import data
from tests.bench.figures import Figure, Report, Skipped
from tests.bench.sides import Store, store
from tests.live.redis_server import redis_server

CROWD = 2


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """Each round: the same files twice, each time under other ids; one round before is not counted."""
    name, texts = data.small()
    resources, faults = [parse(text) for text in texts], list[str]()
    alone, shared = list[float](), list[float]()
    with _redis() as url, store() as client:
        ours = Repository(client[f"bench_{uuid4().hex}"])
        elsewhere = workers(replace(Settings.from_env(), workers=url), ours, lambda _: None)
        with _crowd(ours, client, url):
            for turn in range(rounds + 1):
                say(f"workers: round {turn} of {rounds}" if turn else "workers: a round to warm up")
                alone.append(_load(ours, resources, f"{turn}-alone", None, faults))
                shared.append(_load(ours, resources, f"{turn}-shared", elsewhere, faults))
    figures = [
        Figure(f"import by {CROWD} workers ÷ by one process", "times", [b / a for a, b in zip(alone[1:], shared[1:], strict=True)]),
        Figure("import by one process", "s", alone[1:]),
        Figure(f"import by {CROWD} workers", "s", shared[1:]),
    ]
    return [Report("Workers: the same import divided", f"{len(texts)} resources ({name})", figures, faults)]


@contextmanager
def _redis() -> Iterator[str]:
    try:
        with redis_server() as url:
            yield url
    except LookupError as reason:
        raise Skipped(str(reason)) from None


@contextmanager
def _crowd(ours: Repository, client: Store, url: str) -> Iterator[None]:
    """Worker processes on this database."""
    host, port = client.address or ("", 0)
    uri = os.environ.get("CASEBRIDGE_DB") or f"mongodb://{host}:{port}/?retryWrites=false"
    environment = {**os.environ, "CASEBRIDGE_DB": uri, "CASEBRIDGE_DATABASE": ours.database.name, "CASEBRIDGE_WORKERS": url}
    command = [sys.executable, "-m", "adapter.cli", "worker"]
    started = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(CROWD)]
    try:
        for process in started:
            if process.stderr is None or "Working" not in process.stderr.readline():
                raise Skipped("a worker does not start")
        yield
    finally:
        for process in started:
            process.terminate()
            process.communicate()


def _load(ours: Repository, resources: Sequence[Raw], prefix: str, elsewhere: Elsewhere | None, faults: list[str]) -> float:
    """The seconds it takes."""
    by_type: dict[str, list[str]] = defaultdict(list)
    for raw in resources:
        by_type[raw["resourceType"]].append(dumps({**raw, "id": f"{prefix}-{raw['id']}"}))
    with TemporaryDirectory(prefix="casebridge-bench-") as folder:
        for type, several in by_type.items():
            (Path(folder) / f"{type}.ndjson").write_text("\n".join(several) + "\n")
        began = time.perf_counter()
        report = load(ours, [Path(folder)], workers=elsewhere)
        seconds = time.perf_counter() - began
    if report.created.total() != len(resources) or report.bad:
        faults.append(f"{prefix}: {report.created.total()} of {len(resources)} resources were loaded")
    return seconds
