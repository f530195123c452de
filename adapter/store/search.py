"""Search: query parameters → Query (pure) → a page of resources. http://hl7.org/fhir/R4/search.html"""

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pymongo
from pymongo.collection import Collection
from pymongo.database import Database

from adapter.clock import instant
from adapter.errors import Invalid
from adapter.store.dates import BEGIN, END
from adapter.store.documents import Document
from adapter.store.filters import KEY, PLAIN, UPDATED, Clause, conditions, malformed, merged, plain, split, updated
from adapter.store.search_parameters import parameters

DEFAULT_COUNT, MAX_COUNT = 50, 1000
# Say how to answer, not what to find. `_format` and `_pretty` are the HTTP layer's.
CONTROLS = frozenset({"_count", "_cursor", "_format", "_include", "_pretty", "_revinclude", "_sort", "_summary", "_total"})
_SORTS = {"_id": "_id", "_lastUpdated": "fhir.updated"}
_ROW = {"fhir.type": 1, "fhir.id": 1, "fhir.version": 1, "fhir.updated": 1, "fhir.raw": 1}
_INCLUDED_AT_ONCE = 1000
# The embedded store reads all that a filter selects before it looks at the limit, so a page of a whole type is looked for in stretches of
# time that grow until it is full: five look-ups reach over all of time.
_STRETCHES = (timedelta(seconds=1), timedelta(minutes=20), timedelta(days=14), timedelta(weeks=1600), END - BEGIN)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Include:
    """`_include` where `source` is the searched type, `_revinclude` where `target` is."""

    source: str
    parameter: str
    target: str | None


@dataclass(frozen=True)
class Query:
    """A search of one type, ready to run."""

    type: str
    clauses: tuple[Clause, ...]
    low: datetime = BEGIN
    """What is found was last updated then or later, and before `high`."""
    high: datetime = END
    sort: str = "fhir.updated"
    descending: bool = False
    count: int = DEFAULT_COUNT
    after: tuple[Any, str] | None = None
    """(sort value, id) of the last row of the page before."""
    accurate: bool = False
    """Whether the total must be told, whatever it costs."""
    includes: tuple[Include, ...] = ()
    revincludes: tuple[Include, ...] = ()
    ignored: tuple[str, ...] = ()
    """Names of parameters that were not understood and, under lenient handling, left out."""

    @property
    def filter(self) -> Document:
        """What a resource must fulfil to be found, on whatever page."""
        return merged([*self.clauses, *_updated(self.low, self.high)])

    @property
    def keyed(self) -> bool:
        """Whether an index leads to what is found without a look at the rest of the type."""
        return any(path in (KEY, "_id") for _, path, _ in self.clauses)


@dataclass(frozen=True)
class Row:
    """A resource that was found: its text is what a read answers."""

    type: str
    id: str
    version: int
    updated: datetime
    text: str


@dataclass(frozen=True)
class Result:
    """A page of rows. `total` is None where counting was neither asked for nor free."""

    rows: list[Row]
    included: list[Row]
    total: int | None
    cursor: str | None
    """The `_cursor` of the next page, None on the last."""


def parse(type: str, params: Iterable[tuple[str, str]], *, strict: bool = True, base: str | None = None) -> Query:
    """The query that decoded name=value pairs mean. `base` is the server's own: absolute references that begin with it are local.

    Raises Invalid, naming the parameter, where a value is malformed or, under `strict`, a name is unknown; NotFound for an unknown type.
    """
    rows = parameters(type)
    clauses: list[Clause] = [(PLAIN, "fhir.deleted", False)]
    controls: dict[str, list[str]] = defaultdict(list)
    ignored = []
    low, high = BEGIN, END
    for name, value in params:
        code, _, modifier = name.partition(":")
        if name in CONTROLS:
            controls[name].append(value)
        elif code not in rows:
            if strict:
                raise Invalid(f"{type} has no search parameter {plain(name)} here; metadata lists those it has.", expression=[plain(name)])
            ignored.append(plain(name))
        elif not value:
            raise malformed(name, "a value")
        elif code == "_lastUpdated" and not modifier:
            ranges = updated(code, split(value, ","))
            if len(ranges) == 1:
                low, high = max(low, ranges[0][0]), min(high, ranges[0][1])
            else:
                clauses.append((PLAIN, "$or", [{"fhir.updated": {"$gte": start, "$lt": end}} for start, end in ranges]))
        else:
            clauses += conditions(rows[code], modifier, split(value, ","), base)
    return _controlled(Query(type, tuple(clauses), low, high, ignored=tuple(ignored)), controls)


def run(database: Database[Document], query: Query) -> Result:
    """A page of what the query finds now. The next begins behind this one's last sort value and id: no unchanged row is lost or doubled."""
    collection = database[query.type]
    if not query.count:
        return Result([], [], collection.count_documents(query.filter), None)
    found = _page(collection, query)
    documents, more = found[: query.count], len(found) > query.count
    rows = [_row(document) for document in documents]
    total = len(rows) if not more and query.after is None else None
    if query.accurate and total is None:
        total = collection.count_documents(query.filter)
    return Result(rows, _included(database, query, documents), total, _cursor(query, rows[-1]) if more else None)


def ensure_indexes(database: Database[Document], type: str) -> None:
    """Make the indexes of a type's collection, and those of the history, where they are missing."""
    database[type].create_indexes(
        [
            pymongo.IndexModel([(KEY, 1)], name="search"),
            pymongo.IndexModel([("fhir.updated", 1), ("_id", 1)], name="updated"),
            pymongo.IndexModel([("links.key", 1)], name="links", unique=True, sparse=True),
            pymongo.IndexModel([("outbox", 1)], name="outbox", sparse=True),
        ]
    )
    database["history"].create_indexes([pymongo.IndexModel([("fhir.updated", 1)], name="updated")])


def _controlled(query: Query, controls: dict[str, list[str]]) -> Query:
    count, accurate = _count(controls), _one(controls, "_total", ("none", "estimate", "accurate"), "none") != "none"
    if _one(controls, "_summary", ("false", "count"), "false") == "count":
        count = 0
    sort = controls["_sort"][-1] if controls["_sort"] else "_lastUpdated"
    field = _SORTS.get(sort.removeprefix("-"))
    if field is None:
        raise malformed("_sort", "_lastUpdated or _id, with a leading minus for the reverse order")
    return replace(
        query,
        sort=field,
        descending=sort.startswith("-"),
        count=count,
        after=_after(controls["_cursor"][-1], field) if controls["_cursor"] else None,
        accurate=accurate,
        includes=tuple(_include(query.type, "_include", value) for value in controls["_include"]),
        revincludes=tuple(_include(query.type, "_revinclude", value) for value in controls["_revinclude"]),
    )


def _count(controls: dict[str, list[str]]) -> int:
    text = controls["_count"][-1] if controls["_count"] else str(DEFAULT_COUNT)
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise malformed("_count", "a whole number that is not negative")
    return min(int(text), MAX_COUNT)


def _one(controls: dict[str, list[str]], name: str, choices: Sequence[str], default: str) -> str:
    value = controls[name][-1] if controls[name] else default
    if value not in choices:
        raise malformed(name, f"one of {', '.join(choices)}; others are not served")
    return value


def _include(type: str, name: str, value: str) -> Include:
    source, _, rest = value.partition(":")
    parameter, _, target = rest.partition(":")
    forward = name == "_include"
    if (forward and source != type) or (not forward and target not in ("", type)):
        raise malformed(name, f"Type:parameter or Type:parameter:Target that starts or ends at {type}")
    row = parameters(source).get(parameter)
    if row is None or row.kind != "reference":
        raise malformed(name, f"a reference parameter of {source}")
    return Include(source, parameter, target or None)


def _page(collection: Collection[Document], query: Query) -> list[Document]:
    """The page's documents, and one more where there is a next page."""
    shown = {**_ROW, **{f"fhir.index.{include.parameter}": 1 for include in query.includes}}
    way = pymongo.DESCENDING if query.descending else pymongo.ASCENDING
    order = [("_id", way)] if query.sort == "_id" else [(query.sort, way), ("_id", way)]
    found: list[Document] = []
    for clauses in _stretches(query):
        limit = query.count + 1 - len(found)
        found += collection.find(merged([*query.clauses, *clauses]), shown, sort=order, limit=limit, batch_size=limit)
        if len(found) > query.count:
            break
    return found


def _stretches(query: Query) -> Iterator[list[Clause]]:
    """What is behind the page before, in one piece or, in order of change and with no key, in pieces that grow."""
    low, high = query.low, query.high
    if query.after is not None:
        value, id = query.after
        behind: Clause = (UPDATED, "_id", {"$lt" if query.descending else "$gt": id})
        if query.sort == "_id":
            yield [*_updated(low, high), behind]
            return
        yield [*_updated(value, value + _MILLISECOND), behind]
        low, high = (low, min(high, value)) if query.descending else (max(low, value + _MILLISECOND), high)
    if query.keyed or query.sort == "_id":
        yield _updated(low, high)
        return
    for width in _STRETCHES:
        if low < high:
            middle = high - min(width, high - low) if query.descending else low + min(width, high - low)
            yield _updated(middle, high) if query.descending else _updated(low, middle)
            low, high = (low, middle) if query.descending else (middle, high)


def _updated(low: datetime, high: datetime) -> list[Clause]:
    return [] if (low, high) == (BEGIN, END) else [(UPDATED, "fhir.updated", {"$gte": low, "$lt": high})]


def _cursor(query: Query, row: Row) -> str:
    value = instant(row.updated) if query.sort == "fhir.updated" else ""
    return base64.urlsafe_b64encode(json.dumps([query.sort, value, row.id]).encode()).decode().rstrip("=")


def _after(text: str, sort: str) -> tuple[Any, str]:
    try:
        field, value, id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if field != sort or not isinstance(id, str):
            raise ValueError
        return (datetime.fromisoformat(value) if sort == "fhir.updated" else value), id
    except (ValueError, TypeError, binascii.Error):
        raise malformed("_cursor", "the value of a next link of this same search") from None


def _included(database: Database[Document], query: Query, documents: list[Document]) -> list[Row]:
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    for include in query.includes:
        for document in documents:
            for text in document["fhir"].get("index", {}).get(include.parameter, ()):
                type, slash, id = text.partition("/")
                if slash and type.isalpha() and include.target in (None, type):
                    wanted[type][id] = None
    here = {(query.type, document["fhir"]["id"]) for document in documents}
    found = {}
    for type, ids in wanted.items():
        for document in database[type].find({"_id": {"$in": list(ids)}, "fhir.deleted": False}, _ROW):
            found[type, document["fhir"]["id"]] = _row(document)
    targets = [f"{query.type}/{id}" for _, id in here]
    for include in query.revincludes if targets else ():
        condition = {KEY: {"$in": targets}, f"fhir.index.{include.parameter}": {"$in": targets}, "fhir.deleted": False}
        for document in database[include.source].find(condition, _ROW, limit=_INCLUDED_AT_ONCE):
            found[include.source, document["fhir"]["id"]] = _row(document)
    return [row for key, row in found.items() if key not in here]


def _row(document: Document) -> Row:
    face = document["fhir"]
    return Row(face["type"], face["id"], face["version"], face["updated"], face["raw"])
