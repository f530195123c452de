"""What goes in one request of a push: which of several can go first, and how one that was refused is divided."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from adapter.errors import CasebridgeError, RemoteConflict
from adapter.sync.plan import Entry, targets
from adapter.sync.pushing.order import groups, in_phases

# How far ahead a free client looks for a request that waits for no other.
_LOOK_AHEAD = 32


@dataclass
class Halved:
    """A Bundle that was refused whole: where both halves are taken, its size was the fault."""

    size: int
    left: int = 2


@dataclass(frozen=True, eq=False)
class Work:
    """What goes in one request."""

    entries: tuple[Entry, ...]
    way: str = "single"
    """transaction, batch or single"""
    attempt: int = 1
    half_of: Halved | None = None

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(entry.reference for entry in self.entries)

    @cached_property
    def touches(self) -> frozenset[str]:
        """The resources that it is about, and those that these refer to."""
        return self.names.union(*(entry.refers_to if entry.target else targets(entry.theirs or {}) for entry in self.entries))

    def disturbs(self, other: "Work") -> bool:
        """Whether the two must keep their order."""
        return not (self.names.isdisjoint(other.touches) and self.touches.isdisjoint(other.names))


def one_by_one(circle: list[Entry]) -> list[Entry]:
    """A circle in two phases; an entry that is in none as it is."""
    return in_phases(circle) if len(circle) > 1 else circle


def ready(waiting: Iterable[Work], running: Iterable[Work]) -> Work | None:
    """The first that waits for no other."""
    ahead = [*running]
    for work in islice(waiting, _LOOK_AHEAD):
        if not any(map(work.disturbs, ahead)):
            return work
        ahead.append(work)
    return None


def divided(work: Work, error: CasebridgeError) -> list[Work]:
    """A refused Bundle in two halves, no circle cut; a circle by itself in two phases."""
    if work.entries[0].action == "delete":
        return [Work((entry,)) for entry in work.entries]
    parts = [[entry] for entry in work.entries] if work.way == "batch" else list(groups(list(work.entries)))
    if len(parts) == 1:
        return [Work((entry,)) for entry in in_phases(parts[0])]
    first: list[Entry] = []
    while parts and len(first) < len(work.entries) // 2:
        first += parts.pop(0)
    halves = [half for half in (first, [entry for part in parts for entry in part]) if half]
    # One that was changed there meanwhile says nothing of the Bundle's size.
    halved = None if isinstance(error, RemoteConflict) else Halved(max(map(len, halves)), len(halves))
    return [Work(tuple(half), work.way if len(half) > 1 else "single", half_of=halved) for half in halves]
