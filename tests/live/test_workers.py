"""Imports and syncs shared by worker processes, with a real Redis server of the tests' own; one of them is killed in the midst."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.store.verify import verify
from adapter.sync.bridge import Bridge
from adapter.sync.loading.stretches import stretches
from adapter.sync.remotes.remote import Remote
from adapter.sync.workers import jobs
from tests.live.redis_server import redis_server
from tests.sync.hospital import hospital_server
from tests.sync.loading.test_load import a_folder_with_everything, content

PATIENCE = 120
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A Redis server of our own; skipped with a word where there is none to start."""
    try:
        with redis_server() as url:
            yield url
    except LookupError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def start(database: Any, store_uri: str, redis_url: str) -> Iterator[Start]:
    """Start `casebridge …` as a process of its own, with workers set; what still runs at the end is killed."""
    environment = {**os.environ, "CASEBRIDGE_DB": store_uri, "CASEBRIDGE_DATABASE": database.name, "CASEBRIDGE_WORKERS": redis_url}
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "adapter.cli", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env={**environment, "CASEBRIDGE_LOG": "INFO", **more}, text=True, **pipes))  # type: ignore[call-overload]
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(held: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not held():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def holders(repository: Repository) -> dict[str, int]:
    """Who is at which job, by process."""
    return {each["id"]: each["pid"] for each in jobs.listed(repository) if each["status"] == "running"}


def done(repository: Repository) -> int:
    return sum(kept["done"] for _, kept in State(repository.database).all("import_stretches"))


def said(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    assert "kanarifugl" not in err.casefold()
    return process.returncode, out, err


def test_a_worker_killed_in_the_midst_is_replaced_and_all_is_imported_once(database, new_database, start, tmp_path):
    """Nobody waits for Redis, which would keep a lost message for an hour: the coordinator sees that the holder of the job is dead."""
    folder, repository = a_folder_with_everything(tmp_path / "folder"), Repository(database)
    crowd = [start("worker") for _ in range(2)]
    for worker in crowd:
        assert worker.stderr
        assert worker.stderr.readline() == "Working. Ctrl-C stops it.\n"
    coordinator = start("import", str(folder), "--json")
    until(lambda: set(holders(repository).values()) == {worker.pid for worker in crowd} and done(repository) > 200)
    killed = next(worker for worker in crowd if worker.pid in holders(repository).values())
    killed.kill()
    before = done(repository)
    code, out, err = said(coordinator)
    assert code == 1, err
    assert before < 2500
    other = new_database()
    alone = start("import", str(folder), "--json", CASEBRIDGE_WORKERS="", CASEBRIDGE_DATABASE=other.name)
    alone_code, alone_out, _ = said(alone)
    assert alone_code == 1
    ours, theirs = json.loads(out), json.loads(alone_out)
    assert ours == theirs
    assert content(repository) == content(Repository(other))
    assert [finding for finding in verify(repository) if not finding.note] == []
    assert jobs.listed(repository) == []


def test_a_large_file_is_shared_by_workers_of_whom_one_is_killed(database, start, tmp_path):
    raws = ({"resourceType": "Patient", "id": f"p{n}", "name": [{"family": "Kanarifugl", "text": "x" * 3000}]} for n in range(1500))
    path, repository = tmp_path / "all.ndjson", Repository(database)
    path.write_text("".join(f"{json.dumps(raw)}\n" for raw in raws))
    assert len(stretches(path)) == 5
    crowd = [start("worker") for _ in range(2)]
    for worker in crowd:
        assert worker.stderr
        assert worker.stderr.readline() == "Working. Ctrl-C stops it.\n"
    coordinator = start("import", str(path), "--json")
    until(lambda: set(holders(repository).values()) == {worker.pid for worker in crowd} and done(repository) > 200)
    crowd[0].kill()
    before = done(repository)
    code, out, err = said(coordinator)
    assert (code, json.loads(out)) == (0, {"created": {"Patient": 1500}, "updated": {}, "unchanged": {}, "bad": []}), err
    assert before < 1500
    assert {stored.version for stored in repository.scan("Patient")} == {1}
    assert jobs.listed(repository) == []


def test_a_worker_that_is_stopped_gives_its_job_back_and_ends(database, start, tmp_path):
    folder, repository = a_folder_with_everything(tmp_path / "folder"), Repository(database)
    first = start("worker")
    coordinator = start("import", str(folder), "--json")
    until(lambda: done(repository) > 200)
    first.terminate()
    assert first.wait(PATIENCE) == 0
    stopped_at = done(repository)
    assert stopped_at < 2500
    start("worker")
    code, out, err = said(coordinator)
    assert code == 1, err
    assert sum(json.loads(out)["created"].values()) > 2400
    assert jobs.listed(repository) == []


def test_an_index_is_written_anew_by_workers_and_a_queue_that_is_away_is_said(repository_with_some, start):
    start("worker")
    code, out, _ = said(start("reindex"))
    assert (code, out) == (0, "The search index of 1 types is written anew.\n")
    code, _, err = said(start("reindex", CASEBRIDGE_WORKERS="redis://127.0.0.1:9/0"))
    assert code == 6
    assert "The queue at CASEBRIDGE_WORKERS does not answer" in err


@pytest.fixture
def repository_with_some(database: Any) -> Repository:
    repository = Repository(database)
    raw = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}
    repository.commit([Change("Patient", f"p{number}", raw, 0) for number in range(20)])
    return repository


@pytest.fixture
def ward(database: Any, new_database: Callable[[], Any]) -> Iterator[tuple[Repository, Bridge]]:
    """A hospital with its repository, and a casebridge that knows it."""
    theirs = new_database()
    with hospital_server(theirs) as url:
        bridge = Bridge(database)
        bridge.remotes.add(Remote("hospital", url, bundle_size=10, page_size=50))
        yield Repository(theirs), bridge


def crowded(repository: Repository) -> dict[str, int]:
    """Patients, and much about them; every resource carries a mark of its own. How many there are of each type."""
    made = {"Patient": 60, "Observation": 900, "Condition": 600, "Procedure": 300}
    for type, number in made.items():
        changes = []
        for n in range(number):
            raw: dict[str, Any] = {"resourceType": type, "identifier": [{"system": "urn:example:mark", "value": f"{type}-{n}"}]}
            if type == "Patient":
                raw["name"] = [{"family": "Kanarifugl"}]
            else:
                raw |= {"subject": {"reference": f"Patient/Patient-{n % 60}"}, "code": {"text": "Kanarifugl"}}
                raw |= {} if type == "Condition" else {"status": "final" if type == "Observation" else "completed"}
            changes.append(Change(type, f"{type}-{n}", raw, 0))
        for start in range(0, number, 100):
            repository.commit(changes[start : start + 100])
    return made


def marks(repository: Repository) -> Counter[str]:
    """How often each mark is there, on what is not deleted."""
    there = (stored for type in repository.types() for stored in repository.scan(type) if not stored.deleted)
    return Counter(each["value"] for stored in there for each in stored.raw["identifier"] if each["system"] == "urn:example:mark")


def two_workers_of_which_one_is_killed(start: Start, bridge: Bridge, task: str, filled: Repository) -> subprocess.Popen[str]:
    """A sync that two workers share; who asked for it. One of the two is killed when both are at work and some have come where they go."""
    crowd = [start("worker") for _ in range(2)]
    for worker in crowd:
        assert worker.stderr
        assert worker.stderr.readline() == "Working. Ctrl-C stops it.\n"
    coordinator = start("sync", "hospital", "--json")
    until(lambda: set(holders(bridge.repository).values()) == {worker.pid for worker in crowd} and len(marks(filled)) > 300)
    assert {each["task"] for each in jobs.listed(bridge.repository)} == {task}
    crowd[0].kill()
    assert crowd[0].wait(PATIENCE) == -signal.SIGKILL
    return coordinator


def test_a_worker_killed_in_the_midst_of_a_pull_is_replaced_and_all_is_here_once(ward, start):
    hospital, bridge = ward
    made = crowded(hospital)
    code, out, err = said(two_workers_of_which_one_is_killed(start, bridge, "pull", bridge.repository))
    assert code == 0, err
    certificate = json.loads(out)
    assert certificate["clean"]
    assert {type: row["fetched"] for type, row in certificate["pull"].items() if row["fetched"]} == made
    assert marks(bridge.repository) == marks(hospital)
    assert set(marks(bridge.repository).values()) == {1}
    assert [finding for finding in verify(bridge.repository) if not finding.note] == []
    assert jobs.listed(bridge.repository) == []
    again = bridge.sync("hospital", say=lambda _: None)
    assert again.clean
    assert (again.pulled.written, again.pushed.written) == (0, 0)


def test_a_worker_killed_in_the_midst_of_a_push_is_replaced_and_all_is_there_once(ward, start):
    hospital, bridge = ward
    made = crowded(bridge.repository)
    code, out, err = said(two_workers_of_which_one_is_killed(start, bridge, "push", hospital))
    assert code == 0, err
    certificate = json.loads(out)
    assert certificate["clean"]
    assert certificate["push"] == {type: {"create": number} for type, number in made.items()}
    assert marks(hospital) == marks(bridge.repository)
    assert set(marks(hospital).values()) == {1}
    for repository in (bridge.repository, hospital):
        assert [finding for finding in verify(repository) if not finding.note] == []
    again = bridge.sync("hospital", say=lambda _: None)
    assert again.clean
    assert (again.pulled.written, again.pushed.written) == (0, 0)


def test_a_sync_killed_while_workers_share_it_is_ended_by_the_next(ward, start):
    hospital, bridge = ward
    made = crowded(hospital)
    for _ in range(2):
        start("worker")
    coordinator = start("sync", "hospital", "--json")
    until(lambda: len(holders(bridge.repository)) == 2 and len(marks(bridge.repository)) > 300)
    coordinator.kill()
    assert coordinator.wait(PATIENCE) == -signal.SIGKILL
    code, out, err = said(start("sync", "hospital", "--json"))
    assert code == 0, err
    assert json.loads(out)["clean"]
    assert marks(bridge.repository) == marks(hospital)
    assert sum(marks(bridge.repository).values()) == sum(made.values())
    assert [finding for finding in verify(bridge.repository) if not finding.note] == []
