"""One pull, start to end: what is new there, what it refers to, what was deleted, and an account of all of it, type by type."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from adapter import log
from adapter.errors import RemoteError, RemoteFatal
from adapter.fhir.client import Page
from adapter.fhir.outcome import ends_all
from adapter.fhir.resource import Raw
from adapter.store import remote_keys
from adapter.store.repository import Repository
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.plan import Entry
from adapter.sync.pulling import pages
from adapter.sync.pulling.born import Born
from adapter.sync.pulling.cursors import Cursors
from adapter.sync.pulling.deletions import Deletions
from adapter.sync.pulling.pages import Part
from adapter.sync.pulling.pull import types_to_pull
from adapter.sync.pulling.referred import Referred
from adapter.sync.pulling.scope import Scope, scope_of
from adapter.sync.pulling.searches import Searches
from adapter.sync.remotes.visit import Visit

# References that are kept for the next pull: some megabytes, of the 16 that a document may have.
_LEFT = 100_000

Turns = Callable[[list[Part], datetime, Scope], Iterator[list[Part]]]
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is (0 if not known)."""


@dataclass
class PullRun:
    """A pull from one remote, which `take` and `drop` carry out, or only plan."""

    visit: Visit
    repository: Repository
    cursors: Cursors
    certificate: Certificate
    take: Callable[[str, list[Raw]], list[Entry]]
    """What becomes of resources of a type."""
    drop: Callable[[str, list[str]], list[Entry]]
    """What becomes of deletions, given by type and ids there."""
    progress: Progress
    check: Callable[[], None] = lambda: None
    """Raises when we may no longer write."""
    first: Callable[[], None] = lambda: None
    """Called when it is known who was born in a casebridge, before anything is taken."""
    turns: Turns = lambda parts, *_: iter([parts])
    """Which types are read here, in turns; between them others may read the rest, of which it says in the certificate what became."""
    _born: Born = field(init=False)

    def entries(self) -> Iterator[list[Entry]]:
        """What became of everything, page by page; a cursor is moved when its type was read and adds up.

        A type that fails does not keep the others. Raises the RemoteError at the end, or at once where no other type can be hoped for.
        """
        readable = types_to_pull(self.visit.remote, self.visit.capability)
        if not readable:
            return
        started = self._time_there(readable)
        scope = scope_of(self.visit)
        searches = Searches(self.visit, self.repository, self.cursors, scope, started, self._linked if self.visit.remote.depth else {})
        parts = searches.parts()
        failed = dict(searches.failed)
        self._tell(scope, searches)
        self.first()
        reasons = self.certificate.pulled.reasons
        referred = Referred(self.visit, self.repository, scope, set(), reasons)
        deletions = self._deletions(parts)
        for some in self.turns(parts, started, scope):
            referred.wanted.update(self.cursors.left())
            yield from self._types(some, started, referred, deletions, failed)
        for type, resources in referred.steps():
            yield self._referred(type, resources, referred)
        self.cursors.leave(sorted(referred.left)[:_LEFT])
        reasons["referred to, and left for the next pull"] += min(len(referred.left), _LEFT)
        reasons["referred to, and left until what refers to it changes"] += max(len(referred.left) - _LEFT, 0)
        self._fail(failed)
        yield []
        if failed:
            raise next(iter(failed.values()))

    def one(self, part: Part, started: datetime, scope: Scope) -> Iterator[list[Entry]]:
        """What became of one type, for a pull that another began at `started`, who follows the references. Raises RemoteError."""
        referred = Referred(self.visit, self.repository, scope, set(), self.certificate.pulled.reasons)
        failed: dict[str, RemoteError] = {}
        yield from self._types([part], started, referred, self._deletions([part]), failed)
        if failed:
            raise failed[part.type]

    def _deletions(self, parts: Sequence[Part]) -> Deletions:
        since = {part.type: part.before.since for part in parts if part.before.since}
        return Deletions(self.visit, since, self.certificate.pulled.reasons)

    def _types(
        self, parts: list[Part], started: datetime, referred: Referred, deletions: Deletions, failed: dict[str, RemoteError]
    ) -> Iterator[list[Entry]]:
        """What became of these types; `failed` gets those that could not be read."""
        self._born = Born(self.visit, self.repository, started - timedelta(seconds=self.visit.remote.overlap))
        with pages.ahead(pages.read(self.visit.client, parts), pages.size) as reads:
            for number, part in enumerate(parts):
                ended: set[str] = set()
                try:
                    read = yield from self._part(part, pages.of_part(reads, number), ended, referred)
                    if read > 1:
                        yield self._slipped(part, deletions, ended, referred)
                    compared, entries = self._deleted(part, deletions, ended, started)
                except RemoteError as error:
                    if ends_all(error):
                        raise
                    failed[part.type] = error
                    continue
                self._move(part, started if compared else part.before.compared, referred)
                # The cursors of types that had nothing wait for the next that is kept: each write of their own would take 3 ms.
                if read or entries:
                    yield entries
        yield []

    def _time_there(self, readable: Sequence[str]) -> datetime:
        """The remote's time, told with a page of the first type that it shows us."""
        for type in readable[:-1]:
            try:
                return next(self.visit.client.search(type, {"_count": 1})).server_time
            except RemoteFatal as error:
                if ends_all(error):
                    raise
        return next(self.visit.client.search(readable[-1], {"_count": 1})).server_time

    @cached_property
    def _linked(self) -> Mapping[str, Sequence[str]]:
        """The ids there of what we have, by type."""
        found: dict[str, list[str]] = defaultdict(list)
        for there, _ in remote_keys.links(self.repository.database, self.visit.remote.name):
            type, _, id = there.partition("/")
            found[type].append(id)
        return found

    def _tell(self, scope: Scope, searches: Searches) -> None:
        """Say in the certificate what is out of the scope."""
        reasons = self.certificate.pulled.reasons
        for type in searches.unasked:
            reasons[f"not asked for, since the remote cannot search it by patient: {type}"] += 1
        if scope.patients is not None:
            before = self.cursors.patients(self.cursors.of("Patient").scope)
            reasons["kept: a Patient that left the scope, with what refers to it"] += len(before - scope.patients)
            reasons["the scope selects no patient"] += not scope.patients

    def _part(
        self, part: Part, found: Iterator[tuple[int, Page]], ended: set[str], referred: Referred
    ) -> Generator[list[Entry], None, int]:
        """Take the pages of a type, and say how many there were; `ended` gets the Type/id there of what has an end.

        What two searches find is counted once.
        """
        tally, type = self.certificate.pulled, part.type
        tally.expected[type] = part.count or 0
        seen: set[tuple[str, str]] = set()
        by_search: dict[int, set[str]] = defaultdict(set)
        number = 0
        for search, page in found if any(search.count != 0 for search in part.searches) else ():
            self.check()
            for raw in page.foreign:
                tally.reasons[f"skip: a {raw.get('resourceType')} among {type}"] += 1
            fresh = pages.fresh(page.entries, seen)
            self._born.learn(type, fresh)
            entries = self.take(type, fresh)
            tally.add(entries)
            referred.note(type, fresh)
            ended.update(str(entry.there) for entry in entries)
            by_search[search].update(there for raw in page.entries if (there := f"{type}/{raw['id']}") in ended)
            tally.fetched[type] = len(ended)
            number += 1
            self.progress(f"pull {type}", len(ended), tally.expected[type])
            yield entries
        again = sum(map(len, by_search.values())) - len(ended)
        if part.count is None:
            tally.expected[type] = len(ended)
            tally.reasons[f"not counted by the remote, but read to the end: a {type}"] += len(ended)
        else:
            tally.expected[type] = part.count - again
        if not self.certificate.adds_up(type):
            # It may have been written to while it was read: what counts is what is there now.
            tally.expected[type] = sum(self.visit.single.count(type, search.params) for search in part.searches) - again
        return number

    def _slipped(self, part: Part, deletions: Deletions, ended: set[str], referred: Referred) -> list[Entry]:
        """Take what the searches find and no page held, where fewer came than were counted.

        Where a remote counts its pages from the first, one slips through between two of them when another that was read is deleted; as many
        as are there now have come all the same.
        """
        tally, type = self.certificate.pulled, part.type
        if part.count is None or tally.fetched[type] >= part.count:
            return []
        now = deletions.ids(part, changed=True)
        missed = sorted({f"{type}/{id}" for id in now or ()} - ended)
        found = [raw for raw in self.visit.single.reads(missed).values() if raw] if missed else []
        if not found:
            return []
        entries = self._referred(type, found, referred)
        ended.update(str(entry.there) for entry in entries)
        tally.expected[type] = len({f"{type}/{id}" for id in now or ()} | ended)
        return entries

    def _deleted(self, part: Part, deletions: Deletions, ended: set[str], started: datetime) -> tuple[bool, list[Entry]]:
        """Whether ids were compared, and what became of deletions. What this pull has read is there, whatever a history says."""
        gone = [id for id in deletions.told(part.type) if f"{part.type}/{id}" not in ended]
        present = self._present(part, deletions, ended, started) if self.certificate.adds_up(part.type) else None
        if present is not None:
            gone += deletions.missing(part, self._linked.get(part.type, ()), present)
        entries = []
        if gone:
            self.check()
            entries = self.drop(part.type, gone)
        self.certificate.pulled.add(entries)
        return present is not None, entries

    def _present(self, part: Part, deletions: Deletions, ended: set[str], started: datetime) -> set[str] | None:
        """The ids of all that is there: as read, or asked for where no history tells of deletions and it is time; None where not known."""
        if part.whole:
            return {there.partition("/")[2] for there in ended}
        last = part.before.compared
        if deletions.tells(part.type) or (last and started - last < timedelta(hours=self.visit.remote.ids_every)):
            return None
        return deletions.ids(part)

    def _move(self, part: Part, compared: datetime | None, referred: Referred) -> None:
        if self.certificate.adds_up(part.type):
            # In the same write: these pages are not read again, and this pull may end before it has fetched what they refer to.
            self.cursors.leave(referred.outstanding()[:_LEFT])
            self.cursors.move(part.type, replace(part.after, compared=compared), part.patients)
        else:
            log.event("pull.short", remote=self.visit.remote.name, type=part.type)

    def _referred(self, type: str, resources: list[Raw], referred: Referred) -> list[Entry]:
        """Take what was fetched by id: counted as it was found."""
        self.check()
        self._born.learn(type, resources)
        entries = self.take(type, resources)
        tally = self.certificate.pulled
        tally.add(entries)
        tally.expected[type] = tally.expected.get(type, 0) + len(resources)
        tally.fetched[type] += len({entry.there for entry in entries})
        referred.note(type, resources)
        self.progress(f"pull {type}", tally.fetched[type], tally.expected[type])
        return entries

    def _fail(self, failed: Mapping[str, RemoteError]) -> None:
        """Say in the certificate which types could not be read."""
        for type, error in failed.items():
            self.certificate.pulled.failed[type] = error.text
            log.event("pull.failed", remote=self.visit.remote.name, type=type, status=error.http_status)
