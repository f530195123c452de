"""The JSON Patch that makes one JSON value into another: small, and with a test of each old value that it takes away.

http://www.rfc-editor.org/rfc/rfc6902, http://hl7.org/fhir/R4/http.html#patch
"""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from adapter.fhir.resource import Raw, same


def patch(before: Raw, after: Raw) -> list[Raw]:
    """The operations, to be applied in this order; none where the two say the same."""
    return list(_objects("", before, after))


def _objects(path: str, before: Raw, after: Raw) -> Iterator[Raw]:
    for name, old in before.items():
        inner = f"{path}/{_escaped(name)}"
        if name in after:
            yield from _values(inner, old, after[name])
        else:
            yield from _without(inner, old)
    for name, new in after.items():
        if name not in before:
            yield {"op": "add", "path": f"{path}/{_escaped(name)}", "value": new}


def _values(path: str, old: Any, new: Any) -> Iterator[Raw]:
    if same(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _objects(path, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _lists(path, old, new)
    else:
        yield {"op": "test", "path": path, "value": old}
        yield {"op": "replace", "path": path, "value": new}


def _lists(path: str, old: list[Any], new: list[Any]) -> Iterator[Raw]:
    """What both begin and end with stays; between, items change in their places, and those too many or too few are the last of them."""
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    was, now = old[head : len(old) - tail], new[head : len(new) - tail]
    kept = min(len(was), len(now))
    for place in range(kept):
        yield from _values(f"{path}/{head + place}", was[place], now[place])
    for place in reversed(range(kept, len(was))):
        yield from _without(f"{path}/{head + place}", was[place])
    for place in range(kept, len(now)):
        yield {"op": "add", "path": f"{path}/{head + place}", "value": now[place]}


def _without(path: str, old: Any) -> Iterator[Raw]:
    yield {"op": "test", "path": path, "value": old}
    yield {"op": "remove", "path": path}


def _alike(old: list[Any], new: list[Any]) -> int:
    """How many items both begin with."""
    return sum(1 for _ in takewhile(lambda pair: same(*pair), zip(old, new, strict=False)))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
