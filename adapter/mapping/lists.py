"""Lists of objects, item by item: by key, never by position."""

from collections.abc import Iterator
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import msgspec

from adapter.errors import DuplicateItem, Invalid
from adapter.fhir.elements import Step, ensure, find, holds, parse_path, prune
from adapter.fhir.resource import Raw, copy
from adapter.mapping.rules import ABSENT, UNREADABLE, Codeable, Fields, Problem, Ref, Row, Rule, nested, read_within, write_all

# A part of a key may be an object, whose order of names is whoever wrote it's own affair.
_key_text = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


@dataclass(frozen=True)
class Each:
    """A list of objects ⇄ a list of dicts, by key. Items that are not selected, have no key or share one are not ours and stay."""

    path: str
    attr: str
    rules: tuple[Rule, ...]
    key: tuple[str, ...]
    """The attributes (dotted) that tell an item from its siblings."""
    where: tuple[str, str] | None = None
    """Only items whose element (dotted) has this value; new items get it."""
    new: ReadOnly[str, object] = field(default_factory=dict)
    """What a new item starts with where `where` does not say all of it."""
    unless: tuple[str, str] | None = None
    """Never items whose element (dotted) has this value."""
    partial: bool = False
    """Whether an item that lacks parts of the key (not all) still has one: a name without a use is told from one with."""
    note: str = ""

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return parse_path(self.path)

    @cached_property
    def _where(self) -> Step | None:
        return Step("", tuple(self.where[0].split(".")), (self.where[1],)) if self.where else None

    @cached_property
    def _unless(self) -> Step | None:
        return Step("", tuple(self.unless[0].split(".")), (self.unless[1],)) if self.unless else None

    def _ours(self, item: Any) -> bool:
        if not isinstance(item, dict) or "modifierExtension" in item:
            return False
        where, unless = self._where, self._unless
        if where and not holds(item, where.probe, where.values[0]):
            return False
        return not (unless and holds(item, unless.probe, unless.values[0]))

    def _fresh(self) -> Raw:
        return copy(dict(self.new)) or (self._where.skeleton() if self._where else {})

    def key_of(self, fields: Fields) -> str | None:
        """What identifies an item among its siblings, None where a part is missing."""
        parts = [_at(fields, name) if "." in name else fields.get(name) for name in self.key]
        if (None in parts and not self.partial) or not fields:
            return None
        return parts[0] if len(parts) == 1 and isinstance(parts[0], str) else _key_text(parts).decode()

    def _items(self, items: Any, report: list[Problem]) -> tuple[dict[str, tuple[int, Fields]], set[str]]:
        """By key: position and fields of each item that is ours; and the keys that occur more than once."""
        found: dict[str, tuple[int, Fields]] = {}
        twice: set[str] = set()
        for position, item in enumerate(items if isinstance(items, list) else ()):
            if not self._ours(item):
                continue
            fields = read_within(self.path, self.rules, item, report)
            key = self.key_of(fields)
            if key is None:
                continue
            if key in found:
                twice.add(key)
            found[key] = (position, fields)
        for key in twice:
            del found[key]
            report.append(Problem(self.path, "two items have the same key; both are left as they are"))
        return found, twice

    def read(self, node: Raw, report: list[Problem]) -> Any:
        items = find(node, self._steps)
        if items is None:
            return ABSENT
        found, _ = self._items(items, report)
        return [self.unwrap(fields) for _, fields in found.values()] or ABSENT

    def write(self, node: Raw, value: Any) -> None:
        steps = self._steps
        parent = ensure(node, steps[:-1])
        items = parent.setdefault(steps[-1].name, [])
        if not isinstance(items, list):
            raise Invalid(f"{self.attr}: a list is expected.", expression=[self.path])
        found, twice = self._items(items, [])
        wanted: dict[str, Raw] = {}
        for each in [] if value is ABSENT else value:
            fields = self.wrap(each)
            key = self.key_of(fields)
            if key is None:
                raise Invalid(f"{self.attr}: an item lacks {' or '.join(self.key)}.", expression=[self.path])
            if key in wanted or key in twice:
                raise DuplicateItem(f"{self.attr}: two items have the same {' and '.join(self.key)}.", expression=[self.path])
            item = items[found[key][0]] if key in found else self._fresh()
            write_all(self.rules, item, fields)
            wanted[key] = item
        slots = sorted(position for position, _ in found.values())
        kept: dict[int, Any] = {position: item for position, item in enumerate(items) if position not in set(slots)}
        ours = list(wanted.values())
        kept.update(zip(slots, ours, strict=False))
        items[:] = [kept[position] for position in sorted(kept)] + ours[len(slots) :]
        prune(node, steps)

    def wrap(self, value: Any) -> Fields:
        """A record's list item as fields for the inner rules."""
        if not isinstance(value, dict):
            raise Invalid(f"{self.attr}: an item is not an object.", expression=[self.path])
        return value

    def unwrap(self, fields: Fields) -> Any:
        """The inner rules' fields as a record's list item."""
        return fields

    def rows(self) -> Iterator[Row]:
        selected = f"[{self.where[0]}={self.where[1]}]" if self.where else "[]"
        yield Row(f"{self.path}{selected}", f"{self.attr}[]", f"list by {', '.join(self.key)}", self.note)
        yield from nested(f"{self.path}{selected}", f"{self.attr}[]", self.rules)


def _at(fields: Fields, name: str) -> Any:
    value: Any = fields
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


@dataclass(frozen=True)
class Values(Each):
    """A list of objects ⇄ a list of plain values: the one inner rule's attribute must be `value`."""

    key: tuple[str, ...] = ("value",)

    def wrap(self, value: Any) -> Fields:
        return {"value": value}

    def unwrap(self, fields: Fields) -> Any:
        return fields["value"]

    def rows(self) -> Iterator[Row]:
        selected = f"[{self.where[0]}={self.where[1]}]" if self.where else "[]"
        yield from nested(f"{self.path}{selected}", f"{self.attr}[]", self.rules[:1])


@dataclass(frozen=True)
class One(Values):
    """A list of which a record has one item ⇄ its plain value. Several are left as they are: which one is meant would be a guess."""

    def read(self, node: Raw, report: list[Problem]) -> Any:
        found = super().read(node, report)
        if not isinstance(found, list):
            return found
        if len(found) > 1:
            report.append(Problem(self.path, "several, where a record has one"))
            return UNREADABLE
        return found[0]

    def write(self, node: Raw, value: Any) -> None:
        if self.read(node, []) is UNREADABLE:
            raise DuplicateItem(f"{self.attr}: there are several, where a record has one.", expression=[self.path])
        super().write(node, value if value is ABSENT else [value])

    def rows(self) -> Iterator[Row]:
        for row in super().rows():
            yield replace(row, attr=self.attr, note=self.note or row.note)


@dataclass(frozen=True)
class RefsTo(Values):
    """Of a list of References those to these types ⇄ a list of "Type/id"; the others are another rule's, or stay."""

    types: tuple[str, ...] = ()

    def _fits(self, target: Any) -> bool:
        return isinstance(target, str) and any(f"/{name}/" in f"/{target}" for name in self.types)

    def _ours(self, item: Any) -> bool:
        return super()._ours(item) and self._fits(self.rules[0].read(item, []))

    def wrap(self, value: Any) -> Fields:
        if not self._fits(value):
            raise Invalid(f"{self.attr}: not a reference to {' or '.join(self.types)}.", expression=[self.path])
        return super().wrap(value)

    def rows(self) -> Iterator[Row]:
        for row in super().rows():
            yield Row(row.path, row.attr, f"reference to {', '.join(self.types)}", self.note)


def refs(path: str, attr: str, note: str = "") -> Values:
    """A list of References ⇄ a list of "Type/id"."""
    return Values(path, attr, (Ref("", "value"),), note=note)


def codes(path: str, attr: str, note: str = "") -> Values:
    """A list of CodeableConcepts ⇄ a list of codes."""
    return Values(path, attr, (Codeable("", "value"),), note=note)
