"""Push: what we owe a remote, planned as creates, updates and deletes, and put in an order in which every reference has its target."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from adapter.config import SYNTHETIC_TAG
from adapter.fhir.capability import Capability
from adapter.fhir.resource import Raw, content, has_tag, same
from adapter.mapping.merge import diff
from adapter.store.documents import UNSYNCED, Change, Link, Stored, stays
from adapter.store.repository import Repository
from adapter.sync.base import agreed, outgoing, unsent
from adapter.sync.conflicts.ownership import owners
from adapter.sync.plan import Entry
from adapter.sync.pushing.order import ordered
from adapter.sync.pushing.outbound import changes_by
from adapter.sync.pushing.retraction import ENTERED_IN_ERROR, retractable, retracted
from adapter.sync.pushing.texts import Sign, signs_of, telling
from adapter.sync.remotes.remote import Remote, Remotes

_RETRACTED = "deleted here; there its status says entered-in-error"
_WENT_BACK = "changed and changed back here: what is there is looked at, for it can have been told and its answer lost"


def seed(repository: Repository, remotes: Remotes, remote: Remote) -> None:
    """Put on the outbox of a new remote what was made here, or changed here, while it was not known."""
    if remotes.seeded(remote.name):
        return
    for type in repository.types():
        for stored in list(repository.scan(type, {"outbox": {"$ne": remote.name}})):
            if _unsent(stored, remote.name):
                raw = None if stored.deleted else stored.raw
                repository.commit([Change(type, stored.id, raw, stored.version, owed=(remote.name,))])
    remotes.mark_seeded(remote.name)


def _unsent(stored: Stored, remote: str) -> bool:
    """Whether the remote has not got this version; what was born at another remote is no business of this one's."""
    if stored.type in UNSYNCED:
        return False
    link = stored.link(remote)
    if link is None:
        return remote in stored.outbox or (stored.born is None and not stored.deleted and not stays(stored))
    return remote in stored.outbox or link.at != stored.version


@dataclass(frozen=True)
class Pusher:
    """Plans what one remote has to be told."""

    repository: Repository
    remote: Remote
    capability: Capability
    in_conflict: Callable[[str], bool]
    seeded: bool = True
    """Whether what was made before the remote was added is on its outbox yet; see `seed`."""
    kept_back: Callable[[Stored], tuple[str, str] | None] = lambda _: None
    """What becomes, and why, of one that the remote does not get although it has none; see `adapter.sync.pushing.seek`."""
    _people: dict[str, tuple[Sign, ...]] = field(default_factory=dict, repr=False, compare=False)

    def owed(self) -> Iterator[Stored]:
        """What the remote has not got yet."""
        if self.seeded:
            yield from self.repository.owed(self.remote.name)
            return
        for type in self.repository.types():
            yield from (stored for stored in self.repository.scan(type) if _unsent(stored, self.remote.name))

    def plan(self) -> list[Entry]:
        """An entry for each resource that is owed, in the order in which they can be sent."""
        return self.plan_of(self.owed())

    def plan_of(self, some: Iterable[Stored]) -> list[Entry]:
        """An entry for each of these, in the order in which they can be sent."""
        return ordered(self._blocked([self.entry(stored) for stored in some]))

    def entry(self, stored: Stored) -> Entry:
        """What the remote has to be told about one resource."""
        entry = self._entry(stored)
        if not self.remote.sandbox or entry.action not in ("create", "update") or entry.target is None:
            return entry
        signs = [sign for reference in entry.refers_to if reference != entry.reference for sign in self._signs(reference)]
        what = telling(entry.target, signs, entry.theirs)
        reason = f"a text of it holds what looks like {what}, and the remote is a sandbox"
        return replace(entry, action="skip", reason=reason, target=None, changes=()) if what else entry

    def _signs(self, reference: str) -> tuple[Sign, ...]:
        """What somebody would be named by who is referred to, where it is a client."""
        if reference not in self._people:
            person = self.repository.find(*reference.split("/")) if reference.startswith("Patient/") else None
            self._people[reference] = signs_of(person.raw) if person and not person.deleted else ()
        return self._people[reference]

    def _entry(self, stored: Stored) -> Entry:
        link = stored.link(self.remote.name)
        entry = Entry("push", "unchanged", stored.type, stored.id, link.reference if link else None, stored=stored)
        if self.in_conflict(stored.reference):
            return replace(entry, action="conflict", reason="a person has yet to decide")
        if stored.deleted:
            return self._deletion(replace(entry, version=link.version), stored, link) if link else entry
        if self.remote.sandbox and not synthetic(stored.raw):
            return replace(entry, action="skip", reason="not tagged as synthetic, and the remote is a sandbox")
        interaction = changes_by(self.remote, self.capability, stored.type) if link else "create"
        if not self.capability.supports(stored.type, interaction):
            return replace(entry, action="skip", reason=f"the remote does not {interaction} {stored.type}")
        if link is None and (end := self.kept_back(stored)):
            return replace(entry, action=end[0], reason=end[1])
        if link is None:
            return replace(entry, action="create", target=stored.raw)
        base = agreed(self.repository, stored, link)
        target = outgoing(base, stored.raw, owners(self.remote.owners, stored.raw))
        entry = replace(entry, target=target, theirs=base.theirs, version=link.version)
        versions = unsent(self.repository, stored, link, base, self.remote.owners)
        if changes := tuple(diff(base.theirs, target)):
            return replace(entry, action="update", changes=changes)
        went_back = any(not same(content(sent), content(base.theirs)) for _, sent in versions)
        return replace(entry, action="update", reason=_WENT_BACK) if went_back else entry

    def _deletion(self, entry: Entry, stored: Stored, link: Link) -> Entry:
        """What the remote has to be told of what was deleted here, as its settings have it."""
        if self.remote.deletes == "never":
            return replace(entry, action="skip", reason="deleted here; by the remote's settings it is not told")
        theirs = agreed(self.repository, stored, link).theirs
        entry = replace(entry, theirs=theirs)
        if self.remote.deletes == ENTERED_IN_ERROR:
            if not retractable(stored.type):
                return replace(entry, action="skip", reason=f"deleted here; a {stored.type} has no status that says entered-in-error")
            interaction, target = changes_by(self.remote, self.capability, stored.type), retracted(theirs)
        else:
            interaction, target = "delete", None
        if not self.capability.supports(stored.type, interaction):
            return replace(entry, action="skip", reason=f"the remote does not {interaction} {stored.type}")
        if target is None:
            return replace(entry, action="delete")
        # Told before already, or entered in error while it was here.
        changes = tuple(diff(theirs, target))
        return replace(entry, action="delete", target=target, changes=changes, reason=_RETRACTED) if changes else entry

    def _blocked(self, entries: list[Entry]) -> list[Entry]:
        """Entries whose references lead to something that the remote has not and will not get are skipped, and so on up."""
        sent = {entry.reference for entry in entries if entry.action in ("create", "update", "unchanged") and entry.target is not None}
        known: dict[str, bool] = {}
        while True:
            kept = [
                replace(entry, action="skip", reason=f"refers to a {missing} that the remote does not have")
                if entry.action in ("create", "update") and (missing := self._missing(entry, sent, known))
                else entry
                for entry in entries
            ]
            now = {entry.reference for entry in kept if entry.action in ("create", "update", "unchanged") and entry.target is not None}
            if now == sent:
                return kept
            entries, sent = kept, now

    def _missing(self, entry: Entry, sent: set[str], known: dict[str, bool]) -> str | None:
        for reference in entry.refers_to:
            if reference in sent:
                continue
            if reference not in known:
                type, _, id = reference.partition("/")
                stored = self.repository.find(type, id)
                # One that is not here either was never ours to translate: it goes out by the name it has there.
                known[reference] = stored is None or stored.link(self.remote.name) is not None
            if not known[reference]:
                return reference.partition("/")[0]
        return None


def synthetic(raw: Raw) -> bool:
    """Whether the resource is tagged as synthetic data."""
    return has_tag(raw, SYNTHETIC_TAG)
