"""Killed with SIGKILL again and again in the midst of an export, while others write: what was there throughout is in it, once."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from adapter.clock import utc_now
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.exporting import files
from adapter.sync.exporting.asked import SYSTEM, Asked
from adapter.sync.exporting.exports import Export, Exports
from tests.server.claims import MINIMAL

KILLS = 5
EACH = 6
PATIENCE = 120


@pytest.fixture
def environment(database: Any, store_uri: str, tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "CASEBRIDGE_DB": store_uri, "CASEBRIDGE_DATABASE": database.name, "CASEBRIDGE_EXPORTS": str(tmp_path)}


@contextmanager
def writing(repository: Repository, kept: list[tuple[str, str]]) -> Iterator[Counter[str]]:
    """Others write as long as the context is open: what is kept is changed, more is made, and what was made is deleted again."""
    stopping, done, chance = Event(), Counter[str](), random.Random(20251122)

    def write() -> None:
        while not stopping.wait(0.005):
            type, id = chance.choice(kept)
            found = repository.find(type, id)
            number = done.total()
            changed = {**MINIMAL[type], "id": id, "implicitRules": f"https://x.example/{number}"}
            made = {**MINIMAL["Basic"], "id": f"made-{number}"}
            repository.commit([Change(type, id, changed, found.version), Change("Basic", made["id"], made, 0)])
            done["changed"] += 1
            if number % 2:
                repository.commit([Change("Basic", made["id"], None, 1)])
                done["deleted"] += 1

    thread = Thread(target=write, name="others")
    thread.start()
    try:
        yield done
    finally:
        stopping.set()
        thread.join()


def kill(exports: Exports, export: Export, environment: dict[str, str], more: int, chance: random.Random) -> Export:
    """The export as it was left by a process that was killed a little after it had done so much more."""
    process = subprocess.Popen([sys.executable, "-m", "tests.sync.exporting.writer"], env=environment)
    try:
        end = time.monotonic() + PATIENCE
        while (now := exports.find(export.id)).done < export.done + more and not now.finished:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05))
    finally:
        process.kill()
        process.wait()
    return exports.find(export.id)


def test_an_export_that_is_killed_while_others_write_holds_what_was_there_throughout_once(
    database: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    repository, chance = Repository(database), random.Random(20251122)
    # Made five minutes ago, so that an export tells them in order of change, and those that change meanwhile behind that.
    before = Repository(database, lambda: utc_now() - timedelta(minutes=5))
    kept = [(type, f"kept-{number}") for type in sorted(MINIMAL) for number in range(EACH)]
    for start in range(0, len(kept), 100):
        before.commit([Change(type, id, {**MINIMAL[type], "id": id}, 0) for type, id in kept[start : start + 100]])
    exports = Exports(repository)
    export = exports.begin(Asked(SYSTEM, "https://x.example/fhir/$export"))
    left = []
    # The account of accesses is not changed by anybody.
    with writing(repository, [each for each in kept if each[0] != "AuditEvent"]) as others:
        for _ in range(KILLS):
            export = kill(exports, export, environment, chance.randint(10, len(kept) // KILLS), chance)
            left.append((export.turn, export.done, export.finished))
        export = kill(exports, export, environment, 10 * len(kept), chance)
    assert export.finished
    assert len({turn for turn, _, _ in left}) > KILLS // 2, "each process takes it up anew"
    assert sum(0 < done < export.done for _, done, _ in left) > KILLS // 2, left
    assert min(others["changed"], others["deleted"]) > KILLS
    found = [json.loads(line) for made in export.files for line in files.lines(tmp_path / database.name, export, made)]
    assert sum(made.count for made in export.files) == len(found)
    held = Counter((raw["resourceType"], raw["id"]) for raw in found)
    assert {key: held[key] for key in kept} == dict.fromkeys(kept, 1)
    assert set(held.values()) == {1}
    assert {type for type, _ in held.keys() - {*kept}} <= {"Basic"}


def test_what_a_killed_process_wrote_behind_its_last_place_is_not_told(database: Any, tmp_path: Path) -> None:
    exports = Exports(Repository(database))
    export = exports.take_up(exports.begin(Asked(SYSTEM, "https://x.example/fhir/$export")).id)
    with files.Written(tmp_path, export) as written:
        written.add("output", "Basic", ["whole"])
        [made] = written.whole(())
        written.add("output", "Basic", ["half"])
    assert (tmp_path / export.id / made.name).read_bytes() == b"whole\nhalf\n"
    assert [*files.lines(tmp_path, export, made)] == ["whole"]
