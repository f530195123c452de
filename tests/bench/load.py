"""How long an import of NDJSON takes, against a bare `insert_many` of the very documents that it leaves in the store."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import psutil

from adapter.fhir.resource import parse, resource_type
from adapter.store.repository import Repository
from adapter.sync.loading.load import BATCH, load
from tests.bench import data
from tests.bench.figures import Figure, Report
from tests.bench.sides import Store, store, store_cpu

GOAL = 3.0
_MEGABYTE = 1_000_000
_LOOK = 0.02
Documents = dict[str, list[dict[str, Any]]]


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """Each round: an import into an empty database, and its documents inserted into another; one round before is not counted."""
    name, texts = data.small()
    loads, bares, cpus, peaks, faults = [], [], [], [], []
    with TemporaryDirectory(prefix="casebridge-bench-") as folder, store() as client:
        _write(Path(folder), texts)
        for turn in range(rounds + 1):
            say(f"load: round {turn} of {rounds}" if turn else "load: a round to warm up")
            ours = Repository(client[f"bench_{uuid4().hex}"])
            began, busy = time.perf_counter(), _cpu(client)
            with _resident() as sizes:
                report = load(ours, [Path(folder)])
            took, worked = time.perf_counter() - began, _cpu(client) - busy
            documents = {type: list(ours.collection(type).find({})) for type in ours.types()}
            bare, least = _bare(client, documents)
            if report.created.total() != len(texts) or report.bad:
                faults.append(f"round {turn}: {report.created.total()} of {len(texts)} resources were loaded, {len(report.bad)} were bad")
            if turn:
                loads.append(took)
                bares.append(bare)
                cpus.append(worked / least)
                peaks.append(max(sizes) / _MEGABYTE)
    figures = [
        Figure("import, ratio to the bare insert_many", "times", [load / bare for load, bare in zip(loads, bares, strict=True)], GOAL),
        Figure("the same by the CPU time of both processes (ours alone where the store is not ours)", "times", cpus),
        Figure("import, resources a second", "", [len(texts) / each for each in loads]),
        Figure("import, peak resident memory of our process, the bench's own data in it", "MB", peaks),
        Figure("bare insert_many, documents a second", "", [len(texts) / each for each in bares]),
    ]
    what = f"{len(texts)} resources ({name}), in transactions of {BATCH}"
    return [Report("Load: NDJSON files into an empty database", what, figures, faults)]


@contextmanager
def _resident() -> Iterator[list[int]]:
    """The resident memory of this process from now on, in bytes, looked at every few milliseconds until the context is left."""
    process, left = psutil.Process(), Event()
    sizes = [process.memory_info().rss]

    def look() -> None:
        while not left.wait(_LOOK):
            sizes.append(process.memory_info().rss)

    looking = Thread(target=look, name="bench-memory", daemon=True)
    looking.start()
    try:
        yield sizes
    finally:
        left.set()
        looking.join()


def _write(folder: Path, texts: Sequence[bytes]) -> None:
    by_type: dict[str, list[bytes]] = defaultdict(list)
    for text in texts:
        by_type[resource_type(parse(text))].append(text)
    for type, several in by_type.items():
        (folder / f"{type}.ndjson").write_bytes(b"\n".join(several) + b"\n")


def _bare(client: Store, documents: Documents) -> tuple[float, float]:
    """The seconds, and those of CPU, that it takes to insert them, as many at a time, into collections with the same indexes."""
    empty = Repository(client[f"bench_{uuid4().hex}"])
    batches = [(empty.collection(type), batch) for type, several in documents.items() for batch in _batches(several)]
    began, busy = time.perf_counter(), _cpu(client)
    for collection, batch in batches:
        collection.insert_many(batch)
    return time.perf_counter() - began, _cpu(client) - busy


def _cpu(client: Store) -> float:
    """CPU seconds so far of this process and of the store."""
    return time.process_time() + store_cpu(client)


def _batches(documents: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    return (documents[start : start + BATCH] for start in range(0, len(documents), BATCH))
