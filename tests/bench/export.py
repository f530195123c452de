"""How long an export takes, against a bare `find` of the same types whose texts are written to one file each."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from adapter.clock import utc_now
from adapter.store.repository import Repository
from adapter.sync.exporting.asked import SYSTEM, Asked
from adapter.sync.exporting.exports import Exports
from adapter.sync.exporting.turns import task
from adapter.sync.loading.load import load
from adapter.sync.workers import jobs
from tests.bench import data, floor
from tests.bench.figures import Figure, Report
from tests.bench.load import _cpu, _resident, _write
from tests.bench.sides import Store, store

_MEGABYTE = 1_000_000


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """The same database exported once a round, and once read barely; one round before is not counted."""
    name, texts = data.small()
    took, bares, cpus, peaks, faults = [], [], [], [], []
    with TemporaryDirectory(prefix="casebridge-bench-") as folder, store() as client:
        (source := Path(folder) / "source").mkdir()
        _write(source, texts)
        # Loaded an hour ago, as an export finds it: what is dated less than a minute before one is read by id.
        database = client[f"bench_{uuid4().hex}"]
        load(Repository(database, lambda: utc_now() - timedelta(hours=1)), [source])
        for turn in range(rounds + 1):
            say(f"export: round {turn} of {rounds}" if turn else "export: a round to warm up")
            seconds, cpu, peak, count = _exported(client, Repository(database), Path(folder) / str(turn))
            bare, least = _bare(client, Repository(database), Path(folder) / f"bare-{turn}")
            if count != len(texts):
                faults.append(f"round {turn}: {count} of {len(texts)} resources were exported")
            if turn:
                took.append(seconds)
                bares.append(bare)
                cpus.append(cpu / least)
                peaks.append(peak / _MEGABYTE)
    figures = [
        Figure("export, ratio to the bare find and write", "times", [ours / bare for ours, bare in zip(took, bares, strict=True)]),
        Figure("the same by the CPU time of both processes (ours alone where the store is not ours)", "times", cpus),
        Figure("export, resources a second", "", [len(texts) / each for each in took]),
        Figure("export, peak resident memory of our process, the bench's own data in it", "MB", peaks),
        Figure("bare find and write, resources a second", "", [len(texts) / each for each in bares]),
    ]
    return [Report("Export: a whole database into NDJSON files", f"{len(texts)} resources ({name})", figures, faults)]


def _exported(client: Store, repository: Repository, root: Path) -> tuple[float, float, float, int]:
    """The seconds of an export, those of CPU, the most memory, and how many resources it holds."""
    exports = Exports(repository)
    export = exports.begin(Asked(SYSTEM, "http://bench/fhir/$export"))
    began, busy = time.perf_counter(), _cpu(client)
    with _resident() as sizes:
        jobs.perform(task(root), repository, export.job)
    took, worked = time.perf_counter() - began, _cpu(client) - busy
    done = exports.find(export.id)
    exports.end(export)
    return took, worked, max(sizes), sum(made.count for made in done.files if done.finished)


def _bare(client: Store, repository: Repository, root: Path) -> tuple[float, float]:
    """The seconds, and those of CPU, in which the texts of all types come out of the store and to the disk."""
    busy = _cpu(client)
    seconds = floor.to_disk(repository, root)
    return seconds, _cpu(client) - busy
