"""Carries out a push's plan at the remote: transactions in order of reference, answers read back, a refused one taken apart."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from adapter.clock import Clock
from adapter.errors import Invalid, MultipleMatches, RemoteConflict, RemoteFatal, RemoteGone, RemoteUnauthorised, VersionConflict
from adapter.fhir import bundle as bundles
from adapter.fhir.bundle import EntryResult
from adapter.fhir.capability import Capability
from adapter.fhir.client import FhirClient, Written
from adapter.fhir.references import split
from adapter.fhir.resource import Raw, check_structure, content, dumps, same
from adapter.mapping.merge import Base, diff, merge
from adapter.store.documents import Change, Link, Stored
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.conflicts import Conflicts
from adapter.sync.edge import Edge, own_search
from adapter.sync.plan import Entry
from adapter.sync.pull import agreed, owners
from adapter.sync.push import batches, targets
from adapter.sync.remotes import Remote

_ATTEMPTS = 4


@dataclass
class Sender:
    """Sends what one remote is owed."""

    repository: Repository
    state: State
    conflicts: Conflicts
    remote: Remote
    edge: Edge
    client: FhirClient
    capability: Capability
    clock: Clock
    check: Callable[[], None]
    """Raises when we may no longer write, for the lease is lost."""
    links: dict[str, str | None] = field(default_factory=dict)
    """Our Type/id → Type/id there, as far as it was looked up."""
    letters: set[str] = field(default_factory=set)
    """The dead letters of earlier pushes: what is sent at last takes its letter away."""

    def send(self, entries: list[Entry], done: Callable[[int], None] = lambda _: None) -> list[Entry]:
        """Carry out the entries in their order; what comes back says what became of each."""
        self.letters = {id for id, _ in self.state.all("dead_letters", {"remote": self.remote.name, "direction": "push"})}
        writes = [entry for entry in entries if entry.action in ("create", "update")]
        result = [entry for entry in entries if entry.action not in ("create", "update", "delete")]
        self._settle([entry for entry in result if entry.action == "unchanged" and entry.stored])
        for batch in batches(writes, self.remote.bundle_size):
            self.check()
            result += self._batch(batch)
            done(len(batch))
        for entry in [entry for entry in entries if entry.action == "delete"]:
            self.check()
            result.append(self._delete(entry))
            done(1)
        return result

    def _settle(self, entries: list[Entry]) -> None:
        """Take off the outbox what needs no sending."""
        for entry in entries:
            if entry.stored and self.remote.name in entry.stored.outbox:
                self._commit(
                    entry, lambda now: Change(now.type, now.id, None if now.deleted else now.raw, now.version, sent=self.remote.name)
                )

    def _batch(self, entries: list[Entry]) -> list[Entry]:
        inside = {entry.reference for entry in entries}
        stuck = [self._stuck(entry, inside) for entry in entries]
        if any(stuck):
            rest = [entry for entry, end in zip(entries, stuck, strict=True) if end is None]
            return [end for end in stuck if end] + (self._batch(rest) if rest else [])
        if len(entries) == 1 or not self.capability.transaction:
            return [self._single(entry) for entry in entries]
        try:
            answers = self.client.transaction(bundles.transaction([self._bundle_entry(entry, entries) for entry in entries]))
        except RemoteUnauthorised:
            raise
        except (RemoteFatal, MultipleMatches):
            half = len(entries) // 2
            return self._batch(entries[:half]) + self._batch(entries[half:])
        return self._answered(entries, answers)

    def _stuck(self, entry: Entry, inside: set[str]) -> Entry | None:
        """The end of an entry that cannot be sent: wrong in itself, or about something that the remote has not taken."""
        if any(self._there(to) == "" for to in targets(entry.target or {}) if to not in inside):
            return replace(entry, action="skip", reason="refers to a resource that the remote has not taken")
        if entry.action == "create":
            try:
                check_structure(entry.target or {})
            except Invalid as error:
                return self._dead(entry, error.text)
        return None

    def _there(self, reference: str) -> str | None:
        """Type/id there for our Type/id; "" where the remote has none, None where it is not ours to translate."""
        if reference not in self.links:
            type, _, id = reference.partition("/")
            stored = self.repository.find(type, id)
            link = stored.link(self.remote.name) if stored else None
            self.links[reference] = link.reference if link else "" if stored else None
        return self.links[reference]

    def _outward(self, inside: set[str]) -> Callable[[str], str]:
        def turn(reference: str) -> str:
            parts = split(reference)
            if parts is None:
                return reference
            ours = f"{parts[0]}/{parts[1]}"
            return self._there(ours) or (f"urn:uuid:{parts[1]}" if ours in inside else reference)

        return turn

    def _body(self, entry: Entry, entries: list[Entry]) -> Raw:
        stored = entry.stored
        link = stored.link(self.remote.name) if stored else None
        carries = link is None or link.named
        inside = {other.reference for other in entries if other.action == "create"}
        raw = self.edge.to_remote(entry.target or {}, entry.id if carries else None, self._outward(inside))
        return {"resourceType": raw["resourceType"], "id": entry.there.partition("/")[2], **raw} if entry.there else raw

    def _bundle_entry(self, entry: Entry, entries: list[Entry]) -> Raw:
        raw = self._body(entry, entries)
        if entry.action == "update":
            return bundles.update(raw, if_match=str(entry.version))
        return bundles.create(raw, if_none_exist=bundles.condition(own_search(entry.type, entry.id)), full_url=f"urn:uuid:{entry.id}")

    def _single(self, entry: Entry) -> Entry:
        """One write by itself; the remote's refusal is kept as a dead letter."""
        try:
            raw = self._body(entry, [entry])
            if entry.action == "update":
                written = self._update(entry, raw)
                if isinstance(written, Entry):
                    return written
            else:
                written = self.client.create(raw, if_none_exist=bundles.condition(own_search(entry.type, entry.id)))
        except RemoteUnauthorised:
            raise
        except (RemoteFatal, MultipleMatches) as error:
            return self._dead(entry, error.text)
        status = 201 if written.created else 200
        return self._answered([entry], [EntryResult(status, written.type, written.id, written.version, None, written.raw, None)])[0]

    def _update(self, entry: Entry, raw: Raw) -> Written | Entry:
        """An update; where the remote moved, merged with what it has now and tried again."""
        for _ in range(_ATTEMPTS):
            try:
                return self.client.update(raw, if_match=str(entry.version))
            except RemoteGone:
                return replace(entry, action="skip", reason="the remote no longer has it; the next pull says what became of it")
            except RemoteConflict:
                moved = self._replanned(entry)
                if moved.action != "update":
                    return moved
                entry, raw = moved, self._body(moved, [moved])
        return replace(entry, action="skip", reason="the remote kept changing it; the next sync tries again")

    def _replanned(self, entry: Entry) -> Entry:
        fetched = self.client.read(entry.type, str(entry.there).partition("/")[2])
        theirs = self.edge.to_local(fetched.raw)
        stored = self.repository.read(entry.type, entry.id)
        link = stored.link(self.remote.name)
        base = agreed(self.repository, stored, link) if link else Base(theirs, theirs)
        merged = merge(base, stored.raw, theirs, keep="theirs", decisions=owners(theirs))
        moved = replace(entry, stored=stored, theirs=theirs, version=fetched.version, target=merged.raw)
        if merged.conflicts:
            conflict = replace(moved, action="conflict", reason="both sides changed an element", changes=tuple(merged.conflicts))
            self.conflicts.open(self.remote.name, conflict)
            return conflict
        return replace(moved, action="update", changes=tuple(diff(theirs, merged.raw)))

    def _answered(self, entries: list[Entry], answers: list[EntryResult]) -> list[Entry]:
        """Read back ids and versions, and keep them with what was sent."""
        for entry, answer in zip(entries, answers, strict=True):
            there = f"{answer.type or entry.type}/{answer.id}"
            self.links[entry.reference] = there
            self.edge.known[there] = entry.id
        done = [
            replace(entry, there=self.links[entry.reference], version=answer.version)
            for entry, answer in zip(entries, answers, strict=True)
        ]
        linked = [(entry, self._link(entry, answer)) for entry, answer in zip(done, answers, strict=True)]
        self._keep([(entry, link) for entry, link in linked if link.at])
        return [entry if link.at else self._found(entry, link) for entry, link in linked]

    def _keep(self, kept: list[tuple[Entry, Link]]) -> None:
        """Keep what the remote answered, all in one transaction; one by one where somebody writes here meanwhile."""
        now = {(entry.type, entry.id): self.repository.find(entry.type, entry.id) for entry, _ in kept}
        changes = [self._settled(found, link) for entry, link in kept if (found := now[entry.type, entry.id])]
        try:
            self.repository.commit(changes)
        except VersionConflict:
            for entry, link in kept:
                self._commit(entry, lambda found, link=link: self._settled(found, link))  # type: ignore[misc]
        for entry, _ in kept:
            if self._letter(entry) in self.letters:
                self.state.drop("dead_letters", self._letter(entry))

    def _letter(self, entry: Entry) -> str:
        return f"{self.remote.name}:push:{entry.reference}"

    def _settled(self, now: Stored, link: Link) -> Change:
        """Our resource with its link; still owed if it changed since it was sent."""
        links = (*(each for each in now.links if each.remote != self.remote.name), link)
        settled = self.remote.name if now.version == link.at else None
        return Change(now.type, now.id, None if now.deleted else now.raw, now.version, links=links, sent=settled)

    def _link(self, entry: Entry, answer: EntryResult) -> Link:
        """What was agreed by this answer; `at` is 0 where a create found what had been made before and differs."""
        raw = answer.raw
        if raw is None or (entry.action == "create" and answer.status == 200):
            raw = self.client.read(entry.type, str(entry.there).partition("/")[2]).raw
        theirs = self.edge.to_local(raw)
        planned = entry.stored
        named = self.edge.made_id(str(entry.there)) != entry.id
        version = (raw.get("meta") or {}).get("versionId") or entry.version
        link = Link(self.remote.name, str(entry.there), str(version), planned.version if planned else 0, None, named)
        sent = planned.raw if planned else {}
        if entry.action == "create" and answer.status == 200 and not same(content(theirs), content(sent)):
            return replace(link, at=0)
        return link if same(content(theirs), content(sent)) else replace(link, theirs=dumps(theirs))

    def _found(self, entry: Entry, link: Link) -> Entry:
        """A create that found what an earlier, interrupted push had made: its first version is what both agreed on."""
        first = self.edge.to_local(self.client.vread(entry.type, link.reference.partition("/")[2], "1").raw)
        base = replace(link, at=0, theirs=dumps(first))

        def change(now: Stored) -> Change:
            links = (*(each for each in now.links if each.remote != self.remote.name), base)
            return Change(now.type, now.id, None if now.deleted else now.raw, now.version, links=links)

        moved = self._replanned(replace(entry, stored=self._commit(entry, change)))
        return self._single(moved) if moved.action == "update" else moved

    def _delete(self, entry: Entry) -> Entry:
        type, _, id = str(entry.there).partition("/")
        try:
            self.client.delete(type, id, if_match=entry.version)
        except RemoteUnauthorised:
            raise
        except RemoteConflict:
            return replace(entry, action="skip", reason="the remote changed it or still refers to it; the next pull brings that here")
        except RemoteFatal as error:
            return self._dead(entry, error.text)

        def forget(now: Stored) -> Change:
            links = tuple(link for link in now.links if link.remote != self.remote.name)
            return Change(now.type, now.id, None if now.deleted else now.raw, now.version, links=links, sent=self.remote.name)

        self._commit(entry, forget)
        return entry

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

    def _dead(self, entry: Entry, reason: str) -> Entry:
        body = {"remote": self.remote.name, "direction": "push", "reference": entry.reference, "reason": reason, "at": self.clock()}
        self.state.put("dead_letters", self._letter(entry), body)
        self.links[entry.reference] = self._there(entry.reference) or ""
        return replace(entry, action="dead", reason=reason)
