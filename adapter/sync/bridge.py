"""The two movements of a sync, start to end, under a lease: pull what a remote has, push what it is owed, certify both."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo.database import Database

from adapter import log
from adapter.clock import Clock, instant, utc_now
from adapter.errors import CasebridgeError, RemoteFatal, RemoteGone, RemoteTemporary
from adapter.fhir.capability import Capability
from adapter.fhir.client import FhirClient, Page
from adapter.fhir.resource import Raw
from adapter.store.documents import Document
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync import lease
from adapter.sync.certificate import Certificate
from adapter.sync.conflicts import Conflicts
from adapter.sync.edge import Edge, own_search
from adapter.sync.plan import Entry
from adapter.sync.pull import Puller, ahead, known_ids, own_ids, types_to_pull
from adapter.sync.push import Pusher, seed
from adapter.sync.receive import Receiver
from adapter.sync.remotes import Remote, Remotes
from adapter.sync.send import Sender

# A remote stamps a resource before it commits it: what carries a time just before the last pull may appear just after it.
OVERLAP = timedelta(seconds=10)

# How often a type is searched in one pull before its pages that expire are a failure.
_SEARCHES = 3

STOPPED = "It was stopped before its end."

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is (0 if not known)."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass
class _Visit:
    """One connection to a remote."""

    remote: Remote
    client: FhirClient
    single: FhirClient
    capability: Capability
    edge: Edge


@dataclass(frozen=True)
class _Part:
    """A type to pull: what changed since then, by which search, and how much of it there is."""

    type: str
    since: datetime | None
    query: dict[str, str]
    count: int


class Bridge:
    """casebridge's sync over one database."""

    def __init__(self, database: Database[Document], clock: Clock = utc_now) -> None:
        self.clock = clock
        self.repository = Repository(database, clock)
        self.state = State(database)
        self.remotes = Remotes(self.state, clock)
        self.conflicts = Conflicts(self.repository, self.state, clock)

    def plan(self, name: str, *, pull: bool = True, push: bool = True, progress: Progress = silent) -> Iterator[Entry]:
        """What a sync would do now; nothing is written on either side."""
        with self._visit(self.remotes.get(name)) as visit:
            if pull:
                puller = self._puller(visit)
                for part in self._parts(visit):
                    for page in visit.client.search(part.type, part.query) if part.count else ():
                        yield from puller.plan(part.type, page.entries)
                    yield from puller.deletions(part.type, self._deleted(visit, part.type, part.since))
                    progress(part.type, 0, 0)
            if push:
                yield from self._pusher(visit).plan()

    def sync(
        self,
        name: str,
        *,
        pull: bool = True,
        push: bool = True,
        wait: float = 0,
        progress: Progress = silent,
        say: Callable[[str], None] = print,
    ) -> Certificate:
        """Pull, then push, under the remote's lease; the certificate is kept.

        Raises Busy where another sync of this remote runs. A remote that fails ends the sync with a certificate that says so: what was done
        is done, and the next run goes on from there.
        """
        remote = self.remotes.get(name)
        certificate = Certificate(name, self.clock(), failure=STOPPED)
        with lease.hold(self.state, name, self.clock, wait=wait, say=say) as held, self.repository.using(held.session):
            try:
                with self._visit(remote) as visit:
                    if pull:
                        self._pull(visit, held, certificate, progress)
                    if push:
                        seed(self.repository, self.remotes, remote)
                        if not pull:
                            self._look_for_deletions(visit, certificate)
                        self._send(visit, held, self._pusher(visit).plan(), certificate, progress)
                certificate.failure = ""
            except CasebridgeError as error:
                certificate.failure = error.text
                raise
            finally:
                certificate.ended = self.clock()
                self.state.put("certificates", f"{name}:{instant(certificate.started)}", certificate.to_json())
        return certificate

    def apply(self, name: str, entries: list[Entry], progress: Progress = silent) -> Certificate:
        """Carry out the very push that was shown by `plan`; an entry that moved since is planned again by itself."""
        certificate = Certificate(name, self.clock())
        remote = self.remotes.get(name)
        with lease.hold(self.state, name, self.clock) as held, self.repository.using(held.session), self._visit(remote) as visit:
            self._send(visit, held, entries, certificate, progress)
        certificate.ended = self.clock()
        return certificate

    @contextmanager
    def _visit(self, remote: Remote) -> Iterator[_Visit]:
        with remote.client() as client, remote.client() as single:
            edge = Edge(remote, {})
            edge.known = known_ids(self.repository, remote, edge)
            yield _Visit(remote, client, single, client.capability(), edge)

    def _puller(self, visit: _Visit) -> Puller:
        return Puller(self.repository, visit.remote, visit.edge, visit.single, self._in_conflict(visit.remote))

    def _receiver(self, visit: _Visit) -> Receiver:
        return Receiver(self.repository, self.state, self.conflicts, visit.remote, visit.edge, self._puller(visit), self.clock)

    def _pusher(self, visit: _Visit) -> Pusher:
        seeded = self.remotes.seeded(visit.remote.name)
        return Pusher(self.repository, visit.remote, visit.capability, self._in_conflict(visit.remote), seeded)

    def _in_conflict(self, remote: Remote) -> Callable[[str], bool]:
        return lambda reference: self.conflicts.is_open(remote.name, reference)

    def _parts(self, visit: _Visit) -> list[_Part]:
        """The types that may hold something new; learns who of them was born in a casebridge."""
        askable, wanted = set(), {}
        cursors = dict(self.state.all("cursors", {"remote": visit.remote.name}))
        for type in types_to_pull(visit.remote, visit.capability):
            cursor = cursors.get(f"{visit.remote.name}:{type}")
            since = cursor["since"] if cursor else None
            if next(iter(own_search(type))) in visit.capability.search_params(type):
                askable.add(type)
            elif visit.remote.mine:
                continue
            wanted[type] = (since, _query(visit.remote, type, since))
        counts = visit.client.counts({type: query for type, (_, query) in wanted.items()})
        for type in wanted:
            if counts[type] and type in askable:
                visit.edge.known.update(own_ids(visit.client, type, wanted[type][1]))
        return [_Part(type, since, query, counts[type]) for type, (since, query) in wanted.items()]

    def _pull(self, visit: _Visit, held: lease.Lease, certificate: Certificate, progress: Progress) -> None:
        readable = types_to_pull(visit.remote, visit.capability)
        if not readable:
            return
        started = next(visit.client.search(readable[0], {"_count": 1})).server_time
        receiver, parts = self._receiver(visit), self._parts(visit)
        self._read_again(visit, receiver)
        pages = ahead(_pages(visit.client, parts))
        moved: dict[str, Document] = {}
        for part in parts:
            self._pull_part(visit, held, receiver, part, pages, certificate, progress)
            if certificate.adds_up(part.type):
                moved[f"{visit.remote.name}:{part.type}"] = {"remote": visit.remote.name, "since": started - OVERLAP}
            else:
                log.event("pull.short", remote=visit.remote.name, type=part.type)
            if part.count:
                self.state.put_all("cursors", moved, held.session)
                moved.clear()
        self.state.put_all("cursors", moved, held.session)

    def _pull_part(
        self,
        visit: _Visit,
        held: lease.Lease,
        receiver: Receiver,
        part: _Part,
        pages: Iterator[Page | None],
        certificate: Certificate,
        progress: Progress,
    ) -> None:
        tally, type = certificate.pulled, part.type
        tally.expected[type] = part.count
        seen: set[tuple[str, str | None]] = set()
        ended: set[str | None] = set()
        for page in iter(pages.__next__, None) if part.count else ():
            held.check()
            fresh = _fresh(page.entries, seen)
            for raw in page.foreign:
                tally.reasons[f"skip: a {raw.get('resourceType')} among {type}"] += 1
            entries = receiver.resources(type, fresh)
            tally.add(entries)
            ended.update(entry.there for entry in entries)
            tally.fetched[type] = len(ended)
            progress(f"pull {type}", len(ended), tally.expected[type])
        held.check()
        tally.add(receiver.deletions(type, self._deleted(visit, type, part.since)))
        if not certificate.adds_up(type):
            # It may have been written to while it was read: what counts is what is there now.
            tally.expected[type] = visit.single.count(type, part.query)

    def _read_again(self, visit: _Visit, receiver: Receiver) -> None:
        """Try what could not be kept before; not part of this pull's account."""
        for id, letter in list(self.state.all("dead_letters", {"remote": visit.remote.name, "direction": "pull"})):
            type, _, there = letter["there"].partition("/")
            try:
                kept = all(entry.action != "dead" for entry in receiver.resources(type, [visit.single.read(type, there).raw]))
            except RemoteGone:
                kept = True
            if kept:
                self.state.drop("dead_letters", id)

    def _deleted(self, visit: _Visit, type: str, since: datetime | None) -> list[str]:
        """Ids there of what was deleted since. A first pull has nothing that could be deleted."""
        if since is None or not visit.capability.supports(type, "history-type"):
            return []
        latest: dict[str, bool] = {}
        for entry in visit.single.history(type, since=instant(since)):
            latest.setdefault(entry.id, entry.deleted)
        return [id for id, deleted in latest.items() if deleted]

    def _look_for_deletions(self, visit: _Visit, certificate: Certificate) -> None:
        """Learn what the remote deleted before writing to it: HAPI answers an update of a deleted resource by making it again."""
        receiver = self._receiver(visit)
        for type in sorted({stored.type for stored in self._pusher(visit).owed() if stored.link(visit.remote.name)}):
            cursor = self.state.get("cursors", f"{visit.remote.name}:{type}")
            certificate.pulled.add(receiver.deletions(type, self._deleted(visit, type, cursor["since"] if cursor else None)))

    def _send(self, visit: _Visit, held: lease.Lease, entries: list[Entry], certificate: Certificate, progress: Progress) -> None:
        done, total = 0, sum(entry.action in ("create", "update", "delete") for entry in entries)

        def count(more: int) -> None:
            nonlocal done
            done += more
            progress("push", done, total)

        sender = Sender(
            self.repository,
            self.state,
            self.conflicts,
            visit.remote,
            visit.edge,
            visit.single,
            visit.capability,
            self.clock,
            held.check,
        )
        certificate.pushed.add(sender.send(entries, count))


def _query(remote: Remote, type: str, since: datetime | None) -> dict[str, str]:
    """The search for what changed since then, the moment itself counted in."""
    changed = {"_lastUpdated": f"ge{instant(since)}"} if since else {}
    return {**(own_search(type) if remote.mine else {}), **changed}


def _pages(client: FhirClient, parts: list[_Part]) -> Iterator[Page | None]:
    """The pages of all parts that have any, one part after the other and None behind each."""
    for part in parts:
        if part.count:
            yield from _searched(client, part, _SEARCHES)
            yield None


def _searched(client: FhirClient, part: _Part, left: int) -> Iterator[Page]:
    """A part's pages, from the first again where the remote has let go of them: what was read is known by id and version."""
    try:
        yield from client.search(part.type, {**part.query, "_sort": "_lastUpdated"})
    except RemoteTemporary as error:
        if error.http_status not in (404, 410) or left == 1:
            raise
        log.event("pull.expired", type=part.type, status=error.http_status)
        yield from _searched(client, part, left - 1)


def _fresh(resources: list[Raw], seen: set[tuple[str, str | None]]) -> list[Raw]:
    """Those not seen on an earlier page in the same version. Raises RemoteFatal for one without an id."""
    fresh = []
    for raw in resources:
        if not isinstance(raw.get("id"), str):
            raise RemoteFatal(f"The remote sent a {raw['resourceType']} without an id.")
        key = (raw["id"], (raw.get("meta") or {}).get("versionId"))
        if key not in seen:
            seen.add(key)
            fresh.append(raw)
    return fresh
