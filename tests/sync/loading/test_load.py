"""An import that is stopped in the midst, however that is: asked for again it goes on, and ends like one in one go."""

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter.audit.event import Asker, audit_event
from adapter.errors import Busy
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.store.verify import verify
from adapter.sync import lease
from adapter.sync.loading import load as loading
from adapter.sync.loading import stretches as cutting
from adapter.sync.loading.files import LIMIT, resources
from adapter.sync.loading.imports import Import, name_of
from adapter.sync.loading.load import load
from adapter.sync.loading.seen import seen
from adapter.sync.loading.stretches import MB, stretch_at, stretches
from tests.cli.conftest import ndjson, patient

SYNTHEA = Path(__file__).parents[3] / "fixtures" / "fhir" / "synthea"
KILLS = 6
PATIENCE = 120
KEPT = ("imports", "import_stretches", "import_faults")


@pytest.fixture
def repository(database) -> Repository:
    return Repository(database)


@pytest.fixture
def small_batches(monkeypatch) -> None:
    monkeypatch.setattr(loading, "BATCH", 5)


@pytest.fixture
def cut(monkeypatch) -> None:
    """A file is cut every kilobyte."""
    monkeypatch.setattr(cutting, "_LEAST", 1000)


class Stopped(BaseException):
    """Like Ctrl-C: it is no error that anybody handles."""


def stop_after(count: int) -> Callable[[str, int, int], None]:
    """A progress that stops the import when so many items of a file are told as done."""

    def progress(what: str, done: int, total: int) -> None:
        if what.startswith("import") and done >= count:
            raise Stopped

    return progress


def patients(*numbers: int, **elements: Any) -> list[dict[str, Any]]:
    return [patient(f"p{number:03}", **elements) for number in numbers]


def content(repository: Repository) -> dict[str, tuple[int, Any]]:
    """Version and content of all there is."""
    found = {}
    for type in repository.types():
        for stored in repository.scan(type):
            body = {name: value for name, value in stored.raw.items() if name != "meta"}
            found[stored.reference] = stored.version, body, (stored.raw.get("meta") or {}).get("tag")
    return found


def left(repository: Repository) -> int:
    """How much is remembered of imports."""
    return sum(1 for kind in KEPT for _ in State(repository.database).all(kind))


def a_folder_with_everything(folder: Path) -> Path:
    """Nearly 2,600 resources: packed and plain, lines and a Bundle, with bad ones and repeated ones between them."""
    folder.mkdir()
    for name in ("Patient", "Condition"):
        shutil.copy(SYNTHEA / f"{name}.ndjson.gz", folder)
    (folder / "Observation.ndjson").write_bytes(gzip.decompress((SYNTHEA / "Observation.ndjson.gz").read_bytes()))
    procedures = list(map(json.loads, gzip.decompress((SYNTHEA / "Procedure.ndjson.gz").read_bytes()).splitlines()))
    entries = [{"fullUrl": f"urn:uuid:{raw['id']}", "resource": raw} for raw in procedures]
    entries[100:100] = ["Kanarifugl", {"fullUrl": "urn:x"}]
    (folder / "Procedure.json").write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    rows: list[dict[str, Any] | str] = [*patients(*range(400))]
    rows[150:150] = ["{", patient("bad", gender="Kanarifugl"), *patients(3), *patients(4, gender="male")]
    rows.append("{")
    ndjson(folder / "rows.ndjson", *rows)
    ndjson(folder / "zz.ndjson", *patients(3, gender="male"), *patients(399))
    return folder


@pytest.mark.slow
def test_an_import_killed_again_and_again_ends_like_one_in_one_go(new_database, store_uri, tmp_path):
    """SIGKILL at random moments, each after the import has done something more."""
    folder, chance = a_folder_with_everything(tmp_path / "folder"), random.Random(20251122)
    whole, killed = new_database(), new_database()
    state = State(killed)

    def start(name: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "CASEBRIDGE_DB": store_uri, "CASEBRIDGE_DATABASE": name}
        command = [sys.executable, "-m", "adapter.cli", "import", str(folder), "--json"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def done() -> int:
        return sum(kept["done"] for _, kept in state.all("import_stretches"))

    in_the_midst = 0
    for _ in range(KILLS):
        before, process = done(), start(killed.name)
        while process.poll() is None and done() == before:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.2))
        process.kill()
        process.communicate()
        in_the_midst += process.returncode < 0 and done() > before
    assert in_the_midst > KILLS // 2
    reports = []
    for database in (killed, whole):
        process = start(database.name)
        out, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1, said
        assert "Traceback" not in said
        assert ("Going on with the import of" in said) == (database is killed)
        reports.append(json.loads(out))
    assert reports[0] == reports[1]
    assert len(reports[0]["bad"]) == 7
    assert content(Repository(killed)) == content(Repository(whole))
    assert [finding for finding in verify(Repository(killed)) if not finding.note] == []
    assert left(Repository(killed)) == 0


def test_a_stopped_import_goes_on_and_reports_all_of_it(repository, tmp_path, small_batches):
    rows = [*patients(*range(4)), "{", *patients(*range(4, 20)), "{"]
    path = ndjson(tmp_path / "a.ndjson", *rows)
    with pytest.raises(Stopped):
        load(repository, [path], progress=stop_after(10))
    there = len(content(repository))
    assert 10 <= there < 20
    said: list[str] = []
    counts: list[int] = []
    report = load(repository, [path], say=said.append, progress=lambda what, done, total: counts.append(done))
    assert (report.created, report.unchanged, [bad.place.line for bad in report.bad]) == ({"Patient": 20}, {}, [5, 22])
    assert len(said) == 1
    assert "--again" in said[0]
    assert min(count for count in counts if count > 1) > 10
    assert left(repository) == 0


def test_an_import_that_is_asked_for_again_after_its_end_starts_anew(repository, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", *patients(1, 2))
    load(repository, [path])
    said: list[str] = []
    assert load(repository, [path], say=said.append).unchanged == {"Patient": 2}
    assert said == []


def test_again_starts_a_stopped_import_anew(repository, tmp_path, small_batches):
    path = ndjson(tmp_path / "a.ndjson", *patients(*range(20)))
    with pytest.raises(Stopped):
        load(repository, [path], progress=stop_after(10))
    there = len(content(repository))
    report = load(repository, [path], again=True)
    assert (report.unchanged["Patient"], report.created["Patient"]) == (there, 20 - there)
    assert left(repository) == 0


def test_a_file_that_changed_since_starts_anew_and_the_others_go_on(repository, tmp_path, small_batches):
    first = ndjson(tmp_path / "a.ndjson", "{", *patients(*range(10)))
    second = ndjson(tmp_path / "b.ndjson", *patients(*range(10, 30)))
    with pytest.raises(Stopped):
        load(repository, [tmp_path], progress=lambda what, done, total: stop_after(10)(what, done, total) if "b.nd" in what else None)
    there = len(content(repository)) - 10
    ndjson(first, *patients(*range(10)), *patients(50))
    said: list[str] = []
    report = load(repository, [tmp_path], say=said.append)
    assert f"{first} is not the file that it was" in said[0]
    assert report.bad == []
    assert report.unchanged == {"Patient": 10}
    assert report.created == {"Patient": 1 + 20}
    assert 0 < there < 20
    assert second.exists()


def test_an_import_of_a_large_file_that_was_stopped_goes_on_in_its_stretch_and_tells_all_of_the_file(
    repository, tmp_path, small_batches, cut
):
    path = ndjson(tmp_path / "a.ndjson", *patients(*range(17)), "{", *patients(*range(17, 40)), "{")
    assert len(stretches(path)) == 9
    with pytest.raises(Stopped):
        load(repository, [path], progress=stop_after(20))
    assert 20 <= len(content(repository)) < 40
    told: list[tuple[str, int, int]] = []
    report = load(repository, [path], progress=lambda *what: told.append(what))
    assert (report.created, report.unchanged, [bad.place.line for bad in report.bad]) == ({"Patient": 40}, {}, [18, 42])
    assert told[-1] == ("import a.ndjson", 42, 42)
    assert left(repository) == 0


def test_of_a_large_file_that_changed_since_what_is_the_same_goes_on(repository, tmp_path, small_batches, cut):
    path = ndjson(tmp_path / "a.ndjson", *patients(0, language="nb"), *patients(*range(1, 40)))
    with pytest.raises(Stopped):
        load(repository, [path], progress=stop_after(20))
    there = len(content(repository))
    ndjson(path, *patients(0, language="nn"), *patients(*range(1, 40)))
    anew = stretches(path)[0].lines
    said: list[str] = []
    report = load(repository, [path], say=said.append)
    assert [f"{path} is not the file that it was" in line for line in said] == [True, False]
    assert 1 < anew < there
    assert (report.updated, report.unchanged, report.bad) == ({"Patient": 1}, {"Patient": anew - 1}, [])
    assert report.created == {"Patient": 40 - anew}
    assert repository.read("Patient", "p000").raw["language"] == "nn"


def test_what_came_before_the_stop_counts_as_come(repository, tmp_path, small_batches):
    rows = [*patients(*range(10)), *patients(0), *patients(1, gender="male"), *patients(*range(10, 20))]
    with pytest.raises(Stopped):
        load(repository, [ndjson(tmp_path / "a.ndjson", *rows)], progress=stop_after(5))
    report = load(repository, [tmp_path / "a.ndjson"])
    assert [(bad.place.line, "came before" in bad.reason) for bad in report.bad] == [(12, True)]
    assert (report.created, report.unchanged) == ({"Patient": 20}, {"Patient": 1})


def test_an_entry_of_the_account_that_would_be_changed_is_told_and_keeps_nothing_else_out(repository, tmp_path):
    event = {**audit_event("read", Asker("north"), "2026-03-02T09:00:00Z"), "id": "e"}
    load(repository, [ndjson(tmp_path / "a.ndjson", event)])
    report = load(repository, [ndjson(tmp_path / "b.ndjson", *patients(1, 2), {**event, "outcome": "8"}, *patients(3))])
    assert [(bad.place.line, "neither changed nor deleted" in bad.reason) for bad in report.bad] == [(3, True)]
    assert report.created == {"Patient": 3}
    assert repository.read("AuditEvent", "e").raw["outcome"] == "0"


def test_nothing_is_written_after_a_batch_that_could_not_be(repository, tmp_path, small_batches, monkeypatch):
    real, calls = Repository.commit, []

    def commit(self, changes, **options):
        calls.append(len(changes))
        if len(calls) == 3:
            raise RuntimeError("the store is away")
        return real(self, changes, **options)

    monkeypatch.setattr(Repository, "commit", commit)
    path = ndjson(tmp_path / "a.ndjson", *patients(*range(40)))
    with pytest.raises(RuntimeError):
        load(repository, [path])
    assert calls == [5, 5, 5]
    assert len(content(repository)) == 10
    assert load(repository, [path]).created == {"Patient": 40}


def test_who_was_overtaken_writes_nothing_and_counts_nothing(repository, tmp_path, small_batches):
    """A process stands still after its first batch; another does all the rest; the first wakes up."""
    state, path = State(repository.database), ndjson(tmp_path / "a.ndjson", *patients(*range(20)))

    def overtake(what: str, done: int, total: int) -> None:
        if what.startswith("import"):
            ((_, kept),) = state.all("imports")
            for _ in loading._load(Repository(repository.database), Import.kept(state, kept["run"]), LIMIT, lambda: None):
                pass

    with pytest.raises(Busy, match="Another process goes on with this import"):
        load(repository, [path], progress=overtake)
    report = load(repository, [path])
    assert (report.created, report.unchanged) == ({"Patient": 20}, {})
    assert {stored.version for stored in repository.scan("Patient")} == {1}


def test_the_same_import_is_not_run_twice_at_a_time(repository, tmp_path):
    path = ndjson(tmp_path / "a.ndjson", *patients(1))
    with (
        lease.hold(State(repository.database), name_of([path])),
        pytest.raises(Busy, match=r"Another import of these files is running; try again when it has ended\."),
    ):
        load(repository, [path])
    assert repository.types() == []


def test_progress_says_how_much_of_which_file_is_done(repository, tmp_path, small_batches):
    ndjson(tmp_path / "a.ndjson", *patients(*range(12)))
    ndjson(tmp_path / "b.ndjson", *patients(*range(20, 23)))
    told: list[tuple[str, int, int]] = []
    load(repository, [tmp_path], progress=lambda *what: told.append(what))
    assert [each for each in told if each[0].startswith("import")] == [
        ("import a.ndjson (1 of 2 files)", 5, 12),
        ("import a.ndjson (1 of 2 files)", 10, 12),
        ("import b.ndjson (2 of 2 files)", 3, 3),
    ]


def test_a_batch_holds_no_more_text_than_it_may(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "TRANSACTION_BYTES", 10_000)
    sizes = []
    real = Repository.commit
    monkeypatch.setattr(Repository, "commit", lambda self, changes, **more: (sizes.append(len(changes)), real(self, changes, **more))[1])
    load(repository, [ndjson(tmp_path / "a.ndjson", *patients(*range(8), address=[{"text": "Kanarifugl" * 600}]))])
    assert sizes == [2, 2, 2, 2]


@pytest.mark.parametrize(("name", "text", "lines"), [("a.ndjson", b"{}\n{}\n{}", 3), ("a.ndjson", b"{}\n", 1), ("a.json", b"{}\n", 0)])
def test_a_stretch_counts_lines_and_tells_files_apart(tmp_path, name, text, lines):
    path = tmp_path / name
    path.write_bytes(text)
    first = stretch_at(path)
    assert first
    assert (first.size, first.lines) == (len(text), lines)
    path.write_bytes(text.replace(b"{}", b"[]", 1))
    assert stretch_at(path) != first


def test_a_packed_file_is_counted_as_far_as_it_can_be_read(tmp_path):
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 50)[:-8])
    found = stretch_at(path)
    assert found
    assert found.lines in (0, 50)


def test_a_bundle_is_read_an_entry_at_a_time(tmp_path):
    path = tmp_path / "a.json"
    entry = {"resource": patient("x", address=[{"line": ["Kanarifugl"] * 8} for _ in range(20)])}
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": [entry] * 6000}))
    size = path.stat().st_size
    assert size > 10 * MB
    tracemalloc.start()
    count = sum(1 for item in resources(path) if item.raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 6000
    assert peak < 3 * size


def test_what_was_seen_is_known_again_by_type_id_and_content():
    with seen() as before:
        assert before.first(patient("a")) is None
        assert before.first({**patient("a"), "resourceType": "Person"}) is None
        assert before.first(patient("a")) is True
        assert before.first(patient("a", gender="male")) is False
