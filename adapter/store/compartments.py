"""What belongs to a patient, and what that refers to: read as stored text, one query a type."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database

from adapter.fhir.dates import BEGIN, END
from adapter.store.documents import Document
from adapter.store.filters import belonging
from adapter.store.large import large
from adapter.store.rows import FACE, Row

# In stored text a quotation mark inside a string has a backslash before it, so this finds elements only. A literal reference to a
# resource of this server, or an attachment's.
_REFERENCE = re.compile(r'"(?:reference|url)":"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?"')
# One round trip where the driver's own first batch of 101 documents takes two.
_BATCH = 1000


def members(
    database: Database[Document], code: str, id: str, type: str, *, since: datetime = BEGIN, after: str = "", limit: int = 0
) -> list[Row]:
    """Resources of a type in the record of `code/id`, by id, those behind the id `after`; `limit` 0 means all."""
    query = belonging(code, id) | _window(since) | ({"_id": {"$gt": after}} if after else {})
    return large(database, (code, id, type, since, after, limit), lambda: _read(database[type], query, limit))


def _read(collection: Collection[Document], query: Document, limit: int) -> list[Row]:
    def found(most: int, **more: Any) -> list[Row]:
        return [*map(Row.of, collection.find(query, FACE, batch_size=_BATCH, limit=most, **more))]

    # Sorting takes the embedded store a quarter of the time; a page mostly has room for all, which is sorted here.
    rows = found(limit)
    if limit and len(rows) == limit:
        return found(limit, sort=[("_id", 1)])
    return sorted(rows, key=_by_id)


def references(text: str) -> Iterator[tuple[str, str]]:
    """(type, id) of each literal reference in a stored resource, without parsing it."""
    for found in _REFERENCE.finditer(text):
        yield found[1], found[2]


def _window(since: datetime) -> Document:
    return {"fhir.updated": {"$gte": since, "$lt": END}} if since > BEGIN else {}


def _by_id(row: Row) -> str:
    return row.id
