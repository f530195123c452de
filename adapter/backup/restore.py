"""A database from a backup. Until all of it is there, and is what the backup holds, the database bears a mark and nobody works with it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import BinaryIO

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from adapter import log
from adapter.backup.archive import Batch, Begun, Content, Manifest, Tally, checked, read
from adapter.backup.carried import is_carried
from adapter.backup.copy import Progress
from adapter.errors import Busy, Conflict, StoreUnavailable
from adapter.store import whole
from adapter.store.documents import Document
from adapter.store.restoring import MARK
from adapter.store.state import State
from adapter.sync import lease

_STATE, _LEASES = "state", "leases"
_WORK = "restore of this database"
_STEP = 500


@dataclass(frozen=True)
class _Mark:
    """How far a restore is."""

    backup: str
    """The id of the backup."""
    done: int | None = None
    """How many batches are written; None until the database is clear."""
    over: bool = False
    """Whether all that is there may go: it was said, or is half of a restore."""


@dataclass
class _Restore:
    """One process' turn at it."""

    database: Database[Document]
    state: State
    session: ClientSession
    mark: _Mark

    def move(self, done: int | None) -> None:
        """Say how far it is. Raises Busy where another process has taken over."""
        self.mark = self._moved(done)

    def _moved(self, done: int | None, session: ClientSession | None = None) -> _Mark:
        moved = replace(self.mark, done=done, over=True)
        if not self.state.swap(_STATE, MARK, asdict(self.mark), asdict(moved), session):
            raise Busy("Another process restores this database.")
        return moved

    def put(self, batch: Batch, number: int) -> None:
        """Write a batch, in one transaction with how far it is."""

        def write(session: ClientSession) -> _Mark:
            moved = self._moved(number, session)
            whole.put(self.database, batch.name, batch.documents, session)
            return moved

        self.mark = self.session.with_transaction(write)


def restore(
    database: Database[Document],
    file: BinaryIO,
    key: bytes | None = None,
    *,
    over: bool = False,
    progress: Progress = lambda *_: None,
) -> Manifest:
    """Put what a backup holds into the database, its indexes too; with `over` in place of what is there.

    The whole file is checked first. Who was killed in the midst goes on behind the last batch when the same backup is restored again; with
    another one it begins anew. Raises Invalid for the file, Conflict where the database is not empty, Busy where another process restores
    it, StoreUnavailable where something else writes into it meanwhile: then the mark stays, and the next restore begins anew.
    """
    manifest = checked(file, key)
    state = State(database)
    with lease.hold(state, _WORK, work=_WORK) as held:
        turn = _Restore(database, state, held.session, _marked(database, state, manifest.id, over))
        if turn.mark.done is None:
            _clear(database, held.check, progress)
            turn.move(0)
        if wrong := _put(turn, file, key, manifest, progress) or _differing(database, manifest, progress):
            turn.move(None)
            raise StoreUnavailable(
                f"Something else wrote into the database while it was restored ({', '.join(wrong)}). End all servers and workers, and give "
                "the same command again: it begins anew."
            )
        state.drop(_STATE, MARK, asdict(turn.mark))
    log.event("backup.restored", documents=manifest.count, collections=len(manifest.collections))
    return manifest


def _marked(database: Database[Document], state: State, backup: str, over: bool) -> _Mark:
    """The mark, which the database bears from now on. Raises Conflict where what is there is not to go; then it bears none."""
    held = state.get(_STATE, MARK)
    before = _Mark(**held) if held else None
    if before and before.backup == backup and before.done is not None:
        return before
    mark = _Mark(backup, over=over or (before is not None and before.over))
    try:
        if not mark.over:
            _refuse_what_is_there(database)
        state.put(_STATE, MARK, asdict(mark))
        if not mark.over:
            # Only now, when nobody else begins to write, it is certain.
            _refuse_what_is_there(database)
    except Conflict:
        state.drop(_STATE, MARK)
        raise
    return mark


def _refuse_what_is_there(database: Database[Document]) -> None:
    if any(is_carried(name) and whole.holds_any(database, name) for name in whole.collections(database)):
        raise Conflict(f"The database {database.name} is not empty. --replace puts the backup in place of all that is in it.")


def _clear(database: Database[Document], check: Callable[[], None], progress: Progress) -> None:
    """Take all out of the database, what a backup does not carry too; but for the lease on this work.

    Raises Busy where another process has taken over, as it may while this one is stopped: what is there by then is what that one wrote.
    """
    for name in whole.collections(database):
        if name != _LEASES:
            for done in whole.clear(database, name, check):
                progress(f"clear {name}", done, 0)


def _put(turn: _Restore, file: BinaryIO, key: bytes | None, manifest: Manifest, progress: Progress) -> list[str]:
    """Write the batches that are not written yet; the collection in which there is something that another has put there, if any."""
    written, number, count = turn.mark.done or 0, 0, 0
    for each in read(file, key):
        if isinstance(each, Begun):
            whole.index(turn.database, each.name, each.indexes)
        elif isinstance(each, Batch):
            number, count = number + 1, count + len(each.documents)
            if number > written:
                try:
                    turn.put(each, number)
                except BulkWriteError:
                    return [each.name]
                progress("restore", count, manifest.count)
    return []


def _differing(database: Database[Document], manifest: Manifest, progress: Progress) -> list[str]:
    """The collections that do not hold what they do in the backup, and nothing else."""
    found = contents(database, progress)
    return sorted(name for name in found | manifest.collections if found.get(name) != manifest.collections.get(name))


def contents(database: Database[Document], progress: Progress = lambda *_: None) -> dict[str, Content]:
    """What the database holds now of what a backup carries, by collection."""
    tally, count = Tally(), 0
    with whole.as_of_one_moment(database) as now:
        for name in filter(is_carried, whole.collections(database)):
            for document in now.documents(name):
                tally.add(name, document)
                count += 1
                if not count % _STEP:
                    progress("compare", count, 0)
    return tally.contents()
