"""Paths into a resource, for reading and for writing in place.

A path is dotted names; a name may carry a selector, never a position: `identifier[system=urn:x].value`, `extension[url=…].valueCode`,
`name[use=official||usual].family`. Alternatives are tried in order, an empty one means "has no such element"; a new item gets the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from adapter.errors import DuplicateItem, Invalid
from adapter.fhir.resource import Raw

# Elements that are lists although a selector passes through them by name alone.
_LISTS = frozenset({"coding"})


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path and, for lists, which item is meant."""

    name: str
    probe: tuple[str, ...] = ()
    values: tuple[str | None, ...] = ()

    def skeleton(self) -> Raw:
        """The smallest item that the selector selects."""
        value: Any = self.values[0]
        for name in reversed(self.probe):
            value = {name: value}
            if name in _LISTS:
                value[name] = [value[name]]
        return value if isinstance(value, dict) else {}

    def pick(self, items: Any) -> Raw | None:
        """The first item that is selected, by order of alternatives."""
        if not isinstance(items, list):
            return None
        for value in self.values:
            for item in items:
                if isinstance(item, dict) and holds(item, self.probe, value):
                    return item
        return None


def holds(item: Any, probe: tuple[str, ...], value: str | None) -> bool:
    """Whether the element at `probe` has this value (any of a list's items); None asks whether it is absent."""
    for depth, name in enumerate(probe):
        if isinstance(item, list):
            return any(holds(each, probe[depth:], value) for each in item)
        if not isinstance(item, dict) or name not in item:
            return value is None
        item = item[name]
    return bool(item == value)


@cache
def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of a path. Dots and brackets inside a selector's value are part of the value."""
    return tuple(_steps(path))


def _steps(path: str) -> Iterator[Step]:
    rest = path
    while rest:
        dot, bracket = rest.find("."), rest.find("[")
        if bracket == -1 or -1 < dot < bracket:
            name, _, rest = rest.partition(".")
            yield Step(name)
            continue
        close = rest.index("]")
        probe, _, values = rest[bracket + 1 : close].partition("=")
        yield Step(rest[:bracket], tuple(probe.split(".")), tuple(value or None for value in values.split("|")))
        rest = rest[close + 1 :].removeprefix(".")


def find(node: Any, steps: tuple[Step, ...]) -> Any:
    """What is at the path, or None."""
    for step in steps:
        if not isinstance(node, dict):
            return None
        node = node.get(step.name)
        if step.values:
            node = step.pick(node)
    return node


def ensure(node: Raw, steps: tuple[Step, ...]) -> Raw:
    """The object at the path, made with all that leads to it where it is missing. Raises Invalid where something else is in its place."""
    for step in steps:
        if step.values:
            items = node.setdefault(step.name, [])
            if not isinstance(items, list):
                raise Invalid("A list is expected here.", expression=[step.name])
            item = step.pick(items)
            if item is None:
                item = step.skeleton()
                items.append(item)
            node = item
        else:
            node = node.setdefault(step.name, {})
        if not isinstance(node, dict):
            raise Invalid("An object is expected here.", expression=[step.name])
    return node


def prune(node: Raw, steps: tuple[Step, ...]) -> None:
    """Take away what is left empty on the way to the path: FHIR has no empty objects or lists."""
    for depth in range(len(steps), 0, -1):
        parent = find(node, steps[: depth - 1])
        step = steps[depth - 1]
        if not isinstance(parent, dict) or step.name not in parent:
            continue
        held = parent[step.name]
        if step.values:
            item = step.pick(held)
            if item is not None and (not item or item == step.skeleton()):
                held[:] = [each for each in held if each is not item]
                if step.pick(held) is not None and len(step.values) == 1:
                    raise DuplicateItem("Two items carry the same key; removing one would bring up the other.", expression=[step.name])
        if held in ({}, []):
            del parent[step.name]


def set_primitive(node: Raw, name: str, value: Any) -> None:
    """Set or, with None, remove a primitive. Its extensions described the old value and go; its id stays.

    http://hl7.org/fhir/R4/json.html#primitive
    """
    if value is None:
        node.pop(name, None)
        node.pop(f"_{name}", None)
        return
    node[name] = value
    beside = node.get(f"_{name}")
    if isinstance(value, list) or not isinstance(beside, dict) or "id" not in beside:
        node.pop(f"_{name}", None)
    else:
        node[f"_{name}"] = {"id": beside["id"]}
