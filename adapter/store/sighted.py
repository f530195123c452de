"""A database as one viewer sees it: every read of resources and of their history passes the viewer's sight, so that no search, count,
chain, include or history can find what is not to be seen. What is not read through here is not to be had at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from adapter.access.groups import MEMBERSHIP
from adapter.errors import Busy, Forbidden, TooLarge
from adapter.fhir.resource import dumps, parse
from adapter.store.documents import Document
from adapter.store.filters import one_of
from adapter.store.index import OUTSIDE
from adapter.store.matching import matches
from adapter.store.membership import record
from adapter.store.search_parameters import parameters, table
from adapter.store.sight import JUDGED, OWNER, Narrowed, Sight

HISTORY = "history"
# What holds no resource and is asked for by name only: which types there are, the claims and turns of writers, and exports, which none
# finds but who asked for them.
_PLAIN = frozenset(("claims", "state", "served_exports", "jobs"))
_INDEX = "fhir.index."
_OUTSIDE = f"{_INDEX}{OUTSIDE}"
_NOTHING: Document = {"_id": {"$in": []}}
# So many documents are judged at a time, and so many at most where all of them have to be named to the database.
_PIECE, _MOST = 100, 10_000
# So often is computed anew what changed meanwhile.
_TIMES = 5


class SightedDatabase:
    """What the modules of the store read, of a database."""

    def __init__(self, database: Database[Document], sight: Sight) -> None:
        self._database, self._sight = database, sight
        # Who asks the same question at the same time gets the same answer (large.py): never another viewer's.
        self.name = f"{database.name} seen by {id(self)}"

    @property
    def client(self) -> MongoClient[Document]:
        return self._database.client

    def with_options(self, **_: Any) -> "SightedDatabase":
        """The same: it has the options that the store reads with."""
        return self

    def list_collection_names(self) -> list[str]:
        return self._database.list_collection_names()

    def __getitem__(self, name: str) -> "SightedCollection | Collection[Document]":
        """Raises Forbidden for what holds something of patients and is no resource."""
        if name in table() or name == HISTORY:
            return SightedCollection(self._database[name], self._sight)
        if name in _PLAIN:
            return self._database[name]
        raise Forbidden("This needs what is kept beside the resources, which is not for callers of limited sight.")


class SightedCollection:
    """What one viewer may see of a collection: of a type's resources, or of the history."""

    def __init__(self, collection: Collection[Document], sight: Sight) -> None:
        self._collection, self._sight = collection, sight
        self.name = collection.name
        self.full_name = f"{collection.full_name} seen by {sight.name}"

    def find(self, filter: Document | None = None, projection: Document | None = None, **options: Any) -> Iterator[Document]:
        """The documents that are found and may be seen, as they may be seen."""
        narrowed, shown = self._narrowed(self._query(filter)), self._projection(projection)
        if narrowed.exact:
            return map(self._told, self._collection.find(narrowed.filter, shown, **options))
        return map(self._told, self._passed(narrowed, shown, options))

    def find_one(self, filter: Document, projection: Document | None = None, **options: Any) -> Document | None:
        """The first of them."""
        return next(self.find(filter, projection, **options, limit=1), None)

    def count_documents(self, filter: Document, **options: Any) -> int:
        """How many may be seen."""
        narrowed = self._narrowed(self._query(filter))
        if narrowed.exact:
            return self._collection.count_documents(narrowed.filter, **options)
        return sum(1 for _ in self._passed(narrowed, {"_id": 1}, options))

    def aggregate(self, pipeline: Sequence[Document], **options: Any) -> Iterator[Document]:
        """What a pipeline that begins with `$match` makes of what may be seen. Raises Forbidden for any other, and where elements are
        withheld; TooLarge where more would have to be judged than is, and Busy where what may be seen keeps changing."""
        view = self._sight.policy.view(self.name)
        if not pipeline or "$match" not in pipeline[0] or (view and view.withheld):
            raise Forbidden("This is computed of more than may be seen.")
        match, rest = self._query(pipeline[0]["$match"]), pipeline[1:]
        before = self._settled(match)
        for _ in range(_TIMES):
            found = [*self._collection.aggregate([{"$match": before.whole}, *rest], **options)]
            now = self._settled(match) if before.judged else before
            if now == before:
                return iter(found)
            before = now
        raise Busy("What may be seen of this changed while it was computed, each time; try again.")

    def _settled(self, query: Document) -> Narrowed:
        """The filter that finds only what may be seen: where that is judged, by the ids that pass now."""
        narrowed = self._narrowed(query)
        if not narrowed.judged:
            return narrowed
        seen = [document["_id"] for document in self._passed(narrowed, {"_id": 1}, {"limit": _MOST + 1})]
        if len(seen) > _MOST:
            raise TooLarge(f"This is computed of at most {_MOST} resources where each has to be judged by consents; ask for fewer.")
        return Narrowed({**query, "_id": one_of(sorted(seen)) if seen else {"$in": []}}, judged=True)

    def _passed(self, narrowed: Narrowed, projection: Document | None, options: Mapping[str, Any]) -> Iterator[Document]:
        """What is found and may be seen: read in order, sieved, and judged piece by piece, each as it was read, until there are enough."""
        limit = options.get("limit") or None
        more = {**options, "limit": 0, "batch_size": max(_PIECE, options.get("batch_size", 0))}
        looked_at = JUDGED if narrowed.judged else {OWNER: 1}
        wider = {**projection, **looked_at, "_id": 1} if projection and any(projection.values()) else None
        found = filter(narrowed.keeps, self._collection.find(narrowed.filter, wider, **more))
        return islice(self._judged(found, narrowed.filter) if narrowed.judged else found, limit)

    def _judged(self, found: Iterator[Document], query: Document) -> Iterator[Document]:
        piece = [*islice(found, _PIECE)]
        if not piece:
            self._sight.seen(self._type(query), ())
        while piece:
            types = {document["fhir"]["type"] for document in piece}
            seen = {id for type in types for id in self._sight.seen(type, [each for each in piece if each["fhir"]["type"] == type])}
            yield from (document for document in piece if document["_id"] in seen)
            piece = [*islice(found, _PIECE)]

    def _narrowed(self, query: Document) -> Narrowed:
        """The filter that finds what may be seen; what is asked by id, of whatever type, is judged."""
        if _bounded(query):
            return Narrowed(query, judged=True)
        type = self._type(query)
        if not type:
            raise Forbidden("The history of several types is asked one type after the other.")
        return self._sight.narrowed(self._collection, type, query, past=self.name == HISTORY)

    def _type(self, query: Document) -> str:
        """The type of what a query finds; of the history it names the type or ids, else it is empty."""
        if self.name != HISTORY:
            return self.name
        named = query.get("fhir.type", query.get("_id"))
        first = next(iter(named["$in"]), "") if isinstance(named, dict) and "$in" in named else named
        return first.partition("/")[0] if isinstance(first, str) else ""

    def _told(self, document: Document) -> Document:
        """A document without the elements that are withheld."""
        face = document.get("fhir", {})
        type = face.get("type", self.name)
        view = self._sight.policy.view(type)
        if not face.get("raw"):
            return document
        if type in self._sight.policy.by_characteristic:
            return {**document, "fhir": {**face, "raw": dumps(self._sight.told_of(parse(face["raw"])))}}
        if not (view and view.withheld):
            return document
        hidden = {name for element in view.withheld for name in (element, f"_{element}")}
        raw = {name: value for name, value in parse(face["raw"]).items() if name not in hidden}
        return {**document, "fhir": {**face, "raw": dumps(raw)}}

    def _query(self, filter: Document | None) -> Document:
        """The filter, in which what is withheld is not there to be found."""
        query = filter or {}
        hidden = self._hidden()
        said = {path: condition for path, condition in query.items() if path in hidden}
        if any(not matches({path: condition}, {}) for path, condition in said.items()) or _inside(query, hidden):
            return _NOTHING
        told = {path: condition for path, condition in query.items() if path not in said}
        return _by_told(self.name, told, hidden) if hidden else told

    def _projection(self, projection: Document | None) -> Document | None:
        hidden = self._hidden()
        if not projection or not hidden:
            return projection
        told = {path: way for path, way in projection.items() if path not in hidden}
        # With nothing left to be told, or `_id: 0` alone, it would ask for whole documents.
        return told if any(told.values()) or not any(projection.values()) else {"_id": 1}

    def _hidden(self) -> frozenset[str]:
        """The paths of index entries that come from elements that are withheld."""
        view = self._sight.policy.view(self.name)
        withheld = {*(view.withheld if view else ()), *(MEMBERSHIP if self.name in self._sight.policy.by_characteristic else ())}
        if not withheld or self.name not in table():
            return frozenset()
        rows = parameters(self.name).values()
        names = [row.name for row in rows if any(path.split(".")[0].split("[")[0].split(":")[0] in withheld for path in row.paths)]
        return frozenset(f"{_INDEX}{name}{ending}" for name in names for ending in ("", ":text", ":identifier"))


def _inside(query: Document, hidden: frozenset[str]) -> bool:
    """Whether alternatives ask for something that is withheld."""
    parts = (part for path in ("$or", "$and", "$nor") for part in query.get(path, ()))
    return any(path in hidden or _inside(part, hidden) for part in parts for path in part)


def _by_told(type: str, query: Document, hidden: frozenset[str]) -> Document:
    """The filter, in which nothing is a member of a compartment by an element that is withheld: the key alone would find it."""
    nested = [path for path in ("$or", "$and", "$nor") if path in query]
    found: Document = {**query, **{path: [_by_told(type, part, hidden) for part in query[path]] for path in nested}}
    if not isinstance(outside := query.get(_OUTSIDE), dict):
        return found
    reference = str(outside["$ne"])
    paths = [f"{_INDEX}{name}" for name in record(reference.partition("/")[0]).get(type, ())]
    told = [{path: {"$all": [reference]}} for path in paths if path not in hidden]
    if len(told) == len(paths):
        return found
    more = told[0] if len(told) == 1 else {"$or": told} if told else _NOTHING
    return {**found, "$and": [*found.get("$and", ()), more]} if more.keys() & found.keys() else {**found, **more}


def _bounded(query: Document) -> bool:
    """Whether it names the ids that it can find."""
    named = query.get("_id")
    return isinstance(named, str) or (isinstance(named, dict) and "$in" in named)
