"""The laws of a mapping, tried on one resource, and what it understands of it. Pure functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.errors import CasebridgeError
from adapter.fhir.resource import Raw, copy, dumps
from adapter.mapping.registry import mapping_for
from adapter.mapping.rules import Problem
from adapter.mapping.table import Mapping

_SERVERS = {"resourceType", "id", "meta.versionId", "meta.lastUpdated"}


def broken(raw: Raw) -> list[tuple[str, str]]:
    """The laws that this resource breaks, each with the path where: GetPut as text, and PutGet of its own record onto nothing."""
    mapping = mapping_for(raw)
    if mapping is None:
        return []
    try:
        found = mapping.extract(raw)
        put = mapping.overlay(raw, found.fields)
        again = mapping.extract(mapping.overlay(None, found.fields)).fields
    except CasebridgeError as error:
        return [("refused", ", ".join(error.expression) or mapping.type)]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # A mapping must take whatever a sender wrote; one that does not is what this is here to find.
        return [(f"raised {type(error).__name__}", mapping.concept)]
    text_differs = dumps(put) != dumps(raw)
    get_put = [("GetPut", path) for path in differences(raw, put)] or [("GetPut", "order of elements")] * text_differs
    return get_put + [("PutGet", path) for path in differences(found.fields, again)]


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """The paths at which two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        inner = [differences(old.get(name), new.get(name), f"{path}.{name}".lstrip(".")) for name in names]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        inner = [differences(left, right, f"{path}[{position}]") for position, (left, right) in enumerate(zip(old, new, strict=True))]
    else:
        return [] if type(old) is type(new) and old == new and str(old) == str(new) else [path]
    return [found for each in inner for found in each]


@dataclass(frozen=True)
class Explained:
    """What a mapping makes of a resource."""

    mapping: Mapping | None
    read: list[tuple[str, str, Any]]
    """Element, the record's attribute that changes with it, the element's value."""
    passed: list[tuple[str, Any]]
    """Elements, with their values, without which the record is the same: kept as they were sent."""
    problems: list[Problem]
    understood: bool


def explain(raw: Raw) -> Explained:
    """Which elements the mapping reads and which pass through, found by taking away one after the other and reading again."""
    mapping = mapping_for(raw)
    if mapping is None:
        return Explained(None, [], [(path, value) for path, value, _ in _leaves(raw)], [], understood=True)
    whole = mapping.extract(raw)
    read, passed = [], []
    for path, value, steps in _leaves(raw):
        less = _without(raw, steps)
        fields = mapping.extract(less).fields
        changed = [name for name in (*whole.fields, *fields) if whole.fields.get(name) != fields.get(name)]
        if changed:
            read.append((path, ", ".join(dict.fromkeys(changed)), value))
        elif mapping_for(less) is not mapping:
            read.append((path, "(tells the concept)", value))
        else:
            passed.append((path, value))
    return Explained(mapping, read, passed, whole.problems, whole.understood)


def _leaves(raw: Raw) -> Iterator[tuple[str, Any, tuple[str | int, ...]]]:
    for path, value, steps in _walk(raw, "", ()):
        # An extension's url is in the path of its value already.
        if path not in _SERVERS and not path.endswith("].url"):
            yield path, value, steps


def _walk(value: Any, path: str, steps: tuple[str | int, ...]) -> Iterator[tuple[str, Any, tuple[str | int, ...]]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(inner, f"{path}.{name}".lstrip("."), (*steps, name))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            # A url says more than a number.
            label = inner["url"] if isinstance(inner, dict) and isinstance(inner.get("url"), str) else position
            yield from _walk(inner, f"{path}[{label}]", (*steps, position))
    else:
        yield path, value, steps


def _without(raw: Raw, steps: tuple[str | int, ...]) -> Raw:
    less = copy(raw)
    parent: Any = less
    for step in steps[:-1]:
        parent = parent[step]
    del parent[steps[-1]]
    return less  # type: ignore[no-any-return]
