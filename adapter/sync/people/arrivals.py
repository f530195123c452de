"""Who arrives from a remote: somebody who is here already, somebody new, or a question; and whom the remote says to be one.

Used by a pull: `met` judges a page's entries, `changes` and `keep` write what follows in the page's own transaction, `settle` does at the
end what needs all of it. Two pulls at once that bring the same person meet in the claims on the trusted identifiers: one plans again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from pymongo.client_session import ClientSession

from adapter.fhir.references import rewrite, split
from adapter.fhir.resource import dumps
from adapter.store.claims import Claim, claim, take
from adapter.store.documents import Change, Document, Link, Stored
from adapter.sync.edge import Edge
from adapter.sync.people.here import Here, alike
from adapter.sync.people.identity import FACTS, OTHER, compare, identifiers, judged, tokens
from adapter.sync.people.joining import REPLACED_BY, REPLACES, SEE_ALSO, links_of
from adapter.sync.people.merges import follow
from adapter.sync.people.people import People
from adapter.sync.people.questions import MERGED, SEE, Doubt, mark, pair_id
from adapter.sync.people.repoint import referred, turning
from adapter.sync.people.unions import LINKING, page
from adapter.sync.plan import Entry
from adapter.sync.remotes.remote import Remote

Join = Callable[[Entry, Stored], Entry]
"""Plans an entry as one about somebody of ours with whom nothing was agreed yet."""

KNOWN = "known by a trusted identifier"
TWICE = "the remote has more than one who by a trusted identifier is this one"


@dataclass
class _Met:
    """What is to be written beside a page's entry."""

    claims: list[Claim] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    joined: bool = False


class Arrivals:
    """Those of one remote, on one visit."""

    def __init__(self, people: People, remote: Remote, edge: Edge) -> None:
        self.people, self.remote, self.edge = people, remote, edge
        self._repository = people.repository
        self._met: dict[str, _Met] = {}

    def met(self, type: str, entries: list[Entry], join: Join) -> list[Entry]:
        """The entries, where those about somebody who is here already say so."""
        if type not in FACTS:
            return entries
        self._met = {str(entry.there): _Met() for entry in entries}
        if self.remote.trust:
            entries = self._matched(type, entries, join)
        said = {str(entry.there): [*self._said_to_be_one(entry)] for entry in entries}
        known = {name for entry in entries if entry.stored for doubt in said[str(entry.there)] for name in (doubt.here, doubt.other)}
        # Asked now, because what comes later in this pull may be what the remote has led elsewhere.
        ours = referred(self._repository, known) if known else set()
        for there, doubts in said.items():
            self._met[there].doubts += (replace(doubt, ours=tuple(sorted({doubt.here, doubt.other} & ours))) for doubt in doubts)
        return entries

    def changes(self, entries: Iterable[Entry]) -> Iterator[Change]:
        """The links of those who are here already, where a person has to decide about an element first."""
        for entry in entries:
            stored, met = entry.stored, self._met.get(str(entry.there))
            if entry.action == "conflict" and stored and met and met.joined:
                link = Link(self.remote.name, str(entry.there), str(entry.version), 0, "{}", True)
                yield Change(entry.type, entry.id, stored.raw, stored.version, links=(*stored.links, link), seen=stored.links)

    def notes(self, entries: Iterable[Entry]) -> bool:
        """Whether `keep` may have anything to write."""
        met = [self._met.get(str(entry.there)) for entry in entries if entry.type in FACTS]
        return any(each and (each.claims or each.doubts or each.joined) for each in met) or any(map(self._grows, entries))

    def keep(self, entries: Iterable[Entry], session: ClientSession) -> None:
        """Write claims, questions and the ledger, in the transaction of the entries."""
        found: dict[str, Document] = {}
        for entry in entries:
            met = self._met.get(str(entry.there))
            if met is None or entry.type not in FACTS:
                continue
            for each in met.claims:
                take(self._repository.database, each, entry.id, session)
            for doubt in met.doubts:
                self.people.questions.ask(doubt, self.remote.name, session)
            if met.joined:
                found.update([self._found(entry)])
            elif entry.stored and self._grows(entry):
                key, step = f"{self.remote.name}|{entry.there}", {"version": entry.stored.version + 1}
                self.people.unions.came(key, entry.reference, step, session)
        self.people.unions.begin(found, session)

    def settle(self) -> None:
        """Lead references to those who turned out to be here, and follow the remote's merges. The lease on the remote is held."""
        if pages := dict(self.people.unions.all({"moved.remote": self.remote.name, "status": LINKING})):
            self.people.finish(pages)
        follow(self.people, self.remote)

    def _grows(self, entry: Entry) -> bool:
        """Whether the remote changes somebody who may be another than the one that was born there."""
        return entry.type in FACTS and entry.action in ("update", "merge") and str(entry.there) in self.edge.joined

    def _arrives(self, entry: Entry) -> bool:
        """Whether this is its first time here, and it was born at the remote."""
        if entry.there in self.edge.joined:
            # It was found here, and that could not be written.
            return entry.stored is None or entry.stored.link(self.remote.name) is None
        return entry.action == "create" and entry.id == self.edge.made_id(str(entry.there))

    def _matched(self, type: str, entries: list[Entry], join: Join) -> list[Entry]:
        arriving = {entry.there for entry in entries if self._arrives(entry)}
        looked = [entry for entry in entries if entry.there in arriving or _renamed(entry)]
        # Before the search: whom that does not find, the claim's holder is not.
        self._claim(type, [entry for entry in looked if entry.there in arriving])
        here = alike(self.people, type, [entry.theirs or {} for entry in looked])
        result, turns = [], {}
        for entry in entries:
            if entry.there in arriving:
                made = replace(entry, action="create", id=self.edge.made_id(str(entry.there)), stored=None, target=entry.theirs)
                entry = self._arrival(made, here, join)
                if entry.stored:
                    turns[made.reference] = entry.reference
            elif _renamed(entry):
                self._met[str(entry.there)].doubts += self._doubts(entry, here)
            result.append(entry)
        return [_turned(entry, turns) for entry in result] if turns else result

    def _arrival(self, entry: Entry, here: Here, join: Join) -> Entry:
        """An entry for somebody who comes for the first time; `here` learns of it."""
        theirs, met = entry.theirs or {}, self._met[str(entry.there)]
        found = [(one, compare(one.raw, theirs, self.remote.trust)) for one in here.like(theirs) if one.id != entry.id]
        chosen, asked = judged(found)
        if chosen and not chosen.link(self.remote.name):
            entry, met.joined, met.claims = replace(join(entry, chosen), reason=KNOWN), True, []
            here.add(replace(chosen, links=(*chosen.links, Link(self.remote.name, str(entry.there), "", 0))))
            return entry
        met.doubts += [self._doubt(chosen, entry, TWICE)] if chosen else [self._doubt(one, entry, told.why) for one, told in asked]
        now = self.people.clock()
        link = Link(self.remote.name, str(entry.there), "", 0)
        here.add(Stored(entry.type, entry.id, 0, now, False, dumps(theirs), links=(link,)))
        return entry

    def _doubt(self, one: Stored, entry: Entry, why: str) -> Doubt:
        return Doubt(one.reference, entry.reference, why, mark([one.raw, entry.theirs or {}]))

    def _doubts(self, entry: Entry, here: Here) -> list[Doubt]:
        """About somebody who is known and now is identified otherwise."""
        theirs = entry.theirs or {}
        found = [(one, compare(one.raw, theirs, self.remote.trust)) for one in here.like(theirs) if one.id != entry.id]
        return [self._doubt(one, entry, told.why) for one, told in found if told.verdict != OTHER]

    def _claim(self, type: str, entries: Iterable[Entry]) -> None:
        """Read the claims on trusted identifiers; of several on a page with the same one, the first has it."""
        seen: set[tuple[str, str]] = set()
        for entry in entries:
            new = [token for token in tokens(entry.theirs or {}, self.remote.trust) if token not in seen]
            seen.update(new)
            criteria = ([("identifier", "|".join(token))] for token in new)
            self._met[str(entry.there)].claims = [claim(self._repository.database, type, each) for each in criteria]

    def _found(self, entry: Entry) -> tuple[str, Document]:
        """The ledger's page, by its id, of somebody who was here already, and where references to it lead from now on."""
        there, loser = str(entry.there), f"{entry.type}/{self.edge.made_id(str(entry.there))}"
        version = (entry.stored.version if entry.stored else 0) + 1
        union = page(
            entry.reference,
            loser,
            [Link(self.remote.name, there, "", 0)],
            by=f"{KNOWN}, {self.remote.name}",
            at=self.people.clock(),
            came=[{"key": "", "version": version}] if entry.action == "merge" else [],
            theirs=dumps(entry.theirs),
        )
        self.edge.joined[there] = entry.id
        return pair_id(entry.reference, loser), union

    def _said_to_be_one(self, entry: Entry) -> Iterator[Doubt]:
        """What the remote says anew of one patient and another."""
        theirs, before = entry.theirs or {}, entry.stored.raw if entry.stored and not entry.stored.deleted else {}
        for type, why in ((REPLACED_BY, MERGED), (REPLACES, MERGED), (SEE_ALSO, SEE)):
            for other in links_of(theirs, type):
                if split(other) and other != entry.reference and other not in links_of(before, type):
                    pair = (entry.reference, other) if type == REPLACES else (other, entry.reference)
                    yield Doubt(*pair, why, mark([theirs]))


def _renamed(entry: Entry) -> bool:
    """Whether somebody who is known is identified otherwise than before."""
    known = entry.stored if entry.action in ("update", "merge", "conflict") else None
    return known is not None and not known.deleted and identifiers(known.raw) != identifiers(entry.theirs or {})


def _turned(entry: Entry, turns: dict[str, str]) -> Entry:
    """An entry of a page on which some turned out to be here: what refers to them refers to ours."""
    turn = turning(turns)
    return replace(entry, theirs=rewrite(entry.theirs or {}, turn), target=rewrite(entry.target or {}, turn))
