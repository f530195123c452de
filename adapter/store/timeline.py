"""The history of a type or of everything, newest first. http://hl7.org/fhir/R4/http.html#history"""

import base64
import binascii
import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pymongo
from pymongo.collection import Collection
from pymongo.database import Database

from adapter.clock import instant
from adapter.errors import Invalid
from adapter.store.dates import BEGIN, END
from adapter.store.documents import Document, Stored

_FACE = {"fhir.index": 0, "record": 0}
_MILLISECOND = timedelta(milliseconds=1)
_Place = tuple[datetime, str, str, int]


@dataclass(frozen=True)
class Page:
    """Some versions, newest first, and the cursor of the next page; None on the last."""

    versions: list[Stored]
    cursor: str | None


def page(database: Database[Document], types: Iterable[str], *, since: datetime = BEGIN, count: int, cursor: str | None = None) -> Page:
    """The versions of the resources of these types that were made at `since` or later. Raises Invalid for a cursor that is not ours."""
    after = _after(cursor) if cursor else None
    wanted = sorted(types)
    sources = [_versions(database[type], {}, since, after, count) for type in wanted]
    sources += [_versions(database["history"], {"fhir.type": type}, since, after, count) for type in wanted]
    found = list(heapq.merge(*sources, key=_place, reverse=True))
    rows = found[:count]
    return Page(rows, _cursor(rows[-1]) if len(found) > count and rows else None)


def _versions(collection: Collection[Document], query: Document, since: datetime, after: _Place | None, count: int) -> Iterator[Stored]:
    """What one collection has behind `after`, in order, and enough of it."""
    end = END
    found: list[Stored] = []
    if after:
        end = after[0]
        ties = map(Stored.of, collection.find({"fhir.updated": {"$gte": end, "$lt": end + _MILLISECOND}, **query}, _FACE))
        found = [stored for stored in ties if _place(stored) < after]
    order = [("fhir.updated", pymongo.DESCENDING), ("fhir.id", pymongo.DESCENDING), ("fhir.version", pymongo.DESCENDING)]
    limit = count + 1
    older = collection.find({"fhir.updated": {"$gte": since, "$lt": end}, **query}, _FACE, sort=order, limit=limit, batch_size=limit)
    return iter(sorted([*found, *map(Stored.of, older)], key=_place, reverse=True))


def _place(stored: Stored) -> _Place:
    return stored.updated, stored.type, stored.id, stored.version


def _cursor(stored: Stored) -> str:
    return base64.urlsafe_b64encode(json.dumps([instant(stored.updated), *_place(stored)[1:]]).encode()).decode().rstrip("=")


def _after(text: str) -> _Place:
    try:
        moment, type, id, version = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not (isinstance(type, str) and isinstance(id, str) and isinstance(version, int)):
            raise ValueError
        return datetime.fromisoformat(moment), type, id, version
    except (ValueError, TypeError, binascii.Error):
        raise Invalid("The parameter _cursor is not one of a next link.", expression=["_cursor"]) from None
