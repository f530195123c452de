"""`_sort` by search parameters, and the cursors of pages. http://hl7.org/fhir/R4/search.html#sort

A list's least value counts in ascending, its greatest in descending order; what has no value comes last either way.
Ties are in order of id.
"""

import base64
import binascii
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapter.clock import instant
from adapter.fhir.dates import BEGIN, END
from adapter.store.documents import Document
from adapter.store.syntax import malformed
from adapter.store.values import EXACT

Place = tuple[tuple[Any, ...], str]
"""Where a resource is in the order: its value for each criterion, None for none, and its id."""


@dataclass(frozen=True)
class Order:
    """One of the criteria of `_sort`."""

    code: str
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.code}" if self.descending else self.code


def shown(sort: Sequence[Order]) -> Document:
    """The projection from which places are made."""
    return {"_id": 1, "fhir.updated": 1, **{f"fhir.index.{order.code}": 1 for order in sort if order.code not in ("_id", "_lastUpdated")}}


def place(document: Document, sort: Sequence[Order]) -> Place:
    """A document's place in the order."""
    return tuple(_value(document, order) for order in sort), document["_id"]


def _value(document: Document, order: Order) -> Any:
    if order.code == "_id":
        return document["_id"]
    if order.code == "_lastUpdated":
        return instant(document["fhir"]["updated"])
    held = document["fhir"].get("index", {}).get(order.code, ())
    values = [item["lo"] if isinstance(item, dict) else item for item in held]
    # Of a token's entries the bare code, of a string's the folded ones.
    values = [value for value in values if not isinstance(value, str) or "|" not in value] or values
    values = [instant(value) if isinstance(value, datetime) else value for value in values if not str(value).startswith(EXACT)]
    return (max if order.descending else min)(values, default=None)


def in_order(places: list[Place], sort: Sequence[Order]) -> list[Place]:
    """The places from first to last."""
    return sorted(places, key=_key(sort))


def behind(places: list[Place], after: Place, sort: Sequence[Order]) -> list[Place]:
    """Those that come after a place."""
    key = _key(sort)
    return [place for place in places if key(place) > key(after)]


def _key(sort: Sequence[Order]) -> Any:
    def compare(left: Place, right: Place) -> int:
        for order, one, other in zip(sort, left[0], right[0], strict=True):
            if one == other:
                continue
            if one is None or other is None:
                return 1 if one is None else -1
            return -1 if (one < other) != order.descending else 1
        return (left[1] > right[1]) - (left[1] < right[1])

    return functools.cmp_to_key(compare)


def cursor(sort: Sequence[Order], last: Place) -> str:
    """The text that stands for a place."""
    return base64.urlsafe_b64encode(json.dumps([",".join(map(str, sort)), *last]).encode()).decode().rstrip("=")


def after(text: str, sort: Sequence[Order]) -> Place:
    """The place that a cursor stands for. Raises Invalid where it is not one of the same search."""
    try:
        named, values, id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if named != ",".join(map(str, sort)) or not isinstance(id, str) or len(values) != len(sort):
            raise ValueError
        for order, value in zip(sort, values, strict=True):
            # A moment without a zone, or at the end of time, is none of ours and cannot be compared with those.
            if order.code == "_lastUpdated" and not BEGIN <= datetime.fromisoformat(value) < END:
                raise ValueError
        return tuple(values), id
    except (ValueError, TypeError, binascii.Error):
        raise malformed("_cursor", "the value of a next link of this same search") from None
