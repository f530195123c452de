"""What an export takes of the store: from candidates of one type, read a batch at a time, those that it is to hold.

Of everything: all there is. Of people: themselves, what is in their records (the patient compartment and their devices), how that came
about (Provenance), and what it refers to in types that are in nobody's record. Groups are in no export of people: they name others too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pymongo.database import Database

from adapter.clock import instant
from adapter.fhir.dates import BEGIN
from adapter.fhir.resource import parse
from adapter.store import compartments, index, order, search
from adapter.store.bounds import is_embedded
from adapter.store.by_id import by_id
from adapter.store.documents import Document
from adapter.store.filters import KEY, PLAIN, Clause, merged
from adapter.store.joins import settled
from adapter.store.membership import record
from adapter.store.order import Place
from adapter.store.query import Query, between
from adapter.store.search_parameters import table
from adapter.sync.exporting.asked import PROVENANCE, SYSTEM, Asked
from adapter.sync.exporting.pace import PIECE, Pace, is_piece

MEMBERS, ABOUT, REFERRED, DELETED = "members", "about", "referred", "deleted"
"""Choices: of a type that people's records have, of Provenance, of other types, and of what was deleted since a time."""

_PATIENT = "Patient/"
# So few people that the index leads to what is theirs; of more, all of a type is looked at.
_FEW = 100
# So many come from the store at once: what is too large for a piece is known after these.
_BATCH = 100
# The embedded store takes time for each field that is asked for: with three instead of seven a type is read a quarter faster.
_SHOWN = {"fhir.version": 1, "fhir.updated": 1, "fhir.raw": 1}
# Others that are referred to refer to them, so they come last.
_LAST = ("Practitioner", "Organization")


def choices(asked: Asked, stored: Iterable[str]) -> list[tuple[str, str]]:
    """(choice, type) in the order in which they are made, of the types that are stored."""
    known = [type for type in sorted(stored) if type in table()]
    wanted = [type for type in known if not asked.types or type in asked.types]
    if asked.level == SYSTEM:
        members, others = [type for type in wanted if type != PROVENANCE or not asked.provenance], []
    else:
        members = [type for type in wanted if type in _recorded() and type != PROVENANCE]
        others = sorted((type for type in wanted if type not in _recorded()), key=lambda type: (type in _LAST, type))
    about = PROVENANCE in known and (asked.provenance or (asked.level != SYSTEM and PROVENANCE in wanted))
    found = [(MEMBERS, type) for type in members] + [(ABOUT, PROVENANCE)] * about + [(REFERRED, type) for type in others if type != "Group"]
    return found + [(DELETED, type) for type in members] * (asked.since > BEGIN)


def _recorded() -> frozenset[str]:
    """The types of people's records, Patient among them."""
    return frozenset(record("Patient")) - {"Group"}


@dataclass(frozen=True)
class Selection:
    """One choice of an export. `people`: references to those whose records are wanted, None for everybody's."""

    asked: Asked
    choice: str
    type: str
    people: frozenset[str] | None = None
    referred: set[str] = field(default_factory=set)
    """What is referred to by what was taken, of types that are in nobody's record. It grows as more is taken."""

    def count(self, database: Database[Document], *, about: bool) -> int:
        """How many resources there are to look at; where it is all of them, `about` so many will do, which costs nothing."""
        bounds = [*between(self.asked.earliest, self.asked.until), *self._of_few()]
        found = database[self.type]
        return found.estimated_document_count() if about and not bounds else found.count_documents(merged([self._there, *bounds]))

    def page(self, database: Database[Document], place: Place | None, before: datetime, pace: Pace) -> tuple[list[Document], Place | None]:
        """The next candidates behind a place, last changed before a time, in order of that; and the place behind them, None at the end.

        With a time that has passed, each is found once, whatever is written meanwhile: who is changed is dated later, and found no more.
        """
        before = min(self.asked.until, before)
        start = datetime.fromisoformat(place[0][0]) if place else self.asked.earliest
        end = pace.end(start, before)
        behind = None if end >= before else ((instant(end),), "")
        if (place is None or not place[1]) and (several := self._between(database, start, end, whole=behind is None)) is not None:
            pace.read(several, more=False)
            return several, behind
        query = Query(self.type, tuple(self._clauses(database)), low=self.asked.earliest, high=end, count=pace.count, after=place)
        found = search.page(database[self.type], query, self._shown())
        documents, more = found[: query.count], len(found) > query.count
        pace.read(documents, more=more)
        if more:
            return documents, order.place(documents[-1], query.sort)
        return documents, behind

    def _between(self, database: Database[Document], start: datetime, end: datetime, *, whole: bool) -> list[Document] | None:
        """All candidates that were last changed in a window of time, in order of that; None where they are more than a piece. `whole`: it
        reaches to now, or nearly.

        Sorted, and read in stretches as pages are, the same takes the embedded store twice the time.
        """
        found, size = list[Document](), 0
        # All of a type is read a quarter faster where no index leads to it.
        query = merged([*self._clauses(database), *([] if start == BEGIN and whole else between(start, end))])
        for document in database[self.type].find(query, self._shown(), limit=PIECE + 1, batch_size=_BATCH):
            found.append(document)
            size += len(document["fhir"]["raw"])
            if not is_piece(len(found), size):
                return None
        return sorted((each for each in found if each["fhir"]["updated"] < end), key=lambda each: (each["fhir"]["updated"], each["_id"]))

    def pace(self, database: Database[Document], number: int) -> Pace:
        """The pace for a step of about so many resources."""
        return Pace(is_embedded(database.client) and number > 2 * PIECE and not self._of_few())

    def changed(self, database: Database[Document], since: datetime) -> list[str]:
        """The ids of the candidates that were last changed at a time or later, all as of one moment."""
        low = max(self.asked.earliest, since)
        if low >= self.asked.until:
            return []
        query = merged([self._there, *self._of_few(), *between(low, self.asked.until)])
        with database.client.start_session() as session, session.start_transaction():
            return [document["_id"] for document in database[self.type].find(query, {"_id": 1}, session=session)]

    def named(self, database: Database[Document], ids: Sequence[str]) -> list[Document]:
        """The candidates that have one of these ids."""
        query = merged([*self._clauses(database), (0, "_id", {"$in": [*ids]})])
        return [*database[self.type].find(query, self._shown(), batch_size=len(ids) + 1)]

    def taken(self, database: Database[Document], documents: list[Document]) -> list[Document]:
        """Those of some candidates that the export is to hold."""
        if self.asked.level == SYSTEM and self.choice != ABOUT:
            return documents
        return _CHOICES[self.choice](self, database, documents)

    def note(self, text: str) -> None:
        """Remember what a resource that was taken refers to outside of people's records."""
        if self.asked.level != SYSTEM:
            self.referred.update(f"{type}/{id}" for type, id in compartments.references(text) if type not in _recorded())

    @property
    def _there(self) -> Clause:
        return PLAIN, "fhir.deleted", self.choice == DELETED

    def _of_few(self) -> list[Clause]:
        """What leads to the records of few people."""
        if self.choice != MEMBERS or self.people is None or len(self.people) > _FEW:
            return []
        if self.type == "Patient":
            return [(0, "_id", {"$in": [each.removeprefix(_PATIENT) for each in sorted(self.people)]})]
        return [(1, KEY, {"$in": sorted(self.people)})]

    def _clauses(self, database: Database[Document]) -> list[Clause]:
        """What one of the searches, and few people, demand of a candidate."""
        if self.choice == DELETED:
            return [self._there]
        queries = [settled(database, query) for query in self.asked.queries(self.type)]
        found = [[*query.clauses, *between(query.low, query.high)] for query in queries]
        one = found[0] if len(found) == 1 else [self._there, (PLAIN, "$or", [merged(clauses) for clauses in found])]
        return [*one, *self._of_few()]

    def _shown(self) -> Document:
        names = () if self.asked.level == SYSTEM else record("Patient").get(self.type, ())
        return {**_SHOWN, **{f"fhir.index.{name}": 1 for name in (("target",) if self.choice == ABOUT else names)}}

    def _is_theirs(self, type: str, id: str, entries: Document) -> bool:
        """Whether a resource is in the record of one of the people."""
        owners = _owners(type, id, entries)
        return bool(owners if self.people is None else owners & self.people)

    def _members(self, _: Database[Document], documents: list[Document]) -> list[Document]:
        return [each for each in documents if self._is_theirs(self.type, each["_id"], each["fhir"].get("index", {}))]

    def _deleted(self, database: Database[Document], documents: list[Document]) -> list[Document]:
        """Those that were theirs in the version before the deletion."""
        before = {f"{self.type}/{each['_id']}/{each['fhir']['version'] - 1}": each for each in documents}
        found = by_id(database["history"], before, {"fhir.raw": 1})
        return [
            before[old["_id"]]
            for old in found
            if self._is_theirs(self.type, before[old["_id"]]["_id"], index.entries(parse(old["fhir"]["raw"])))
        ]

    def _referred(self, _: Database[Document], documents: list[Document]) -> list[Document]:
        return [each for each in documents if f"{self.type}/{each['_id']}" in self.referred]

    def _about(self, database: Database[Document], documents: list[Document]) -> list[Document]:
        """Those that tell of something which is taken: of a type that is asked for, and of one of the people where it is of people."""
        told = {each["_id"]: [*map(_split, each["fhir"].get("index", {}).get("target", ()))] for each in documents}
        narrowed = () if PROVENANCE in self.asked.types else self.asked.types
        wanted: dict[str, set[str]] = defaultdict(set)
        for type, id in (target for targets in told.values() for target in targets):
            if not narrowed or type in narrowed:
                wanted[type].add(id)
        taken = {(type, id) for type, ids in wanted.items() for id in self._held(database, type, ids)}
        return [each for each in documents if taken.intersection(told[each["_id"]])]

    def _held(self, database: Database[Document], type: str, ids: Iterable[str]) -> Iterable[str]:
        if self.asked.level == SYSTEM:
            return ids
        if type not in _recorded():
            return ()
        shown = {f"fhir.index.{name}": 1 for name in record("Patient")[type]}
        found = by_id(database[type], ids, {"_id": 1, **shown})
        return [each["_id"] for each in found if self._is_theirs(type, each["_id"], each.get("fhir", {}).get("index", {}))]


def _owners(type: str, id: str, entries: Document) -> set[str]:
    """References to those in whose record a resource is, by its search index."""
    if type == "Patient":
        return {f"{_PATIENT}{id}"}
    return {each for name in record("Patient").get(type, ()) for each in entries.get(name, ()) if each.startswith(_PATIENT)}


def _split(reference: str) -> tuple[str, str]:
    type, _, id = reference.partition("/")
    return type, id


_CHOICES: dict[str, Callable[[Selection, Database[Document], list[Document]], list[Document]]] = {
    MEMBERS: Selection._members,
    ABOUT: Selection._about,
    REFERRED: Selection._referred,
    DELETED: Selection._deleted,
}
