"""A push's ledger: what the remote answered is kept with what was sent, so that the next change goes to the very same resource."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from adapter.errors import CasebridgeError, RemoteFatal, RemoteGone, TooLarge, VersionConflict
from adapter.fhir.bundle import EntryResult
from adapter.fhir.client import Fetched, FhirClient
from adapter.fhir.outcome import ends_all
from adapter.fhir.resource import Raw, content, content_hash, dumps, same
from adapter.mapping.merge import diff, merge
from adapter.store.documents import Change, Link, Stored
from adapter.store.repository import Repository
from adapter.sync.base import agreed, first_version, taken, unsent
from adapter.sync.conflicts.inbox import Conflicts
from adapter.sync.conflicts.ownership import owners
from adapter.sync.conflicts.witness import Witness
from adapter.sync.edge import Edge
from adapter.sync.plan import Entry
from adapter.sync.pushing.dead import Letter, Letters
from adapter.sync.remotes.remote import Remote

_ATTEMPTS = 4
_CREATED = 201


@dataclass
class Kept:
    """What became of entries that the remote took."""

    done: list[Entry] = field(default_factory=list)
    partly: list[Entry] = field(default_factory=list)
    """Made without all of their references: what is missing is owed still, and an update."""
    again: list[Entry] = field(default_factory=list)
    """Creates that found what an earlier, interrupted push had made, and is not as it is to be: now updates."""
    gone: list[Entry] = field(default_factory=list)
    """Creates that found one which was deleted there before it was read."""


@dataclass
class Ledger:
    """Keeps what one remote answers to one push."""

    repository: Repository
    letters: Letters
    conflicts: Conflicts
    remote: Remote
    edge: Edge
    client: FhirClient
    """For single reads, in the thread that keeps the ledger."""
    refused: dict[str, Letter] = field(default_factory=dict)
    """The dead letters of earlier pushes, by our Type/id: what is taken at last takes its letter away."""

    def __post_init__(self) -> None:
        self.refused = {str(letter.reference): letter for letter in self.letters.all(self.remote.name, "push")}

    def keep(self, taken: list[tuple[Entry, EntryResult]]) -> Kept:
        """Keep ids, versions and contents of what was taken, all in one transaction; one by one where somebody writes here meanwhile."""
        kept = Kept()
        found: list[tuple[Entry, Link]] = []
        settled: list[tuple[Entry, Callable[[Stored], Change]]] = []
        for entry, answer in taken:
            if entry.action == "delete":
                settled.append((entry, self._retracted(entry, answer) if entry.target else self._forgotten))
                kept.done.append(entry)
                continue
            try:
                link, is_new = self._link(entry, answer), entry.action != "create" or answer.status == _CREATED
            except RemoteGone:
                kept.gone.append(entry)
                continue
            if is_new or link.theirs is None:
                settled.append((entry, self._settled(link)))
                (kept.done if link.at else kept.partly).append(entry)
            else:
                found.append((entry, link))
        self._commit_all(settled)
        for entry, _ in settled:
            self._mended(entry)
        for entry, link in found:
            try:
                moved = self._found(entry, link)
            except RemoteGone:
                kept.gone.append(entry)
                continue
            (kept.again if moved.action == "update" else kept.done).append(moved)
        return kept

    def settle(self, entry: Entry) -> None:
        """Take off the outbox what needs no sending."""
        planned = entry.stored
        if planned and self.remote.name in planned.outbox:
            self._commit(entry, lambda now: _change(now, now.links, sent=self.remote.name if now.version == planned.version else None))
        self._mended(entry)

    def dead(self, entry: Entry, error: CasebridgeError) -> Entry:
        """Keep a refusal, with the remote's OperationOutcome."""
        self.refused[entry.reference] = self.letters.refused(self.remote.name, entry.stored, entry.reference, error)
        return replace(entry, action="dead", reason=error.text)

    def replanned(self, entry: Entry) -> Entry:
        """An update of what the remote has changed meanwhile: merged with that, here too, or a conflict, or no longer needed.

        Raises RemoteGone where the remote no longer has it, Gone where we no longer have it.
        """
        fetched = self.client.read(entry.type, str(entry.there).partition("/")[2])
        for _ in range(_ATTEMPTS - 1):
            with suppress(VersionConflict):
                return self._replanned(entry, fetched)
        return self._replanned(entry, fetched)

    def _replanned(self, entry: Entry, fetched: Fetched) -> Entry:
        theirs = self.edge.to_local(fetched.raw)
        stored = self.repository.read(entry.type, entry.id)
        link = stored.link(self.remote.name)
        if link is None or link.reference != entry.there:
            # Never what is theirs there under what is no longer its counterpart.
            return replace(entry, action="skip", reason="what it is linked to was changed here meanwhile; the next sync plans it anew")
        base = agreed(self.repository, stored, link)
        moved = replace(entry, stored=stored, theirs=theirs, version=fetched.version or content_hash(fetched.raw))
        versions = [*unsent(self.repository, stored, link, base, self.remote.owners)]
        if held := taken(self.client, self.edge, versions, link, theirs, str(moved.version)):
            base, moved = held, replace(moved, base=held.theirs)
        witness = Witness(self.repository, self.remote, self.edge, self.client)
        decisions = owners(self.remote.owners, theirs)
        newest = witness.newest(moved)
        merged = merge(base, stored.raw, theirs, keep="theirs", decisions=decisions, newest=newest)
        moved = replace(moved, target=merged.raw, decided=merged.decided)
        if merged.conflicts:
            conflict = replace(moved, action="conflict", reason="both sides changed an element", changes=tuple(merged.conflicts))
            self.conflicts.open(self.remote.name, conflict, witness.told(conflict))
            return conflict
        ours = merge(base, stored.raw, theirs, keep="ours", decisions=decisions, newest=newest).raw
        return replace(moved, action="update", stored=self._brought(moved, stored, ours), changes=tuple(diff(theirs, merged.raw)))

    def _brought(self, moved: Entry, stored: Stored, ours: Raw) -> Stored:
        """Ours with their edits in it, before it is sent: else these would count as agreed by what is sent, and never come here."""
        if same(content(ours), content(stored.raw)):
            return stored
        named = self.edge.named(str(moved.there), moved.id)
        link = Link(self.remote.name, str(moved.there), str(moved.version), 0, dumps(moved.theirs or {}), named)
        change = Change(
            stored.type, stored.id, ours, stored.version, links=_with(stored, link), seen=stored.links, owed=(self.remote.name,)
        )
        return self.repository.commit([change])[0]

    def _link(self, entry: Entry, answer: EntryResult) -> Link:
        """What is agreed by this answer: `theirs` where they hold something else than we, and `at` 0 where less was sent than we hold."""
        theirs, version = self._taken(entry, answer)
        planned = entry.stored
        ours = planned.raw if planned else {}
        whole = entry.action != "create" or entry.target is ours or same(entry.target, ours)
        named = self.edge.named(str(entry.there), entry.id)
        link = Link(self.remote.name, str(entry.there), version, planned.version if planned and whole else 0, None, named)
        return link if whole and same(content(theirs), content(ours)) else replace(link, theirs=dumps(theirs))

    def _taken(self, entry: Entry, answer: EntryResult) -> tuple[Raw, str]:
        """What the remote made of what was sent, in local terms, with its version; of a create that found one, what is there now.

        Never simply what is there: somebody may have edited it since, and that edit would be taken for agreed and never come here.
        """
        id, found = str(entry.there).partition("/")[2], entry.action == "create" and answer.status != _CREATED
        if answer.raw is not None and not found:
            return self.edge.to_local(answer.raw), _version(answer.raw, answer)
        if answer.version is not None and not found:
            try:
                return self.edge.to_local(self.client.vread(entry.type, id, answer.version).raw), answer.version
            except RemoteFatal as error:
                if ends_all(error):
                    raise
        try:
            now = self.client.read(entry.type, id)
        except RemoteGone:
            if found:
                raise
            # It was deleted there since: agreed is what was sent, and the next pull learns of the deletion.
            return entry.target or {}, answer.version or ""
        theirs = self.edge.to_local(now.raw)
        if found or now.version == (answer.version or "") or same(content(theirs), content(entry.target or {})):
            return theirs, _version(now.raw, answer)
        # It has another version by now, and no history, or did not say which version it made: the next pull looks at what is there.
        return entry.target or {}, answer.version or ""

    def _settled(self, link: Link) -> Callable[[Stored], Change]:
        """Our resource with its link; still owed if it changed since it was sent, or was not sent whole."""
        return lambda now: _change(now, _with(now, link), sent=link.remote if now.version == link.at else None)

    def _retracted(self, entry: Entry, answer: EntryResult) -> Callable[[Stored], Change]:
        """Deleted here, entered in error there: what they hold stays known, so that an edit of theirs is noticed."""
        theirs, version = self._taken(entry, answer)
        old = entry.stored.link(self.remote.name) if entry.stored else None
        named = old.named if old else True
        link = Link(self.remote.name, str(entry.there), version, 0, dumps(theirs), named)
        return lambda now: _change(now, _with(now, link), sent=link.remote if now.deleted else None)

    def _forgotten(self, now: Stored) -> Change:
        return _change(now, now.links_beside(self.remote.name), sent=self.remote.name if now.deleted else None)

    def _found(self, entry: Entry, link: Link) -> Entry:
        """A create that found what an earlier, interrupted push had made: its first version is what both agreed on."""
        first = dumps(first_version(self.client, self.edge, link.reference))
        stored = self._commit(entry, lambda now: _change(now, _with(now, replace(link, at=0, theirs=first)), sent=None))
        return self.replanned(replace(entry, stored=stored))

    def _commit_all(self, settled: list[tuple[Entry, Callable[[Stored], Change]]]) -> None:
        try:
            # Mostly nobody has written here since they were planned, and if, the commit says so.
            self.repository.commit([change(entry.stored) for entry, change in settled if entry.stored])
        except (VersionConflict, TooLarge):
            for entry, change in settled:
                self._commit(entry, change)

    def _commit(self, entry: Entry, change: Callable[[Stored], Change]) -> Stored:
        """Write against whatever version is current: only links and outbox are changed, so nobody's edit is in the way."""
        for attempt in range(_ATTEMPTS):
            now = self.repository.find(entry.type, entry.id)
            if now is None:
                break
            try:
                return self.repository.commit([change(now)])[0]
            except VersionConflict:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise VersionConflict(f"This {entry.type} is no longer here.")

    def _mended(self, entry: Entry) -> None:
        if letter := self.refused.pop(entry.reference, None):
            self.letters.drop(letter)


def _version(raw: Raw, answer: EntryResult) -> str:
    return (raw.get("meta") or {}).get("versionId") or answer.version or content_hash(raw)


def _with(now: Stored, link: Link) -> tuple[Link, ...]:
    return (*now.links_beside(link.remote), link)


def _change(now: Stored, links: tuple[Link, ...], *, sent: str | None) -> Change:
    return Change(now.type, now.id, None if now.deleted else now.raw, now.version, links=links, seen=now.links, sent=sent)
