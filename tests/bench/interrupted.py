"""`python -m tests.bench.interrupted`: all of a large folder imported in one go, and again with SIGKILLs in its midst.

Both have to report the same and leave the same in the store, and neither may take more memory than FEW_MEGABYTES.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any
from uuid import uuid4

import psutil

from adapter.config import Settings
from adapter.fhir.resource import dumps
from adapter.store.connect import open_database
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.store.verify import verify
from tests.bench.endurance import DATA, FEW_MEGABYTES
from tests.bench.figures import Broken, Figure, Report, Skipped
from tests.bench.servers import _environment, on_database

_LOOK, _MOST_SECONDS = 0.05, 3600
# 1: something in the files is bad, and is left out.
_ENDED = (0, 1)
_DIGEST = 1 << 256
Say = Callable[[str], None]


class Import:
    """`casebridge import` of a folder into a database of its own. `peak`: the most memory that any of its processes had, in MB."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder, self.peak, self.seconds = settings, folder, 0.0, 0.0

    def until(self, enough: Callable[[], bool]) -> dict[str, Any] | None:
        """Its report, or None where it was killed since that was enough. Raises Broken."""
        command = [sys.executable, "-m", "adapter.cli", "import", str(self.folder), "--json"]
        began = time.monotonic()
        with TemporaryFile() as said, TemporaryFile() as out:
            process = subprocess.Popen(command, env=_environment(self.settings, False), stdout=out, stderr=said)
            try:
                while process.poll() is None:
                    with suppress(psutil.NoSuchProcess):
                        self.peak = max(self.peak, psutil.Process(process.pid).memory_info().rss / 1e6)
                    if enough():
                        return None
                    if time.monotonic() > began + _MOST_SECONDS:
                        raise Broken(f"it was not done within {_MOST_SECONDS} s")
                    time.sleep(_LOOK)
            finally:
                process.kill()
                process.wait()
                self.seconds += time.monotonic() - began
            if process.returncode not in _ENDED:
                said.seek(0)
                raise Broken(f"it ended with {process.returncode}: {said.read().decode(errors='replace')[-500:]}")
            out.seek(0)
            report: dict[str, Any] = json.loads(out.read())
            return report


def run(folder: Path, kills: int, say: Say) -> Report:
    """What both came to. Raises Skipped and Broken."""
    if not folder.exists():
        raise Skipped(f"{folder.name} is not beside the project")
    with TemporaryDirectory(prefix="casebridge-bench-") as home:
        whole, killed = (_settings(Path(home)) for _ in range(2))
        # The store is this process' child, so that it outlives what is killed.
        with open_database(whole, notice=lambda _: None) as database:
            other = database.client[killed.database]
            try:
                say(f"{folder.name} is imported in one go")
                straight, stopped = Import(whole, folder), Import(killed, folder)
                report = straight.until(lambda: False)
                first, kept = _content(Repository(database))
                reports = [report, _killed(stopped, State(other), kept, kills, say)]
                second, again = _content(Repository(other))
                found = [finding for finding in verify(Repository(other)) if not finding.note]
            finally:
                if whole.db:
                    for name in (whole.database, killed.database):
                        database.client.drop_database(name)
    wrong = {
        "the reports differ": reports[0] != reports[1],
        "the stores differ": (first, kept) != (second, again),
        f"verify finds {len(found)} faults": bool(found),
    }
    figures = [
        Figure("in one go", "s", [straight.seconds]),
        Figure("resources a second, in one go", "", [kept / straight.seconds]),
        Figure("killed and gone on with, starts included", "s", [stopped.seconds]),
        Figure("peak resident memory, in one go", "MB", [straight.peak], FEW_MEGABYTES),
        Figure("peak resident memory, killed and gone on with", "MB", [stopped.peak], FEW_MEGABYTES),
    ]
    title = f"Interrupted: an import with {kills} SIGKILLs in its midst, against one in one go"
    return Report(title, f"{kept} resources ({folder.name})", figures, [what for what, so in wrong.items() if so])


def _killed(stopped: Import, state: State, kept: int, kills: int, say: Say) -> dict[str, Any] | None:
    def done() -> int:
        return sum(stretch["done"] for _, stretch in state.all("import_stretches"))

    def at(share: float) -> Callable[[], bool]:
        return lambda: done() >= kept * share

    for number in range(kills):
        if stopped.until(at((number + 1) / (kills + 1))) is not None:
            raise Broken(f"it was done before it was killed {kills} times")
        say(f"killed at {done()} of {kept}")
    return stopped.until(lambda: False)


def _settings(home: Path) -> Settings:
    given, name = Settings.from_env(), f"bench_{uuid4().hex}"
    return replace(given, home=home, database=name, db=on_database(given.db, name) if given.db else None)


def _content(repository: Repository) -> tuple[int, int]:
    """A digest of all there is, whatever its order, without the times of writing; and how many resources that is."""
    digest, count = 0, 0
    for type in repository.types():
        for stored in repository.scan(type):
            meta = {name: value for name, value in (stored.raw.get("meta") or {}).items() if name != "lastUpdated"}
            text = f"{stored.reference} {stored.version} {dumps({**stored.raw, 'meta': meta})}"
            digest = (digest + int.from_bytes(hashlib.sha256(text.encode()).digest())) % _DIGEST
            count += 1
    return digest, count


def main() -> int:
    """0: it held, or was skipped. 1: it did not."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.interrupted", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", choices=DATA, default="synthea-a", help="3,923 resources, or about 200,000 (default: synthea-a)")
    parser.add_argument("--kills", type=int, default=4, help="how often the import is killed (default: 4)")
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
