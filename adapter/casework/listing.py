"""Records of a concept in pages, in the order in which they were last changed.

A page begins behind the last record of the page before, so no unchanged record is lost or doubled, whatever is written meanwhile; one that
is changed comes again at the end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from adapter.cases.fields import Choice, Ref
from adapter.cases.registry import RECORDS, TYPES
from adapter.casework.records import Kept, read, whole
from adapter.clock import instant
from adapter.errors import CasebridgeError, Invalid
from adapter.fhir.dates import BEGIN
from adapter.store import order, search
from adapter.store.filters import KEY, PLAIN, Clause
from adapter.store.order import Order
from adapter.store.repository import Repository
from adapter.store.rows import Row

USUAL, MOST = 50, 200
"""Records on a page, and at most."""
# How many are looked at for a page of those that a filter leaves. What an index leads to is less; else the page is short and says so.
_LOOKED_AT = 1000
_SORT = (Order("_lastUpdated"),)
# References by which an index leads to a record; the others are looked at in each record.
_INDEXED = ("client", "case_manager")
_CASE = "case"
# Concepts of which a record has one of several faces, and not all of them.
_ALTERNATIVES = frozenset({"stakeholder"})


@dataclass(frozen=True)
class Page:
    """Some records, and the cursor of the next page; None on the last. A page may be short and still have a next."""

    records: list[Kept]
    cursor: str | None


@cache
def filters(concept: str) -> tuple[str, ...]:
    """The fields that a list of this concept can be filtered by: those that hold one word of a closed list, or one reference."""
    kind = RECORDS[concept]
    return tuple(name for name in kind.keys() if isinstance(kind.field(name), Choice | Ref))  # noqa: SIM118 - a class method


def page(
    repository: Repository,
    concept: str,
    wanted: Mapping[str, str],
    *,
    since: datetime = BEGIN,
    cursor: str | None = None,
    limit: int = USUAL,
) -> Page:
    """The records whose fields have these values, changed at `since` or later. Raises Invalid for a cursor that is not one of these lists.

    A `case` that is not here has no records.
    """
    found: list[Kept] = []
    last = ""
    clauses = _clauses(repository, concept, wanted)
    if clauses is None:
        return Page([], None)
    # One more than the page says whether there is a next; where a filter leaves some, it takes many to fill it.
    batch = limit + 1 if wanted.keys() <= {*_INDEXED} else MOST
    for looked, (place, kept) in enumerate(_records(repository, concept, clauses, since, cursor, batch)):
        if len(found) == limit or looked == _LOOKED_AT:
            return Page(found, last)
        last = place
        if all(kept.fields.get(name) == value for name, value in wanted.items()):
            found.append(kept)
    return Page(found, None)


def _clauses(repository: Repository, concept: str, wanted: Mapping[str, str]) -> list[Clause] | None:
    keys = [wanted[name] for name in _INDEXED if name in wanted]
    if not keys and _CASE in wanted and "client" in RECORDS[concept].keys():  # noqa: SIM118 - a class method
        # Few types of FHIR can be searched by a case, all of these by its client.
        try:
            keys = [read(repository, _CASE, wanted[_CASE].partition("/")[2]).fields["client"]]
        except CasebridgeError:
            return None
    led: list[Clause] = [(2, KEY, keys[0])] if keys else []
    return [*led, (PLAIN, "concept", concept), (PLAIN, "fhir.deleted", False)]


def _records(
    repository: Repository, concept: str, clauses: list[Clause], since: datetime, cursor: str | None, batch: int
) -> Iterator[tuple[str, Kept]]:
    """The records behind a cursor, each with the cursor of its own place; so many are read at once."""
    types = _types(concept)
    first, after = _after(cursor, types) if cursor else (0, None)
    for type in types[first:]:
        repository.collection(type)
        more = True
        while more:
            query = search.Query(type, tuple(clauses), low=since, count=batch, after=after, sort=_SORT)
            found = search.run(repository.database, query)
            more = found.cursor is not None
            for row, kept in _whole(repository, concept, type, found.rows):
                yield f"{type}.{order.cursor(_SORT, ((instant(row.updated),), row.id))}", kept
            after = order.after(found.cursor, _SORT) if found.cursor else None


def _after(cursor: str, types: tuple[str, ...]) -> tuple[int, order.Place]:
    type, _, rest = cursor.partition(".")
    try:
        return types.index(type), order.after(rest, _SORT)
    except (ValueError, Invalid):
        raise Invalid("The cursor is not one of a page of this same list.", expression=["cursor"]) from None


def _types(concept: str) -> tuple[str, ...]:
    """Where the records of a concept are listed: by the first of its faces, or by each of its alternatives."""
    return TYPES[concept] if concept in _ALTERNATIVES else TYPES[concept][:1]


def _whole(repository: Repository, concept: str, type: str, rows: list[Row]) -> Iterator[tuple[Row, Kept]]:
    beside = () if concept in _ALTERNATIVES else TYPES[concept][1:]
    ids = [row.id for row in rows]
    faces = [repository.find_many(each, ids) for each in (type, *beside)]
    for row in rows:
        there = [face[row.id] for face in faces if row.id in face and (face[row.id].deleted or face[row.id].concept == concept)]
        # What was deleted since the list was made is not on it.
        if any(not stored.deleted for stored in there):
            yield row, whole(concept, row.id, there)
