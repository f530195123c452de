"""Two of our resources become one: links to remotes, content and references move, with a ledger by which all of it can go back.

What is written first is the two themselves with the ledger's page, in one transaction; then the references to the one that gave way, some
at a time. Whatever stops it, the page says that it is not at its end, and the same call or the next sync goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import islice

from pymongo.client_session import ClientSession

from adapter import log
from adapter.clock import Clock
from adapter.errors import Conflict, Invalid, VersionConflict
from adapter.fhir.references import rewrite, walk
from adapter.fhir.resource import Raw, content, dumps, same
from adapter.mapping.merge import Change as Difference
from adapter.mapping.merge import merge
from adapter.store.documents import Change, Document, Link, Stored
from adapter.store.repository import Also, Repository
from adapter.store.state import State
from adapter.sync.base import agreed
from adapter.sync.conflicts.inbox import Conflicts
from adapter.sync.people.identity import FACTS
from adapter.sync.people.joining import NEVER, filled, gave_way, merged_there
from adapter.sync.people.questions import Questions, pair_id
from adapter.sync.people.repoint import followed, referring, turning
from adapter.sync.people.unions import LINKING, SPLIT, Unions, page
from adapter.sync.plan import Entry
from adapter.sync.workers import remote_lease

_AT_ONCE = 50
_PASSES = 5
DIFFERS = "linked to somebody here; the two differ in an element"


class People:
    """Who is who among our resources."""

    def __init__(self, repository: Repository, state: State, conflicts: Conflicts, clock: Clock) -> None:
        self.repository, self.state, self.conflicts, self.clock = repository, state, conflicts, clock
        self.questions, self.unions = Questions(state, clock), Unions(state)

    def link(self, survivor: str, loser: str, *, by: str, held: frozenset[str] = frozenset()) -> str:
        """Make one of two, given as `Type/id`: the first stays, the second gives way to it. Returns the id to take it back by.

        `held` are remotes whose lease the caller has. Where it was stopped before its end, the same call ends it. Raises NotFound or Gone,
        Invalid or Conflict where they cannot be one, Busy where a remote of theirs is being synced, VersionConflict where somebody keeps
        changing them.
        """
        id = pair_id(survivor, loser)
        first, second = self._pair(survivor, loser)
        with self.quiet({link.remote for link in (*first.links, *second.links)} - held):
            union = self.unions.find(id)
            if union is None or union["status"] == SPLIT:
                union = self._unite(id, survivor, loser, by, union)
            elif union["survivor"] != survivor or union["status"] != LINKING:
                raise Invalid(f"These two are linked already, by {id}.")
            self.finish({id: union})
        log.event("people.linked", link=id, type=first.type)
        return id

    def unsure(self, remote: str) -> int:
        """How many questions a person has yet to answer before it is known who is who at a remote; not those of who gave way since."""
        return sum(not any(map(self.unions.gave_way, (found["here"], found["other"]))) for found in self.questions.open_for(remote))

    def quiet(self, remotes: Iterable[str]) -> ExitStack:
        """The leases of these remotes: no sync of theirs goes by who was who before. Raises Busy."""
        stack = ExitStack()
        with stack:
            for name in sorted(remotes):
                stack.enter_context(remote_lease.hold(self.state, name))
            return stack.pop_all()

    def _pair(self, survivor: str, loser: str) -> tuple[Stored, Stored]:
        (type, _, one), (other_type, _, two) = survivor.partition("/"), loser.partition("/")
        if type != other_type or type not in FACTS or one == two:
            raise Invalid(f"What can be linked are two resources of one type, as TYPE/ID; of {', '.join(FACTS)}.")
        return self.repository.read(type, one), self.repository.read(type, two)

    def _unite(self, id: str, survivor: str, loser: str, by: str, before: Document | None) -> Document:
        """The ledger's page, when the two are written; they are looked at anew where somebody wrote one of them meanwhile."""
        for _ in range(_PASSES):
            with suppress(VersionConflict):
                return self._united(id, *self._pair(survivor, loser), by, before)
        raise VersionConflict("The two kept changing while they were to be linked; nothing was done, and the same command tries again.")

    def _united(self, id: str, first: Stored, second: Stored, by: str, before: Document | None) -> Document:
        """Write the two, with what the one that stays takes over, and the ledger's page."""
        for each in (first, second):
            if gone := self.unions.gave_way(each.reference):
                raise Conflict(f"One of the two has given way to another already, by {gone[0]}; link that other one, or split it first.")
        stays = {link.remote for link in second.links if first.link(link.remote)}
        if stays and not merged_there(first, second):
            raise Conflict(f"The remote {', '.join(sorted(stays))} keeps them as two; have them merged there, and a sync follows that.")
        moving = [link for link in second.links if link.remote not in stays]
        raw = first.raw if stays else filled(first.raw, second.raw)
        links: list[Link] = [*first.links]
        differing: list[tuple[Link, Raw, tuple[Difference, ...]]] = []
        for link in moving:
            theirs = rewrite(agreed(self.repository, second, link).theirs, turning({second.reference: first.reference}))
            merged = merge(NEVER, raw, theirs)
            if merged.conflicts:
                differing.append((link, theirs, tuple(merged.conflicts)))
            raw = raw if merged.conflicts else merged.raw
            links.append(Link(link.remote, link.reference, link.version, 0, "{}" if merged.conflicts else dumps(theirs), True))
        # Where the remote merged them, it is the one to say so of its own.
        given_up = second.raw if stays else gave_way(second.raw, first)
        version = first.version + (not same(content(raw), content(first.raw)))
        union = page(
            first.reference,
            second.reference,
            moving,
            by=by,
            at=self.clock(),
            stays=sorted(stays),
            gave=0 if same(content(given_up), content(second.raw)) else second.version + 1,
            came=[{"key": "", "version": version}] if version > first.version else [],
            before=before,
        )
        now = Stored(first.type, first.id, version, first.updated, False, first.text)

        def keep(session: ClientSession) -> None:
            self.unions.begin({id: union}, session)
            self.questions.settle(id, second.reference, by, session)
            for link, theirs, rows in differing:
                entry = Entry("pull", "conflict", first.type, first.id, link.reference, DIFFERS, rows, stored=now)
                entry = replace(entry, theirs=theirs, version=link.version)
                self.conflicts.open(link.remote, entry, {}, session)

        kept = tuple(link for link in second.links if link.remote in stays)
        owed = tuple(link.remote for link in moving)
        self.repository.commit(
            [
                Change(first.type, first.id, raw, first.version, links=tuple(links), seen=first.links, owed=owed),
                Change(second.type, second.id, given_up, second.version, links=kept, seen=second.links),
            ],
            also=keep,
        )
        return union

    def finish(self, unions: Mapping[str, Document]) -> None:
        """Lead the references to those who gave way to those who stay, and close the ledger's pages."""
        self.repeat(lambda: self._led(unions))
        self.unions.close(unions)

    def _led(self, unions: Mapping[str, Document]) -> Iterator[tuple[Change, Also]]:
        by_loser = {union["loser"]: (id, union) for id, union in unions.items()}
        for stored in referring(self.repository, by_loser):
            spoken_of = {found["reference"] for found in walk(stored.raw)} & by_loser.keys()
            mine = {
                id: union
                for id, union in map(by_loser.__getitem__, spoken_of)
                if stored.reference not in (union["loser"], union["survivor"]) and stored.born not in union["stays"]
            }
            turn = turning({union["loser"]: union["survivor"] for union in mine.values()})
            raw = rewrite(stored.raw, turn)
            if raw is stored.raw:
                continue
            remotes = {moved["remote"] for union in mine.values() for moved in union["moved"]}
            links = followed(self.repository, stored, raw, turn, remotes)

            def keep(session: ClientSession, ids: Iterable[str] = tuple(mine), stored: Stored = stored) -> None:
                for id in ids:
                    self.unions.put_repointed(id, stored.reference, stored.version + 1, session)

            yield Change(stored.type, stored.id, raw, stored.version, links=links, seen=stored.links), keep

    def repeat(self, wanted: Callable[[], Iterator[tuple[Change, Also]]]) -> None:
        """Carry out changes until there are none left: others write here meanwhile. Raises VersionConflict where that has no end."""
        for _ in range(_PASSES):
            changes, made = wanted(), False
            while batch := list(islice(changes, _AT_ONCE)):
                made = True
                self._commit(batch)
            if not made:
                return
        raise VersionConflict("What refers to the two kept changing; the same command goes on from here.")

    def _commit(self, batch: list[tuple[Change, Also]]) -> None:
        def keep(session: ClientSession) -> None:
            for _, also in batch:
                also(session)

        try:
            self.repository.commit([change for change, _ in batch], also=keep)
        except VersionConflict:
            for change, also in batch:
                with suppress(VersionConflict):
                    self.repository.commit([change], also=also)
