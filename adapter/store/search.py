"""Run a Query: a page of what it finds now. http://hl7.org/fhir/R4/search.html"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import pymongo
from pymongo.collection import Collection
from pymongo.database import Database

from adapter.fhir.dates import BEGIN, END
from adapter.store import order
from adapter.store.documents import Document
from adapter.store.faces import Faces
from adapter.store.filters import KEY, UPDATED, Clause, merged
from adapter.store.includes import MAX_INCLUDED, included, shown
from adapter.store.joins import settled
from adapter.store.large import large
from adapter.store.order import Order, Place
from adapter.store.query import CONTROLS, DEFAULT_COUNT, MAX_COUNT, Include, Query, between, parse
from adapter.store.rows import Row

__all__ = ["CONTROLS", "DEFAULT_COUNT", "MAX_COUNT", "MAX_INCLUDED", "Include", "Query", "Result", "Row"]
__all__ += ["ensure_indexes", "parse", "run", "total"]

_ID, _UPDATED = "_id", "fhir.updated"
_FIELDS = {"_id": _ID, "_lastUpdated": _UPDATED}
# The embedded store reads all that a filter selects before it looks at the limit, so a page of a whole type is looked for in stretches of
# time that grow until it is full: five look-ups reach over all of time.
_STRETCHES = (timedelta(seconds=1), timedelta(minutes=20), timedelta(days=14), timedelta(weeks=1600), END - BEGIN)
_MILLISECOND = timedelta(milliseconds=1)
_BY: dict[str, Callable[[Document], Any]] = {
    "_id": itemgetter("_id"),
    "_lastUpdated": lambda document: (document["fhir"]["updated"], document["_id"]),
}
# Where pages ended when they were last read. What has changed since makes a look-up longer or adds another, and no answer different.
_ENDS: dict[Hashable, datetime] = {}
_MOST_ENDS = 10_000


@dataclass(frozen=True)
class Result:
    """A page of rows. `total` is None where counting was neither asked for nor free."""

    rows: list[Row]
    included: list[Row]
    total: int | None
    cursor: str | None
    """The `_cursor` of the next page, None on the last."""
    cut: bool = False
    """Whether more would be included than is told."""


_Found = tuple[list[Document], Place | None, int | None]
"""The documents of a page, its last place where there is a next one, and how many are found on all pages where that is known."""


def run(database: Database[Document], query: Query, faces: Faces | None = None) -> Result:
    """A page of what the query finds now. The next begins behind this one's last sort value and id: no unchanged row is lost or doubled.

    What is included is read by `faces`, so that it is shared with what else is read at the same time. Raises Invalid where a value set or
    code system that is asked for is not stored here.
    """
    if query.joins or not query.keyed:
        return large(database, repr(query), lambda: _answer(database, query, faces or Faces(database)))
    return _answer(database, query, faces or Faces(database))


def _answer(database: Database[Document], query: Query, faces: Faces) -> Result:
    query = settled(database, query)
    collection = database[query.type]
    if not query.count:
        return Result([], [], collection.count_documents(query.filter), None)
    simple = len(query.sort) == 1 and query.sort[0].code in _FIELDS
    documents, last, counted = (_keyset if simple else _sorted)(collection, query)
    if query.accurate and counted is None:
        counted = collection.count_documents(query.filter)
    brought, cut = included(database, faces, query, documents) if query.includes else ([], False)
    following = order.cursor(query.sort, last) if last else None
    return Result([*map(Row.of, documents)], brought, counted, following, cut)


def total(database: Database[Document], query: Query) -> int:
    """How many resources a query finds now, on all its pages."""
    return database[query.type].count_documents(settled(database, query).filter)


def ensure_indexes(database: Database[Document], type: str) -> None:
    """Make the indexes of a type's collection, and those of the history, where they are missing."""
    database[type].create_indexes(
        [
            pymongo.IndexModel([(KEY, 1)], name="search"),
            pymongo.IndexModel([("fhir.updated", 1), ("_id", 1)], name="updated"),
        ]
    )
    database["history"].create_indexes([pymongo.IndexModel([("fhir.updated", 1)], name="updated")])


def _keyset(collection: Collection[Document], query: Query) -> _Found:
    """What is found in order of id or of change."""
    found = page(collection, query, shown(query.type, query.includes))
    documents, more = found[: query.count], len(found) > query.count
    last = order.place(documents[-1], query.sort) if more else None
    return documents, last, len(documents) if not more and query.after is None else None


def _sorted(collection: Collection[Document], query: Query) -> _Found:
    """What is found in any other order. Places are made of all that is found; text is read for the page only.

    Where the page ends is said by the places alone: what changes or goes away before its text is read takes no other row with it.
    """
    places = [order.place(document, query.sort) for document in collection.find(query.filter, order.shown(query.sort))]
    left = places if query.after is None else order.behind(places, query.after, query.sort)
    chosen = order.in_order(left, query.sort)[: query.count]
    ids = [id for _, id in chosen]
    wanted = {"_id": {"$in": ids}, "fhir.deleted": False}
    by_id = {document["_id"]: document for document in collection.find(wanted, shown(query.type, query.includes))}
    return [by_id[id] for id in ids if id in by_id], chosen[-1] if len(left) > len(chosen) else None, len(places)


def page(collection: Collection[Document], query: Query, shown: Document) -> list[Document]:
    """The documents of a page in order of id or of change, and one more where there is a next page. `shown` is the projection."""
    [sort] = query.sort
    way = pymongo.DESCENDING if sort.descending else pymongo.ASCENDING
    by = [("_id", way)] if sort.code == "_id" else [(_UPDATED, way), ("_id", way)]
    asked = collection.full_name, repr(query.filter), query.sort, query.count
    if query.keyed and query.after is None and (asked, None) not in _ENDS:
        # Sorting takes the embedded store a quarter of the time, and what a key leads to mostly fits a page.
        found = [*collection.find(query.filter, shown, limit=query.count + 1, batch_size=query.count + 1)]
        if len(found) <= query.count:
            return sorted(found, key=_BY[sort.code], reverse=sort.descending)
    found = []
    for clauses in _stretches(query, sort, _ENDS.get((asked, query.after))):
        limit = query.count + 1 - len(found)
        found += collection.find(merged([*query.clauses, *clauses]), shown, sort=by, limit=limit, batch_size=limit)
        if len(found) > query.count:
            break
    if len(found) > query.count > 0:
        _learn(asked, query, found)
    return found


def _learn(asked: Hashable, query: Query, found: list[Document]) -> None:
    """Remember where this page ended, and guess where the next will."""
    first, last = found[0]["fhir"]["updated"], found[-1]["fhir"]["updated"]
    if len(_ENDS) >= _MOST_ENDS:
        _ENDS.clear()
    _ENDS[asked, query.after] = last
    _ENDS.setdefault((asked, order.place(found[query.count - 1], query.sort)), last + (last - first))


def _stretches(query: Query, sort: Order, end: datetime | None) -> Iterator[list[Clause]]:
    """What is behind the page before, in one piece or, in order of change and with no key, in pieces that grow.

    The first of them reaches to `end`, where one is known.
    """
    low, high = query.low, query.high
    if query.after is not None:
        (text,), id = query.after
        behind: Clause = (UPDATED, "_id", {"$lt" if sort.descending else "$gt": id})
        if sort.code == "_id":
            yield [*between(low, high), behind]
            return
        value = datetime.fromisoformat(text)
        yield [*between(value, value + _MILLISECOND), behind]
        low, high = (low, min(high, value)) if sort.descending else (max(low, value + _MILLISECOND), high)
    if query.keyed or sort.code == "_id":
        yield between(low, high)
        return
    start = high if sort.descending else low
    for width in (*([abs(end - start) + _MILLISECOND] if end else ()), *_STRETCHES):
        if low < high:
            middle = high - min(width, high - low) if sort.descending else low + min(width, high - low)
            yield between(middle, high) if sort.descending else between(low, middle)
            low, high = (low, middle) if sort.descending else (middle, high)
