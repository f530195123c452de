"""A restore is all or nothing in effect, goes on after a stop, and keeps everybody out of what is half there."""

from pathlib import Path
from typing import Any

import flask
import pytest

from adapter.backup.copy import back_up
from adapter.backup.restore import contents, restore
from adapter.errors import Busy, Conflict, Invalid, StoreUnavailable
from adapter.store import restoring, whole
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.store.verify import verify
from server import probes
from server.metrics import Metrics
from tests.backup.conftest import KEY, PATIENT, basic, through


class Stopped(Exception):
    pass


def stop_after(batches: int) -> Any:
    """Progress that ends the restore when so many batches were written in this turn."""
    left = [batches]

    def progress(what: str, done: int, total: int) -> None:
        left[0] -= what == "restore"
        if not left[0]:
            raise Stopped

    return progress


def ready(database: Any) -> str:
    """What a server over the database says of itself at /ready."""
    app = flask.Flask("ready")
    app.testing = True
    probes.install(app, Repository(database), Metrics())
    try:
        return str(app.test_client().get("/ready").json["status"])
    except StoreUnavailable:
        return "being restored"


def stopped(database: Any, file: Path, batches: int = 1) -> None:
    with file.open("rb") as opened, pytest.raises(Stopped):
        restore(database, opened, progress=stop_after(batches))


def test_nothing_is_written_from_a_file_that_was_changed_or_cut(filled: Repository, file: Path, new_database: Any) -> None:
    target = new_database()
    back_up(filled.database, file, KEY)
    content = file.read_bytes()
    for damaged in (content[:-1], content[: len(content) // 2], content[:-9] + b"x" + content[-8:], content + b"x"):
        file.write_bytes(damaged)
        with file.open("rb") as opened, pytest.raises(Invalid):
            restore(target, opened, KEY)
    file.write_bytes(content)
    with file.open("rb") as opened, pytest.raises(Invalid, match="not the backup's key"):
        restore(target, opened, bytes(32))
    assert target.list_collection_names() == []


def test_a_database_that_holds_something_is_left_as_it_is_unless_it_is_to_be_replaced(
    filled: Repository, file: Path, new_database: Any
) -> None:
    other = Repository(new_database())
    other.commit([Change("Patient", "other", PATIENT, 0), Change("Device", "d", {"resourceType": "Device"}, 0)])
    other.commit([Change("Patient", "other", {**PATIENT, "gender": "male"}, 1)])
    back_up(filled.database, file)
    before = contents(other.database)
    with file.open("rb") as opened, pytest.raises(Conflict, match="is not empty"):
        restore(other.database, opened)
    assert contents(other.database) == before
    other.commit([Change("Patient", "another", PATIENT, 0)])
    with file.open("rb") as opened:
        restore(other.database, opened, over=True)
    assert contents(other.database) == contents(filled.database)
    assert [finding for finding in verify(Repository(other.database)) if not finding.note] == []


def test_one_that_was_killed_before_it_was_certain_that_nothing_is_there_takes_nothing_away(filled: Repository, file: Path) -> None:
    made, before = back_up(filled.database, file), contents(filled.database)
    State(filled.database).put("state", restoring.MARK, {"backup": made.id, "done": None, "over": False})
    with file.open("rb") as opened, pytest.raises(Conflict, match="is not empty"):
        restore(filled.database, opened)
    assert contents(filled.database) == before
    restoring.refuse_half_restored(filled.database)


def test_one_that_was_stopped_keeps_everybody_out_and_goes_on_behind_its_last_batch(
    many: Repository, file: Path, new_database: Any
) -> None:
    target, seen = new_database(), []
    back_up(many.database, file)
    stopped(target, file, 2)
    with pytest.raises(StoreUnavailable, match="being restored"):
        restoring.refuse_half_restored(target)
    with pytest.raises(StoreUnavailable, match="being restored"):
        Repository(target).commit([Change("Patient", "new", PATIENT, 0)])
    assert ready(target) == "being restored"
    with file.open("rb") as opened:
        restore(target, opened, progress=lambda what, done, _: seen.append((what, done)))
    assert not [what for what, _ in seen if what.startswith("clear")]
    assert min(done for what, done in seen if what == "restore") > 500
    assert contents(target) == contents(many.database)
    assert ready(target) == "ready"
    Repository(target).commit([Change("Patient", "new", PATIENT, 0)])


def test_one_that_was_stopped_begins_anew_with_another_backup(many: Repository, file: Path, tmp_path: Path, new_database: Any) -> None:
    target = new_database()
    back_up(many.database, file)
    stopped(target, file)
    many.commit([Change("Basic", "b0", None, 1)])
    through(many.database, tmp_path / "b.backup", target)
    assert contents(target) == contents(many.database)


def test_one_that_is_stopped_while_it_clears_begins_that_again(many: Repository, file: Path, new_database: Any) -> None:
    target = Repository(new_database())
    target.commit([Change("Basic", f"x{number}", basic("x"), 0) for number in range(250)])
    back_up(many.database, file)

    def stop(what: str, done: int, total: int) -> None:
        if what == "clear Basic" and done == 100:
            raise Stopped

    with file.open("rb") as opened, pytest.raises(Stopped):
        restore(target.database, opened, over=True, progress=stop)
    assert 0 < len([*target.database["Basic"].find({}, {"_id": 1})]) < 250
    with file.open("rb") as opened:
        restore(target.database, opened)
    assert contents(target.database) == contents(many.database)


def test_one_that_was_stopped_while_it_cleared_takes_nothing_from_what_another_has_restored_since(
    many: Repository, file: Path, new_database: Any
) -> None:
    target = Repository(new_database())
    target.commit([Change("Basic", f"b{number}", basic("x"), 0) for number in range(250)])
    back_up(many.database, file)

    def take_over(what: str, done: int, total: int) -> None:
        """As for a process that was stopped until its lease had run out."""
        if what == "clear Basic" and done == 100:
            state = State(target.database)
            [(work, held)] = state.all("leases")
            assert state.swap("leases", work, {"token": held["token"]}, {**held, "until": state.now()})
            with file.open("rb") as again:
                restore(target.database, again)

    with file.open("rb") as opened, pytest.raises(Busy):
        restore(target.database, opened, over=True, progress=take_over)
    assert contents(target.database) == contents(many.database)
    restoring.refuse_half_restored(target.database)


@pytest.mark.parametrize("id", ["south", "north"], ids=["what is in no backup", "what is still to be written"])
def test_what_writes_past_the_mark_is_found_and_the_restore_begins_anew(filled: Repository, file: Path, new_database: Any, id: str) -> None:
    target = new_database()
    back_up(filled.database, file)

    def write(what: str, done: int, total: int) -> None:
        if what == "restore":
            State(target).put("clients", id, {"role": "auditor"})

    with file.open("rb") as opened, pytest.raises(StoreUnavailable, match=r"Something else wrote .* \(clients\)"):
        restore(target, opened, progress=write)
    with pytest.raises(StoreUnavailable, match="being restored"):
        restoring.refuse_half_restored(target)
    with file.open("rb") as opened:
        restore(target, opened)
    assert contents(target) == contents(filled.database)


def test_a_backup_of_what_was_restored_holds_the_same(filled: Repository, file: Path, tmp_path: Path, new_database: Any) -> None:
    first, second = new_database(), new_database()
    made = through(filled.database, file, first)
    again = through(first, tmp_path / "b.backup", second)
    assert again.collections == made.collections
    assert whole.collections(second) == whole.collections(first)
