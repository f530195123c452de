"""At which version each resource was seen first while something is decided, so that only what was decided on is written over.

A decision looks at many records, by many functions, and what it writes is prepared from records that are read once more. A change that
another made in between, such as a pull, would be written over unseen. It is kept by thread, since a decision hands on the store alone.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from adapter.errors import VersionConflict
from adapter.store.documents import Change

NOTHING = 0
"""The version of what is not there."""
_FIRST: ContextVar[dict[tuple[str, str], int] | None] = ContextVar("first", default=None)


@contextmanager
def noted() -> Iterator[None]:
    """While the context is open, what this thread reads from the store is noted; one within another begins anew."""
    outer = _FIRST.set({})
    try:
        yield
    finally:
        _FIRST.reset(outer)


def note(type: str, id: str, version: int) -> None:
    """Keep that a resource was seen at this version, where it is the first time."""
    if (first := _FIRST.get()) is not None:
        first.setdefault((type, id), version)


def check(changes: Iterable[Change]) -> None:
    """Raise VersionConflict where a change is of another version than the one that was seen first."""
    first = _FIRST.get() or {}
    if any(first.get((change.type, change.id), change.expect) != change.expect for change in changes):
        raise VersionConflict("Another writer changed something while it was decided what to do with it.")


def forget() -> None:
    """Begin anew: what was decided is written."""
    if (first := _FIRST.get()) is not None:
        first.clear()
