"""References inside a resource: find them, rewrite them, take one apart. http://hl7.org/fhir/R4/references.html"""

import re
from collections.abc import Callable, Iterator
from operator import is_
from typing import Any

from adapter.fhir.resource import Raw

# A tuple, since `dict | list` would be made anew for every value of every resource.
_NESTED = (dict, list)
_GONE: Any = object()
_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/([A-Za-z0-9.-]{1,64}))?")


def walk(raw: Any) -> Iterator[Raw]:
    """Every Reference in a resource that holds a `reference` text, contained resources and extensions included."""
    if isinstance(raw, dict):
        if isinstance(raw.get("reference"), str):
            yield raw
        for value in raw.values():
            if isinstance(value, _NESTED):
                yield from walk(value)
    elif isinstance(raw, list):
        for value in raw:
            yield from walk(value)


def rewrite(raw: Raw, change: Callable[[str], str]) -> Raw:
    """The resource with `change` applied to every reference text. Parts in which nothing changes are shared, not copied."""
    rewritten: Raw = _rewritten(raw, change)
    return rewritten


def _rewritten(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        after: dict[str, Any] | None = None
        for key, item in value.items():
            if isinstance(item, _NESTED):
                new = _rewritten(item, change)
            elif key == "reference" and isinstance(item, str):
                new = change(item)
            else:
                continue
            if new is not item and new != item:
                after = dict(value) if after is None else after
                after[key] = new
        return value if after is None else after
    if isinstance(value, list):
        items = [_rewritten(item, change) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def without(raw: Raw, unwanted: Callable[[str], bool]) -> Raw:
    """The resource without the References whose text is unwanted, and without what holds nothing else; parts that keep all are shared."""
    kept: Raw = _without(raw, unwanted)
    return {} if kept is _GONE else kept


def _without(value: Any, unwanted: Callable[[str], bool]) -> Any:
    if isinstance(value, list):
        items = [_without(item, unwanted) if isinstance(item, _NESTED) else item for item in value]
        left = [item for item in items if item is not _GONE]
        return value if all(map(is_, items, value)) else left or _GONE
    if isinstance(text := value.get("reference"), str) and unwanted(text):
        return _GONE
    after = {key: _without(item, unwanted) if isinstance(item, _NESTED) else item for key, item in value.items()}
    if all(map(is_, after.values(), value.values())):
        return value
    kept = {key: item for key, item in after.items() if item is not _GONE}
    # An extension without its value, or an item of which only its id is left, says nothing.
    return kept if kept.keys() - {"url", "id"} else _GONE


def split(reference: str) -> tuple[str, str, str | None] | None:
    """(type, id, version or None) of a relative literal reference; None for `#…`, `urn:…`, absolute and anything else."""
    found = _RELATIVE.fullmatch(reference)
    return (found[1], found[2], found[3]) if found else None
