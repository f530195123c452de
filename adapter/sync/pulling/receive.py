"""Carries out a pull's plan here: a page in one transaction, with its conflicts; what cannot be kept is set aside."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pymongo.client_session import ClientSession

from adapter.clock import Clock
from adapter.errors import Busy, CasebridgeError, RemoteError, VersionConflict
from adapter.fhir.resource import Raw, content, dumps, same
from adapter.store.documents import CURRENT, TRANSACTION_BYTES, Change, Link, Stored
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.conflicts.inbox import Conflicts
from adapter.sync.edge import Edge
from adapter.sync.people.arrivals import Arrivals
from adapter.sync.plan import Entry
from adapter.sync.pulling.pull import Puller
from adapter.sync.remotes.remote import Remote

# How often a page is planned again because somebody wrote here between plan and commit.
_ATTEMPTS = 6
# What leaves nothing for a person to decide, where they had to before.
_AGREED = ("update", "merge", "link", "delete")


@dataclass(frozen=True)
class Receiver:
    """Applies what one remote has."""

    repository: Repository
    state: State
    conflicts: Conflicts
    remote: Remote
    edge: Edge
    puller: Puller
    arrivals: Arrivals
    clock: Clock

    def resources(self, type: str, raws: list[Raw]) -> list[Entry]:
        """Plan and apply these resources; the entries say what became of each."""
        return [entry for some in _in_transactions(raws) for entry in self._resources(type, some)]

    def _resources(self, type: str, raws: list[Raw]) -> list[Entry]:
        try:
            return self._attempt(lambda: self.puller.plan(type, raws))
        except (VersionConflict, RemoteError, Busy):
            raise
        except CasebridgeError as error:
            if len(raws) > 1:
                half = len(raws) // 2
                return self._resources(type, raws[:half]) + self._resources(type, raws[half:])
            return [self._dead(type, raws[0], error)]

    def deletions(self, type: str, ids: list[str]) -> list[Entry]:
        """Plan and apply these deletions, given by the ids there."""
        return self._attempt(lambda: self.puller.deletions(type, ids))

    def _attempt(self, plan: Callable[[], list[Entry]], left: int = _ATTEMPTS) -> list[Entry]:
        entries = plan()
        try:
            self.carry_out(entries)
        except VersionConflict:
            if not left:
                raise
            return self._attempt(plan, left - 1)
        return entries

    def carry_out(self, entries: list[Entry]) -> None:
        """Apply these entries as they are, all or none. Raises VersionConflict where somebody wrote here since they were planned."""
        planned = [(change, entry.stored) for entry in entries if (change := self.change(entry))]
        changes = [replace(change, seen=stored.links if stored else None) for change, stored in planned]
        changes += self.arrivals.changes(entries)
        news = [entry for entry in entries if entry.action == "conflict" and entry.version != self._told(entry)]
        told = [self.puller.witness.told(entry) for entry in news]
        agreed = [
            entry.reference for entry in entries if entry.action in _AGREED and entry.stored and self.puller.in_conflict(entry.reference)
        ]

        def keep(session: ClientSession) -> None:
            for entry, sides in zip(news, told, strict=True):
                self.conflicts.open(self.remote.name, entry, sides, session)
            for reference in agreed:
                self.conflicts.close(self.remote.name, reference, session)
            self.arrivals.keep(entries, session)

        noted = self.arrivals.notes(entries)
        if changes or news or noted:
            self.repository.commit(changes, also=keep if news or agreed or noted else None)

    def _told(self, entry: Entry) -> str | None:
        """The remote's version for which the conflict is open already."""
        found = self.conflicts.find(self.remote.name, entry.reference)
        return (
            found["version"]
            if found and found["status"] == "open" and found["ours"] == (entry.stored.version if entry.stored else 0)
            else ""
        )

    def change(self, entry: Entry) -> Change | None:
        """The write that an entry of a pull asks for, None where it asks for none."""
        if entry.action not in ("create", "update", "merge", "link", "delete"):
            return None
        stored, remote = entry.stored, self.remote.name
        others = stored.links_beside(remote) if stored else ()
        if entry.theirs is None:
            return Change(entry.type, entry.id, None, stored.version if stored else 0, links=others, sent=remote)
        named = self.edge.named(str(entry.there), entry.id)
        link = Link(remote, str(entry.there), str(entry.version), CURRENT, None, named)
        if stored is None:
            return Change(entry.type, entry.id, entry.target, 0, born=remote, links=(link,), sent=remote)
        return self._linked(entry, stored, others, link)

    def _linked(self, entry: Entry, stored: Stored, others: tuple[Link, ...], link: Link) -> Change:
        ours = None if stored.deleted else stored.raw
        target = ours if entry.action == "link" else entry.target or {}
        theirs = entry.theirs or {}
        change = Change(entry.type, entry.id, target, stored.version, links=(*others, link), sent=link.remote)
        if target is not None and same(content(target), content(theirs)):
            return change
        text = dumps(theirs)
        old = stored.link(link.remote)
        if entry.action == "merge" or target is None or (entry.action == "link" and (old is None or old.at != stored.version)):
            # Ours holds what theirs has not got: agreed is what they have, and the rest is owed.
            return replace(change, links=(*others, replace(link, at=0, theirs=text)), sent=None, owed=(link.remote,))
        return replace(change, links=(*others, replace(link, theirs=text)))

    def _dead(self, type: str, raw: Raw, error: CasebridgeError) -> Entry:
        there = f"{type}/{raw.get('id')}"
        body = {"remote": self.remote.name, "direction": "pull", "there": there, "reason": error.text, "at": self.clock()}
        self.state.put("dead_letters", f"{self.remote.name}:pull:{there}", body)
        return Entry("pull", "dead", type, self.edge.local_id(there), there, reason=error.text)


def _in_transactions(raws: list[Raw]) -> Iterator[list[Raw]]:
    """The resources in runs that one transaction can hold."""
    run: list[Raw] = []
    size = 0
    for raw in raws:
        length = len(dumps(raw))
        if run and size + length > TRANSACTION_BYTES:
            yield run
            run, size = [], 0
        run.append(raw)
        size += length
    if run:
        yield run
