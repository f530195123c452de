"""What ours will be after a pull that is only planned: by it the push that follows is planned as a sync would do it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from adapter.clock import Clock
from adapter.store.documents import Change, Stored
from adapter.store.versions import made_by
from adapter.sync.plan import Entry


@dataclass
class Foresight:
    """Remembers of a planned pull what a push of the same remote has to know."""

    remote: str
    change: Callable[[Entry], Change | None]
    """The write that an entry of the pull asks for; see `Receiver.change`."""
    is_open: Callable[[str], bool]
    """Whether a conflict about our Type/id is open now."""
    clock: Clock
    after: dict[str, Stored] = field(default_factory=dict)
    """Ours as they will be, by Type/id, of those that are owed, or were."""
    contested: set[str] = field(default_factory=set)

    def note(self, entries: Iterable[Entry]) -> None:
        """Take in what a pull would do."""
        for entry in entries:
            if entry.action == "conflict":
                self.contested.add(entry.reference)
            elif entry.stored and (change := self.change(entry)):
                made = made_by(change, entry.stored, self.clock(), [])
                if self.remote in (*entry.stored.outbox, *made.outbox):
                    self.after[entry.reference] = made

    def in_conflict(self, reference: str) -> bool:
        """Whether a person will have to decide about it before anything is sent."""
        return reference in self.contested or (reference not in self.after and self.is_open(reference))

    def owed(self, now: Iterable[Stored]) -> list[Stored]:
        """What will be owed, given what is owed now."""
        rest = [stored for stored in now if stored.reference not in self.after]
        return rest + [stored for stored in self.after.values() if self.remote in stored.outbox]
