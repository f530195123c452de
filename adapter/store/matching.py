"""Whether a resource that is not stored yet would be found: a filter of a search, judged without the database.

A transaction's conditions are about what it makes, too. http://hl7.org/fhir/R4/http.html#trules
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapter.errors import Invalid
from adapter.fhir.resource import Raw
from adapter.store import index
from adapter.store.documents import Document


def candidate(id: str, raw: Raw, updated: datetime) -> Document:
    """The resource as a filter sees it; made once for however many filters."""
    return {"_id": id, "fhir": {"deleted": False, "id": id, "updated": updated, "index": index.entries(raw)}}


def matches(query: Document, candidate: Document) -> bool:
    """Whether the filter of a search finds a candidate. Raises Invalid for a filter that only the database can judge."""
    return _holds(candidate, query)


def _holds(document: Any, query: Document) -> bool:
    for path, condition in query.items():
        if path == "$and":
            held = all(_holds(document, part) for part in condition)
        elif path == "$or":
            held = any(_holds(document, part) for part in condition)
        elif path.startswith("$"):
            raise _beyond()
        else:
            held = _fits(_values(document, path.split(".")), condition)
        if not held:
            return False
    return True


def _beyond() -> Invalid:
    return Invalid("A condition of this kind cannot be asked of what the same transaction makes.")


def _values(value: Any, path: list[str]) -> list[Any]:
    """What MongoDB compares at a path: the value, and the items of a list."""
    if not path:
        return [value, *value] if isinstance(value, list) else [value]
    if isinstance(value, list):
        return [found for item in value for found in _values(item, path)]
    return _values(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []


def _fits(values: list[Any], condition: Any) -> bool:
    if not isinstance(condition, dict) or not any(name in _OPERATORS for name in condition):
        return condition in values
    for name, wanted in condition.items():
        if name not in _OPERATORS:
            raise _beyond()
        if not _OPERATORS[name](values, wanted):
            return False
    return True


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[list[Any], Any], bool]:
    return lambda values, wanted: any(type(value) is type(wanted) and compare(value, wanted) for value in values)


_OPERATORS: dict[str, Callable[[list[Any], Any], bool]] = {
    "$eq": lambda values, wanted: wanted in values,
    "$ne": lambda values, wanted: wanted not in values,
    "$in": lambda values, wanted: any(value in values for value in wanted),
    "$nin": lambda values, wanted: not any(value in values for value in wanted),
    "$all": lambda values, wanted: all(_fits(values, value) for value in wanted),
    "$exists": lambda values, wanted: bool(values) is wanted,
    "$not": lambda values, wanted: not _fits(values, wanted),
    "$elemMatch": lambda values, wanted: any(_item(item, wanted) for value in values if isinstance(value, list) for item in value),
    "$regex": lambda values, wanted: any(isinstance(value, str) and re.search(wanted, value) for value in values),
    "$gt": _ordered(lambda value, wanted: value > wanted),
    "$gte": _ordered(lambda value, wanted: value >= wanted),
    "$lt": _ordered(lambda value, wanted: value < wanted),
    "$lte": _ordered(lambda value, wanted: value <= wanted),
}


def _item(item: Any, wanted: Document) -> bool:
    """Whether one item of a list fulfils all: operators on the item itself, or conditions on its parts."""
    if any(name in _OPERATORS for name in wanted):
        return _fits([item], wanted)
    return isinstance(item, dict) and _holds(item, wanted)
