"""The element paths of the search parameter table, compiled: a path → the function that lists what is there in a resource."""

import re
from collections.abc import Callable
from typing import Any

from adapter.fhir.resource import Raw

Getter = Callable[[Raw], list[Any]]

_STEP = re.compile(r"([^.\[]+)(?:\[([^=\]]+)=([^\]]*)\])?")
_TARGET = re.compile(r":([A-Z][A-Za-z]+)$")


def getter(path: str) -> tuple[str, Getter]:
    """The element that a path starts with (none for what asks whether one is there), and the function that lists what is at the path."""
    if not path:
        return "", lambda raw: [raw]
    if path.endswith("?"):
        return "", _presence(path[:-1])
    target = _TARGET.search(path)
    wanted_type = target[1] if target else ""
    steps = [(name, tuple(key.split(".")) if key else (), wanted) for name, key, wanted in _STEP.findall(_TARGET.sub("", path))]

    def get(raw: Raw) -> list[Any]:
        nodes: list[Any] = [raw]
        for name, key, wanted in steps:
            nodes = _at(nodes, name)
            if key:
                nodes = [node for node in nodes if _has(node, key, wanted)]
        return [node for node in nodes if _points_to(node, wanted_type)] if wanted_type else nodes

    return steps[0][0], get


def _at(nodes: list[Any], name: str) -> list[Any]:
    found: list[Any] = []
    for node in nodes:
        value = node.get(name) if isinstance(node, dict) else None
        if isinstance(value, list):
            found += value
        elif value is not None:
            found.append(value)
    return found


def _has(node: Any, key: tuple[str, ...], wanted: str) -> bool:
    nodes = [node]
    for name in key:
        nodes = _at(nodes, name)
    return wanted in nodes


def _presence(name: str) -> Getter:
    def get(raw: Raw) -> list[Any]:
        values = [value for key, value in raw.items() if key.startswith(name) and value is not None]
        return [any(value is not False for value in values)]

    return get


def _points_to(node: Any, target: str) -> bool:
    if not isinstance(node, dict):
        return False
    text = node.get("reference")
    if not isinstance(text, str):
        return node.get("type") == target
    return text.partition("/_history/")[0].split("/")[-2:-1] == [target]
