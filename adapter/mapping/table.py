"""A concept's mapping: its table of rules for one face, read in both directions."""

from collections.abc import Callable
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, field
from functools import cached_property

from adapter.config import EXT
from adapter.errors import NotUnderstood
from adapter.fhir.resource import Raw, copy
from adapter.mapping.codecs import Codec, text
from adapter.mapping.codes import CodeTable
from adapter.mapping.rules import Coded, Field, Fields, Problem, Rule, differing, read_all, write_all

# Elements which, unknown, may turn a resource's meaning round: http://hl7.org/fhir/R4/extensibility.html#modifierExtension
_MODIFIERS = ("modifierExtension", "implicitRules")


@dataclass(frozen=True)
class Extracted:
    """What a mapping understands of a resource."""

    fields: Fields
    problems: list[Problem]
    understood: bool = True


def _any_resource(_: Raw) -> bool:
    return True


def _as_it_is(_before: Raw, _after: Raw) -> None:
    pass


def _any_record(_: Fields) -> bool:
    return True


@dataclass(frozen=True)
class Mapping:
    """One face of a concept. Resources for which `when` is true are of this concept; records for which `applies` is true have this face."""

    concept: str
    type: str
    rules: tuple[Rule, ...]
    const: ReadOnly[str, object] = field(default_factory=dict)
    """Elements that a new resource starts with; never read, never changed."""
    when: Callable[[Raw], bool] = _any_resource
    applies: Callable[[Fields], bool] = _any_record
    owners: ReadOnly[str, str] = field(default_factory=dict)
    """Who decides when both sides changed an element (path → ours, theirs, newest, person; see `merge`); a person where nothing is said."""
    note: str = ""
    arrange: Callable[[Raw, Raw], None] = _as_it_is
    """Puts what was written, in place, into the order that its type needs; called with the resource before and after."""

    @cached_property
    def attrs(self) -> frozenset[str]:
        """The record's attributes that have their home in this face."""
        return frozenset(rule.attr for rule in self.rules)

    def extract(self, raw: Raw) -> Extracted:
        """The record fields of a resource, and what could not be read. Never raises on what a sender wrote."""
        report: list[Problem] = []
        for name in _MODIFIERS:
            if name in raw:
                return Extracted({}, [Problem(name, "changes the meaning in a way that is not known here")], understood=False)
        return Extracted(read_all(self.rules, raw, report), report)

    def overlay(self, raw: Raw | None, fields: Fields) -> Raw:
        """The resource brought to what the record says: `raw` itself where nothing differs, else a copy with only that changed.

        Raises NotUnderstood where an unknown modifier forbids automatic edits; UnknownCode, Invalid, DuplicateItem naming the attribute.
        """
        if raw is None:
            new: Raw = {"resourceType": self.type, **copy(dict(self.const))}
            write_all(self.rules, new, fields)
            return new
        if any(name in raw for name in _MODIFIERS):
            if not self.attrs.isdisjoint(fields):
                raise NotUnderstood(f"This {self.type} has a modifier that is not known here; it is not edited automatically.")
            return raw
        changes = differing(self.rules, raw, fields)
        if not changes:
            return raw
        new = copy(raw)
        for rule, value in changes:
            rule.write(new, value)
        self.arrange(raw, new)
        return new


# The primitive types of an extension's value, by codec; FHIR spells them with a capital.
_VALUE = {
    "text": "String",
    "boolean": "Boolean",
    "integer": "Integer",
    "decimal": "Decimal",
    "date": "Date",
    "dateTime": "DateTime",
    "instant": "Instant",
}


def extension(name: str) -> str:
    """The path of our extension of this name; see `adapter.config.EXT`."""
    return f"extension[url={EXT}/{name}]"


def ext(name: str, attr: str, codec: Codec = text, note: str = "") -> Field:
    """A rule for one of our extensions with a primitive value."""
    return Field(f"{extension(name)}.value{_VALUE[codec.name]}", attr, codec, note)


def ext_code(name: str, attr: str, table: CodeTable, note: str = "") -> Coded:
    """A rule for one of our extensions with a code."""
    return Coded(f"{extension(name)}.valueCode", attr, text, note, table)
