"""Lineage: which field of the record, by which rule of which mapping, an element of a resource was set from. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from adapter.fhir.resource import Raw
from adapter.mapping.registry import mapping_for
from adapter.mapping.rules import Implied, Row, Rule
from adapter.mapping.table import Mapping

_NAME = re.compile(r"[^.\[]+")

Steps = tuple[tuple[str, str], ...]
"""A path as names, each with what selects one of its list's items, empty for all."""


@dataclass(frozen=True)
class Origin:
    """Where an element comes from: the record's field, and the rule as the mapping's file has it."""

    field: str
    rule: str
    file: str


@dataclass(frozen=True)
class Lineage:
    """What set the elements in which `new` differs from `old`, an empty one for a new resource."""

    old: Raw
    new: Raw

    @cached_property
    def mapping(self) -> Mapping | None:
        return mapping_for(self.new)

    @cached_property
    def _changed(self) -> list[Rule]:
        """The rules that read something else of the one than of the other; those that are implied go with their source."""
        rules = self.mapping.rules if self.mapping else ()
        direct = [rule for rule in rules if rule.read(self.old, []) != rule.read(self.new, [])]
        attrs = {rule.attr for rule in direct}
        return [*direct, *(rule for rule in rules if isinstance(rule, Implied) and rule.source in attrs)]

    def origins(self, path: str) -> list[Origin]:
        """What set the element at this path of a difference; nothing where no rule did: it stands so in our resource itself."""
        wanted = steps(path)
        found = [row for rule in self._changed for row in _closest(rule, wanted)]
        file = f"adapter/mapping/{self.mapping.concept}.py" if self.mapping else ""
        return [Origin(row.attr, f"{row.path} ⇄ {row.attr} ({row.kind})", file) for row in found]

    def constant(self, path: str) -> bool:
        """Whether it is what every new resource of this mapping starts with."""
        return self.mapping is not None and not self.old and steps(path)[0][0] in self.mapping.const


def _closest(rule: Rule, wanted: Steps) -> list[Row]:
    """The rows of a rule that are about the element: what it is part of as closely as there is, else all that are part of it."""
    rows = [(steps(row.path), row) for row in rule.rows()]
    around = [(len(known), row) for known, row in rows if _leads(known, wanted)]
    if around:
        most = max(length for length, _ in around)
        return [row for length, row in around if length == most][:1]
    return [row for known, row in rows if _leads(wanted, known)]


def _leads(first: Steps, second: Steps) -> bool:
    """Whether the first path is the beginning of the second, or all of it."""
    return len(first) <= len(second) and all(map(_meets, first, second))


def _meets(left: tuple[str, str], right: tuple[str, str]) -> bool:
    """Whether two steps can be the same: a rule selects by a value that a difference's key holds among others."""
    if left[0] != right[0]:
        return False
    return not left[1] or not right[1] or any(_in(one, other) for one, other in ((left[1], right[1]), (right[1], left[1])))


def _in(selector: str, key: str) -> bool:
    return any(value and value in key for value in selector.partition("=")[2].split("|"))


def steps(path: str) -> Steps:
    """The steps of a rule's path (`telecom[system=phone].value`) or of a difference's (`telecom[phone|1].value`)."""
    return tuple(_steps(path))


def _steps(path: str) -> Iterator[tuple[str, str]]:
    at = 0
    while named := _NAME.match(path, at):
        at, depth = named.end(), 0
        start = at
        while at < len(path) and (path[at] == "[" or depth):
            depth += {"[": 1, "]": -1}.get(path[at], 0)
            at += 1
        yield named[0], path[start + 1 : at - 1]
        at += 1
