"""A backup is of one moment, whatever is written meanwhile, and costs no more memory the more there is."""

import fcntl
import stat
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pymongo
import pytest

from adapter.backup.archive import checked
from adapter.backup.carried import LEFT_OUT
from adapter.backup.copy import back_up
from adapter.backup.restore import contents, restore
from adapter.errors import Busy, Conflict
from adapter.store import remote_keys, whole
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.state import KINDS, State
from adapter.store.verify import verify
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.backup.conftest import KEY, PATIENT, basic, through


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_what_is_restored_is_what_was_there(filled: Repository, file: Path, new_database: Any, key: bytes | None) -> None:
    target = new_database()
    made = through(filled.database, file, target, key)
    restored = Repository(target)
    carried = {name for name in filled.database.list_collection_names() if name not in LEFT_OUT}
    assert made.collections.keys() == {name for name in carried if whole.holds_any(filled.database, name)}
    assert made.collections == contents(filled.database) == contents(target)
    for name in carried:
        assert whole.indexes(target, name) == whole.indexes(filled.database, name)
        assert sorted(map(str, restored.database[name].find())) == sorted(map(str, filled.database[name].find()))
    assert [finding for finding in verify(restored) if not finding.note] == []
    assert [stored.version for stored in restored.versions("Patient", "a")] == [2, 1]
    assert remote_keys.owed(target, "hospital") == remote_keys.owed(filled.database, "hospital") != []
    assert restored.linked("hospital|Patient/17").reference == "Patient/a"


def test_who_is_logged_in_is_not_in_a_backup(filled: Repository, file: Path, new_database: Any) -> None:
    target = new_database()
    State(target).put("tokens", "1" * 64, {"client": "south"})
    through(filled.database, file, target)
    assert State(target).get("clients", "north") == {"role": "insurer-reader"}
    assert not [name for name in LEFT_OUT if whole.holds_any(target, name)]


def test_all_that_is_left_out_is_a_collection_that_there_is() -> None:
    assert set(LEFT_OUT) <= set(KINDS)


def test_a_backup_is_the_owners_alone_and_overwrites_nothing(filled: Repository, file: Path) -> None:
    back_up(filled.database, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    with pytest.raises(Conflict, match="never written over another"):
        back_up(filled.database, file)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_one_that_fails_leaves_no_file(filled: Repository, file: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        back_up(filled.database, file, progress=stop)
    assert [*file.parent.iterdir()] == []


def test_what_another_has_put_where_it_is_to_be_written_is_not_filled(filled: Repository, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("x")
    (part := file.with_name("a.backup.part")).symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        back_up(filled.database, file)
    assert other.read_text() == "x"
    part.unlink()
    part.write_text("left by one that was killed, open to others")
    part.chmod(0o666)
    back_up(filled.database, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not part.exists()


def test_one_whose_file_was_given_up_before_it_had_the_lock_leaves_what_another_began_since(
    filled: Repository, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = file.with_name("a.backup.part")
    lock = fcntl.flock

    def begin_anew(opened: Any, how: int) -> None:
        part.unlink()
        part.write_text("what a third one writes")
        lock(opened, how)

    monkeypatch.setattr(fcntl, "flock", begin_anew)
    with pytest.raises(Busy, match="Another process writes"):
        back_up(filled.database, file)
    assert part.read_text() == "what a third one writes"
    monkeypatch.setattr(fcntl, "flock", lambda opened, how: (part.unlink(), lock(opened, how)))
    with pytest.raises(Busy, match="Another process writes"):
        back_up(filled.database, file)
    assert [*file.parent.iterdir()] == []


def test_one_that_another_was_faster_with_leaves_that_and_nothing_of_its_own(
    filled: Repository, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lambda opened, how: (file.write_text("what another wrote"), lock(opened, how)))
    with pytest.raises(Conflict, match="never written over another"):
        back_up(filled.database, file)
    assert [(each.name, each.read_text()) for each in file.parent.iterdir()] == [(file.name, "what another wrote")]


class Writers:
    """Threads that change two resources at a time, and make a third that refers to one of them."""

    def __init__(self, repository: Repository) -> None:
        self._repository, self._stop = repository, threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(3)]
        self.committed = 0

    def wait_for(self, count: int) -> None:
        """Until so many were committed."""
        while self.committed < count and any(thread.is_alive() for thread in self._threads):
            time.sleep(0.002)

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, thread: int) -> None:
        pair = [("Patient", f"p{thread}", PATIENT), ("Organization", f"o{thread}", {"resourceType": "Organization", "name": "North"})]
        for turn in range(10_000):
            if self._stop.is_set():
                return
            stamp = [{"system": "urn:example:turn", "value": str(turn)}]
            changes = [Change(type, id, {**raw, "identifier": stamp}, turn) for type, id, raw in pair]
            about = {**basic("note"), "subject": {"reference": f"Patient/p{thread}"}, "identifier": stamp}
            self._repository.commit([*changes, Change("Basic", f"n{thread}-{turn}", about, 0)])
            self.committed += 1


@pytest.mark.parametrize("few", [0, 1000], ids=["by windows of time", "by one question"])
def test_a_backup_is_of_one_moment_while_others_write(
    database: Any, file: Path, new_database: Any, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(whole, "_FEW", few)
    Bridge(database).remotes.add(Remote("hospital", "http://127.0.0.1:9/fhir"))
    repository, target = Repository(database), new_database()
    with Writers(repository) as writers:
        writers.wait_for(20)
        # Something is committed between any two collections that are read.
        back_up(database, file, progress=lambda *_: writers.wait_for(writers.committed + 2))
        last = writers.committed
    with file.open("rb") as opened:
        restore(target, opened)
    restored = Repository(target)
    assert list(verify(restored)) == []
    versions = []
    for thread in range(3):
        patient, organization = restored.read("Patient", f"p{thread}"), restored.read("Organization", f"o{thread}")
        assert (patient.version, patient.raw["identifier"]) == (organization.version, organization.raw["identifier"])
        notes = [stored for stored in restored.scan("Basic") if stored.id.startswith(f"n{thread}-")]
        assert {stored.id for stored in notes} == {f"n{thread}-{turn}" for turn in range(patient.version)}
        versions.append(patient.version)
    assert 20 <= sum(versions) < last


def test_memory_does_not_grow_with_what_there_is(database: Any, file: Path, tmp_path: Path) -> None:
    repository = Repository(database)

    def peak(path: Path) -> int:
        tracemalloc.start()
        try:
            back_up(database, path)
            with path.open("rb") as opened:
                checked(opened, None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def add(count: int) -> None:
        documents = [{"_id": f"x{number}", "text": "Kanarifugl " * 200} for number in range(count)]
        for start in range(0, count, 500):
            database["certificates"].insert_many(documents[start : start + 500])

    repository.commit([Change("Patient", "a", PATIENT, 0)])
    add(8)
    little = peak(file)
    database["certificates"].delete_many({})
    add(8000)
    assert peak(tmp_path / "b.backup") < little + 8_000_000, "of 18 MB"


def test_the_way_for_mongodb_reads_all_too(filled: Repository, file: Path, new_database: Any, store_uri: str) -> None:
    """Run against the embedded store, which answers it without keeping the moment: what MongoDB does is not proven here."""
    with pymongo.MongoClient(store_uri.replace("retryWrites=false", ""), tz_aware=True, w="majority", journal=True) as client:
        source, target = client[filled.database.name], client[new_database().name]
        made = through(source, file, target)
    assert made.collections == contents(filled.database)
