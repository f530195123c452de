"""What belongs to a patient, and what that refers to: compartments from data, read as stored text, one query a type.

`compartments.json` holds, by compartment and type, the search parameters that make a resource a member: HL7's definitions
(hl7.fhir.r4.core 4.0.1, CC0). http://hl7.org/fhir/R4/compartmentdefinition.html
"""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from importlib import resources
from itertools import islice
from types import MappingProxyType
from typing import Any

from pymongo.database import Database

from adapter.store.dates import BEGIN, END
from adapter.store.documents import Document
from adapter.store.filters import KEY
from adapter.store.rows import FACE, Row
from adapter.store.search_parameters import table

# In stored text a quotation mark inside a string has a backslash before it, so this finds elements only. A literal reference to a
# resource of this server, or an attachment's.
_REFERENCE = re.compile(r'"(?:reference|url)":"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?"')
# One round trip where the driver's own first batch of 101 documents takes two.
_BATCH = 1000
_SMALL = 100
"""Pages of no more are sorted by the store."""


@cache
def compartment(code: str) -> MappingProxyType[str, tuple[str, ...]]:
    """By type, the parameters by which its resources are members of a compartment; only what the search table indexes."""
    rows = json.loads(resources.files("adapter.store").joinpath("compartments.json").read_text("utf-8"))[code]
    named = {
        type: tuple(name for name in names if name in table()[type] and table()[type][name].kind == "reference")
        for type, names in rows.items()
        if type in table()
    }
    return MappingProxyType({type: names for type, names in named.items() if names})


@cache
def record(code: str) -> MappingProxyType[str, tuple[str, ...]]:
    """The compartment and, for a patient, its devices: R4 puts them into none, but a record without the implants is not whole."""
    return MappingProxyType(dict(compartment(code)) | ({"Device": ("patient",)} if code == "Patient" else {}))


def members(
    database: Database[Document], code: str, id: str, type: str, *, since: datetime = BEGIN, after: str = "", limit: int = 0
) -> list[Row]:
    """Resources of a type in the record of `code/id`, by id, those behind the id `after`; `limit` 0 means all."""
    owner, names = f"{code}/{id}", record(code)[type]
    several = len(names) > 1
    # What is deleted has no entries in the index, so the key alone says that a resource is there.
    query: Document = {KEY: owner} | _window(since) | ({"_id": {"$gt": after}} if after else {})
    # `$or` over several parameters would use no index: what else refers to the owner is left out here.
    query |= {} if several else {f"fhir.index.{names[0]}": owner}
    shown = {**FACE, **({f"fhir.index.{name}": 1 for name in names} if several else {})}
    most = 0 if several else limit

    def found(**more: Any) -> Iterator[Row]:
        for document in database[type].find(query, shown, batch_size=_BATCH, limit=most, **more):
            index = document["fhir"].get("index", {})
            if not several or any(owner in index.get(name, ()) for name in names):
                yield Row.of(document)

    if not 0 < limit <= _SMALL:
        # Sorting takes the embedded store a quarter of the time; a large page mostly has room for all, which is sorted here.
        rows = sorted(found(), key=_by_id)
        if not most or len(rows) < most:
            return rows[: limit or None]
    return list(islice(found(sort=[("_id", 1)]), limit))


def by_ids(database: Database[Document], type: str, ids: Iterable[str], *, since: datetime = BEGIN) -> list[Row]:
    """Those of the named resources that are there, by id."""
    query = {"_id": {"$in": sorted(ids)}, "fhir.deleted": False} | _window(since)
    return sorted((Row.of(document) for document in database[type].find(query, FACE, batch_size=_BATCH)), key=_by_id)


def references(text: str) -> Iterator[tuple[str, str]]:
    """(type, id) of each literal reference in a stored resource, without parsing it."""
    for found in _REFERENCE.finditer(text):
        yield found[1], found[2]


def _window(since: datetime) -> Document:
    return {"fhir.updated": {"$gte": since, "$lt": END}} if since > BEGIN else {}


def _by_id(row: Row) -> str:
    return row.id
