"""A backup: what a database holds at one moment, in a file that is there once it is whole."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from pymongo.database import Database

from adapter import log
from adapter.backup.archive import Manifest, Writer
from adapter.backup.carried import is_carried
from adapter.clock import Clock, instant, utc_now
from adapter.errors import Busy, Conflict
from adapter.store.documents import Document
from adapter.store.state import State
from adapter.store.whole import as_of_one_moment, collections, indexes

Progress = Callable[[str, int, int], None]
_MINE = 0o600


def back_up(
    database: Database[Document], path: Path, key: bytes | None = None, *, clock: Clock = utc_now, progress: Progress = lambda *_: None
) -> Manifest:
    """Write what the database holds now into a new file, encrypted where there is a key, while others go on writing.

    Memory holds a few documents at a time. The file has another name until it is whole, and is its owner's alone. Raises Conflict where
    there is a file of that name, Busy where another process writes it, StoreUnavailable, and OSError.
    """
    with _new(path) as file:
        manifest = _written(database, Writer(file, key), clock, progress)
    log.event("backup.written", documents=manifest.count, collections=len(manifest.collections), encrypted=key is not None)
    return manifest


@contextmanager
def _new(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when the context ends well, and is gone when it does not."""
    _refuse_another(path)
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, _MINE), "wb") as file:
        # Only its owner may, so nobody can have put one there for us to fill.
        os.fchmod(file.fileno(), _MINE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"Another process writes {path}.") from None
        # Whoever had the lock may have given it its name, or let a third one begin anew.
        if not _is(part, file):
            _refuse_another(path)
            raise Busy(f"Another process writes {path}.")
        try:
            # Whoever had a file of this name before may have given it the whole one's meanwhile.
            _refuse_another(path)
            # What a process that was killed has left.
            file.truncate()
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.rename(path)
        except BaseException:
            part.unlink()
            raise
    # The name is to last as long as the content.
    folder = os.open(path.absolute().parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _is(path: Path, file: BinaryIO) -> bool:
    """Whether a name is that of this file."""
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _refuse_another(path: Path) -> None:
    if path.exists():
        raise Conflict(f"{path} is there already: a backup is never written over another.")


def _written(database: Database[Document], writer: Writer, clock: Clock, progress: Progress) -> Manifest:
    moment = instant(State(database).now())
    with as_of_one_moment(database, clock) as now:
        for name in filter(is_carried, collections(database)):
            writer.begin(name, indexes(database, name))
            about = database[name].estimated_document_count()
            for done in writer.add(name, now.documents(name)):
                progress(f"back up {name}", done, about)
        return writer.end(id=uuid4().hex, moment=moment, database=database.name, made_by=version("casebridge"))
