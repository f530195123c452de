"""The history of a type or of everything, newest first. http://hl7.org/fhir/R4/http.html#history"""

import base64
import binascii
import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import pymongo
from pymongo.collection import Collection
from pymongo.database import Database

from adapter.clock import instant
from adapter.errors import Invalid
from adapter.fhir.dates import BEGIN, END, Span
from adapter.store.documents import Document, Stored

_FACE = {"fhir.index": 0}
_MADE = {"fhir.version": 1, "fhir.updated": 1, "fhir.deleted": 1}
_MILLISECOND = timedelta(milliseconds=1)
# So many versions are read at once, at least, where of those read before too few were to be shown.
_PIECE = 200
_Place = tuple[datetime, str, str, int]
Shows = Callable[[Stored], bool]
"""Whether a version is to be shown."""


@dataclass(frozen=True)
class Page:
    """Some versions, newest first, and the cursor of the next page; None on the last."""

    versions: list[Stored]
    cursor: str | None
    total: int | None = None
    """The number of versions on all pages, where it costs nothing to say."""


def page(
    database: Database[Document],
    types: Iterable[str],
    *,
    since: datetime = BEGIN,
    at: Span | None = None,
    count: int,
    cursor: str | None = None,
    shows: Shows | None = None,
) -> Page:
    """The versions of the resources of these types that were made at `since` or later and were current at some moment of `at`.

    With `shows` there is nothing of others on a page, nor in its cursor. Raises Invalid for a cursor that is not ours.
    """
    after = _after(cursor) if cursor else None
    wanted, size = sorted(types), count + 1
    found: list[Stored] = []
    while True:
        rows = _behind(database, wanted, since, at[1] if at else END, after, size)
        found += _shown(_current(database, rows, at[0]) if at else rows, shows)
        if len(found) > count or len(rows) < size:
            return Page(found[:count], _cursor(found[count - 1]) if len(found) > count else None)
        after, size = _place(rows[-1]), max(size, _PIECE)


def page_of(
    database: Database[Document],
    newest: Stored,
    *,
    since: datetime = BEGIN,
    at: Span | None = None,
    count: int,
    below: int | None,
    shows: Shows | None = None,
    whole: bool = True,
) -> Page:
    """The same of one resource, of which `newest` is the current version, from the version before `below`; without `shows` with the number
    of all. `whole`: every version that there was can be read.
    """
    numbers = [*range(newest.version, 0, -1)] if whole and since == BEGIN and at is None else _chosen(database, newest, since, at)
    behind, size = [number for number in numbers if below is None or number < below], count + 1
    found: list[Stored] = []
    while behind and len(found) <= count:
        found += _shown(_numbered(database, newest, behind[:size]), shows)
        behind, size = behind[size:], max(size, _PIECE)
    cursor = str(found[count - 1].version) if len(found) > count else None
    return Page(found[:count], cursor, None if shows else len(numbers))


def _shown(versions: list[Stored], shows: Shows | None) -> list[Stored]:
    return [*filter(shows, versions)] if shows else versions


def _numbered(database: Database[Document], newest: Stored, numbers: list[int]) -> list[Stored]:
    """These versions of one resource, newest first."""
    ids = [f"{newest.reference}/{number}" for number in numbers if number != newest.version]
    versions = [Stored.of(document) for document in database["history"].find({"_id": {"$in": ids}}, _FACE)] if ids else []
    versions += [newest] if newest.version in numbers else []
    return sorted(versions, key=lambda stored: -stored.version)


def _chosen(database: Database[Document], newest: Stored, since: datetime, at: Span | None) -> list[int]:
    """The numbers of the versions of one resource that were made since, and current at some moment of `at`."""
    old = database["history"].find({"_id": {"$in": [f"{newest.reference}/{number}" for number in range(1, newest.version)]}}, _MADE)
    made = {face["version"]: (face["updated"], face["deleted"]) for face in (document["fhir"] for document in old)}
    made[newest.version] = newest.updated, newest.deleted
    found = []
    for number in sorted(made, reverse=True):
        updated, deleted = made[number]
        until = made.get(number + 1, (END, False))[0]
        if updated >= since and (at is None or _was_current(updated, deleted, until, at)):
            found.append(number)
    return found


def _was_current(updated: datetime, deleted: bool, until: datetime, at: Span) -> bool:
    """Whether a version counted at some moment of `at`; a deletion is nothing afterwards, so it counts at its own moment only."""
    return updated < at[1] and until > at[0] and (updated >= at[0] or not deleted)


def _current(database: Database[Document], rows: list[Stored], low: datetime) -> list[Stored]:
    """Those of `rows` that were current at `low` or made later."""
    older = [stored for stored in rows if stored.updated < low and not stored.deleted]
    following = [f"{stored.reference}/{stored.version + 1}" for stored in older]
    until = {document["_id"]: document["fhir"]["updated"] for document in database["history"].find({"_id": {"$in": following}}, _MADE)}
    for type in {stored.type for stored in older}:
        ids = [stored.id for stored in older if stored.type == type]
        for document in database[type].find({"_id": {"$in": ids}}, _MADE):
            until[f"{type}/{document['_id']}/{document['fhir']['version']}"] = document["fhir"]["updated"]
    kept = {id(stored) for stored in older if until.get(f"{stored.reference}/{stored.version + 1}", END) > low}
    return [stored for stored in rows if stored.updated >= low or id(stored) in kept]


def _behind(
    database: Database[Document], types: Iterable[str], since: datetime, end: datetime, after: _Place | None, limit: int
) -> list[Stored]:
    """The next versions after a place, newest first."""
    sources = [_versions(database[type], {}, since, end, after, limit) for type in types]
    sources += [_versions(database["history"], {"fhir.type": type}, since, end, after, limit) for type in types]
    return [*islice(heapq.merge(*sources, key=_place, reverse=True), limit)]


def _versions(
    collection: Collection[Document], query: Document, since: datetime, end: datetime, after: _Place | None, limit: int
) -> Iterator[Stored]:
    """What one collection has behind `after`, in order, and enough of it."""
    found: list[Stored] = []
    if after:
        end = after[0]
        ties = map(Stored.of, collection.find({"fhir.updated": {"$gte": end, "$lt": end + _MILLISECOND}, **query}, _FACE))
        found = [stored for stored in ties if _place(stored) < after]
    order = [("fhir.updated", pymongo.DESCENDING), ("fhir.id", pymongo.DESCENDING), ("fhir.version", pymongo.DESCENDING)]
    older = collection.find({"fhir.updated": {"$gte": since, "$lt": end}, **query}, _FACE, sort=order, limit=limit, batch_size=limit)
    return iter(sorted([*found, *map(Stored.of, older)], key=_place, reverse=True))


def _place(stored: Stored) -> _Place:
    return stored.updated, stored.type, stored.id, stored.version


def _cursor(stored: Stored) -> str:
    return base64.urlsafe_b64encode(json.dumps([instant(stored.updated), *_place(stored)[1:]]).encode()).decode().rstrip("=")


def _after(text: str) -> _Place:
    try:
        told, type, id, version = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        moment = datetime.fromisoformat(told)
        if not (BEGIN <= moment < END and isinstance(type, str) and isinstance(id, str) and isinstance(version, int)):
            raise ValueError
        return moment, type, id, version
    except (ValueError, TypeError, binascii.Error):
        raise Invalid("The parameter _cursor is not one of a next link.", expression=["_cursor"]) from None
