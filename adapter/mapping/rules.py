"""The kinds of rule a mapping table is made of. Each reads an element into a record's attribute and writes it back in place.

A rule never raises on what a sender wrote: what cannot be read is reported, is left out of the record, and stays where it is.
References are mapped between local and remote ids at the edge (`adapter.sync.edge`), never here.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Protocol

from adapter.errors import CasebridgeError, Invalid
from adapter.fhir.elements import Step, ensure, find, parse_path, prune, set_primitive
from adapter.fhir.resource import Raw, copy
from adapter.mapping.codecs import Codec, decimal, moment, reference, text
from adapter.mapping.codes import CodeTable

Fields = dict[str, Any]


class _Mark(enum.Enum):
    ABSENT = "absent"
    UNREADABLE = "unreadable"


ABSENT: Final = _Mark.ABSENT
"""There is nothing at the path."""
UNREADABLE: Final = _Mark.UNREADABLE
"""There is something at the path that the rule does not understand; it is reported and left alone."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read: the element's path and why, never its value."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """A rule as the documentation, `mapping explain` and a conflict show it."""

    path: str
    attr: str
    kind: str
    note: str = ""
    codes: CodeTable | None = field(default=None, compare=False)
    """The table that its codes are of."""


class Rule(Protocol):
    """One line of a mapping table."""

    @property
    def attr(self) -> str: ...

    def read(self, node: Raw, report: list[Problem]) -> Any: ...

    def write(self, node: Raw, value: Any) -> None: ...

    def rows(self) -> Iterator[Row]: ...


def read_all(rules: Sequence[Rule], node: Raw, report: list[Problem]) -> Fields:
    """The record fields that the rules find in this object."""
    fields: Fields = {}
    for rule in rules:
        value = rule.read(node, report)
        if not isinstance(value, _Mark):
            fields[rule.attr] = value
    return fields


def read_within(path: str, rules: Sequence[Rule], node: Raw, report: list[Problem]) -> Fields:
    """Like `read_all`, for an object at `path`: what is reported carries the path."""
    inner: list[Problem] = []
    fields = read_all(rules, node, inner)
    if inner:
        report.extend(Problem(f"{path}.{problem.path}".strip("."), problem.reason) for problem in inner)
    return fields


def differing(rules: Sequence[Rule], node: Raw, fields: Fields) -> list[tuple[Rule, Any]]:
    """The rules whose element decodes to something other than the record holds, with what the record holds."""
    changes: list[tuple[Rule, Any]] = []
    implied: list[Implied] = []
    changed: set[str] = set()
    for rule in rules:
        if isinstance(rule, Implied):
            implied.append(rule)
            continue
        old, new = rule.read(node, []), fields.get(rule.attr, ABSENT)
        if old != new and not (old is UNREADABLE and new is ABSENT):
            changes.append((rule, new))
            changed.add(rule.attr)
    changes += [(rule, fields.get(rule.source, ABSENT)) for rule in implied if rule.source in changed]
    return changes


def write_all(rules: Sequence[Rule], node: Raw, fields: Fields) -> None:
    """Bring this object, in place, to what the record holds."""
    for rule, value in differing(rules, node, fields):
        rule.write(node, value)


@dataclass(frozen=True)
class Field:
    """One primitive element."""

    path: str
    attr: str
    codec: Codec = text
    note: str = ""

    @cached_property
    def _parent(self) -> tuple[Step, ...]:
        return parse_path(self.path)[:-1]

    @cached_property
    def _name(self) -> str:
        return parse_path(self.path)[-1].name

    def _held(self, node: Raw) -> Any:
        parent = find(node, self._parent) if self._parent else node
        return parent.get(self._name) if isinstance(parent, dict) else None

    def decode(self, value: Any) -> Any:
        if not self.codec.check(value):
            raise Invalid(f"not a {self.codec.name}")
        return value

    def encode(self, value: Any) -> Any:
        return self.decode(value)

    def read(self, node: Raw, report: list[Problem]) -> Any:
        held = self._held(node)
        if held is None:
            return ABSENT
        try:
            return self.decode(held)
        except CasebridgeError as error:
            report.append(Problem(self.path, error.text))
            return UNREADABLE

    def write(self, node: Raw, value: Any) -> None:
        steps, name = self._parent, self._name
        if value is not ABSENT:
            try:
                set_primitive(ensure(node, steps), name, self.encode(value))
            except CasebridgeError as error:
                raise type(error)(f"{self.attr}: {error.text}", expression=[self.path]) from None
        elif isinstance(parent := find(node, steps), dict):
            set_primitive(parent, name, None)
            prune(node, steps)

    def rows(self) -> Iterator[Row]:
        yield Row(self.path, self.attr, self.codec.name, self.note)


@dataclass(frozen=True)
class Coded(Field):
    """A `code` element by a two-way table."""

    table: CodeTable = field(default_factory=lambda: CodeTable("", {}))

    def decode(self, value: Any) -> Any:
        if not isinstance(value, str):
            raise Invalid("not a code")
        return self.table.decode(value)

    def encode(self, value: Any) -> Any:
        return self.table.encode(value)

    def rows(self) -> Iterator[Row]:
        yield Row(self.path, self.attr, f"code ({self.table.name})", self.note, self.table)


def coded(path: str, attr: str, table: CodeTable, note: str = "") -> Coded:
    """A rule for a `code` element."""
    return Coded(path, attr, text, note, table)


@dataclass(frozen=True)
class Group:
    """An object whose parts are one attribute of the record, a dict."""

    path: str
    attr: str
    rules: tuple[Rule, ...]
    kind: str = "group"
    note: str = ""

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return parse_path(self.path)

    def read(self, node: Raw, report: list[Problem]) -> Any:
        held = find(node, self._steps)
        if held is None:
            return ABSENT
        if not isinstance(held, dict) or "modifierExtension" in held:
            report.append(Problem(self.path, "not understood"))
            return UNREADABLE
        return read_within(self.path, self.rules, held, report) or ABSENT

    def write(self, node: Raw, value: Any) -> None:
        steps = self._steps
        if value is ABSENT and find(node, steps) is None:
            return
        write_all(self.rules, ensure(node, steps), {} if value is ABSENT else value)
        prune(node, steps)

    def rows(self) -> Iterator[Row]:
        yield Row(self.path, self.attr, self.kind, self.note)
        if self.kind == "group":
            yield from nested(self.path, self.attr, self.rules)


def nested(path: str, attr: str, rules: Sequence[Rule]) -> Iterator[Row]:
    """The rows of inner rules, with the outer path and attribute in front."""
    for rule in rules:
        for row in rule.rows():
            yield replace(row, path=f"{path}.{row.path}".strip("."), attr=f"{attr}.{row.attr}")


def period(path: str, attr: str = "period", note: str = "") -> Group:
    """A Period ⇄ {start, end}."""
    return Group(path, attr, (Field("start", "start", moment), Field("end", "end", moment)), "period", note)


def quantity(path: str, attr: str, note: str = "") -> Group:
    """A Quantity ⇄ {value, comparator, unit, system, code}."""
    parts = (Field("comparator", "comparator"), Field("unit", "unit"), Field("system", "system"), Field("code", "code"))
    return Group(path, attr, (Field("value", "value", decimal), *parts), "quantity", note)


def money(path: str, attr: str, note: str = "") -> Group:
    """A Money ⇄ {value, currency}."""
    return Group(path, attr, (Field("value", "value", decimal), Field("currency", "currency")), "money", note)


def coding(path: str, attr: str, note: str = "") -> Group:
    """A Coding ⇄ {system, code, display}."""
    return Group(path, attr, (Field("system", "system"), Field("code", "code"), Field("display", "display")), "coding", note)


@dataclass(frozen=True)
class Codeable:
    """A CodeableConcept ⇄ {system, code, display, text} by its first coding. Another code drops the old one's translations."""

    path: str
    attr: str
    note: str = ""

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return parse_path(self.path)

    def read(self, node: Raw, report: list[Problem]) -> Any:
        held = find(node, self._steps)
        if held is None:
            return ABSENT
        if not isinstance(held, dict):
            report.append(Problem(self.path, "not a CodeableConcept"))
            return UNREADABLE
        codings = held.get("coding")
        first = codings[0] if isinstance(codings, list) and codings and isinstance(codings[0], dict) else {}
        value = {name: first[name] for name in ("system", "code", "display") if isinstance(first.get(name), str)}
        if isinstance(held.get("text"), str):
            value["text"] = held["text"]
        return value or ABSENT

    def write(self, node: Raw, value: Any) -> None:
        steps = self._steps
        if value is ABSENT and find(node, steps) is None:
            return
        held = ensure(node, steps)
        new = {} if value is ABSENT else value
        old = self.read(node, [])
        old = old if isinstance(old, dict) else {}
        parts = {name: new[name] for name in ("system", "code", "display") if name in new}
        if (old.get("system"), old.get("code")) != (new.get("system"), new.get("code")) or not parts or "coding" not in held:
            held["coding"] = [parts] if parts else []
            held.pop("_coding", None)
        elif old.get("display") != new.get("display"):
            set_primitive(held["coding"][0], "display", new.get("display"))
        if old.get("text") != new.get("text"):
            set_primitive(held, "text", new.get("text"))
        prune(node, (*steps, *parse_path("coding")))

    def rows(self) -> Iterator[Row]:
        yield Row(self.path, self.attr, "code", self.note)


@dataclass(frozen=True)
class Ref:
    """A Reference ⇄ "Type/id". Another target drops display, type and identifier: they described the old one."""

    path: str
    attr: str
    note: str = ""

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return parse_path(self.path)

    def read(self, node: Raw, report: list[Problem]) -> Any:
        held = find(node, self._steps)
        target = held.get("reference") if isinstance(held, dict) else None
        if target is None:
            return ABSENT
        if not reference.check(target):
            report.append(Problem(self.path, "a reference that is not Type/id"))
            return UNREADABLE
        return target

    def write(self, node: Raw, value: Any) -> None:
        steps = self._steps
        if value is ABSENT and find(node, steps) is None:
            return
        held = ensure(node, steps)
        if value is not ABSENT and not reference.check(value):
            raise Invalid(f"{self.attr}: not a reference of the form Type/id.", expression=[self.path])
        for name in ("reference", "display", "type", "identifier", "_display"):
            held.pop(name, None)
        if value is not ABSENT:
            held["reference"] = value
        prune(node, steps)

    def rows(self) -> Iterator[Row]:
        yield Row(self.path or "reference", self.attr, "reference", self.note)


@dataclass(frozen=True)
class Implied:
    """An element that says again, for readers who do not know us, what another rule carries. Written when that changes, never read."""

    path: str
    source: str
    table: Callable[[Any], Any]
    """From the record's value to the element's JSON, None for none."""
    note: str = ""

    @property
    def attr(self) -> str:
        return f"({self.source})"

    def read(self, node: Raw, report: list[Problem]) -> Any:  # noqa: ARG002
        return ABSENT

    def write(self, node: Raw, value: Any) -> None:
        steps = parse_path(self.path)
        new = None if value is ABSENT else self.table(value)
        parent = find(node, steps[:-1]) if new is None else ensure(node, steps[:-1])
        if isinstance(parent, dict):
            set_primitive(parent, steps[-1].name, copy(new))
            prune(node, steps[:-1])

    def rows(self) -> Iterator[Row]:
        yield Row(self.path, self.attr, "implied", self.note or "written, never read")
