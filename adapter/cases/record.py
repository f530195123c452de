"""What every record is: named fields with rules, plain values in, plain values and problems out. It knows no FHIR and saves nothing."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, ClassVar, Self

import mongoengine

from adapter.cases.fields import Choice, Items, Part, Ref

Fields = dict[str, Any]
"""A record's fields: names to plain JSON-like values; an absent value is an absent key."""


class Judged(mongoengine.EmbeddedDocument):  # type: ignore[misc]
    """Named fields with rules, whose values are judged by them.

    A field's key is its name here, but for the few whose name Python or this class needs: those say their key as `db_field`.
    A list's items are told apart by the list's `key`.
    """

    meta = {"abstract": True}

    concept: ClassVar[str]

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """The record with these fields, taken as they are; `problems` says what is wrong with them.

        mongoengine would build a document for each nested group, 400 µs for a person; the plain values are checked against the same
        fields instead, when somebody asks.
        """
        record = cls()
        record._plain = dict(fields)
        record._data.update({name: fields[key] for name, key in _names(cls) if key in fields})
        return record

    def fields(self) -> Fields:
        """The plain values; absent keys are absent values."""
        return dict(self._plain)

    def problems(self) -> list[str]:
        """What a strict writer must refuse, as `path: rule`; never a value."""
        return list(_group_problems(type(self), self._plain, ""))

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """The names of all fields, as they stand in `fields`."""
        return tuple(_schema(cls))

    @classmethod
    def field(cls, path: str) -> Any:
        """The field at a dotted path, through groups and lists of them; None where there is none."""
        kind: Any = cls
        found = None
        for step in path.split("."):
            found = _schema(kind).get(step) if kind is not None else None
            kind = _inner(found) if found is not None else None
        return found


class Record(Judged):
    """The fields of one case-management concept. A list's items are told apart by the list's `key` (see `list_keys`)."""

    meta = {"abstract": True}

    # Fields that are kept only here and have no place in FHIR.
    LOCAL: ClassVar[frozenset[str]] = frozenset()
    # Fields of the domain model (DOMAIN §3.2) that are not here, and where they stand or how they are computed.
    ELSEWHERE: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def list_keys(cls) -> dict[str, tuple[str, ...]]:
        """The lists whose items have a natural key, also nested ones by dotted path, and that key's fields."""
        return dict(_list_keys(cls, ""))

    @classmethod
    def enumerations(cls) -> dict[str, frozenset[str]]:
        """The closed lists of words, by dotted path."""
        return dict(_enumerations(cls, ""))


def _fields_by_key(kind: Any) -> dict[str, Any]:
    return {field.db_field: field for field in kind._fields.values()}


def _names_and_keys(kind: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name, field.db_field) for name, field in kind._fields.items())


_schema: Callable[[Any], dict[str, Any]] = cache(_fields_by_key)
_names: Callable[[Any], tuple[tuple[str, str], ...]] = cache(_names_and_keys)


def _group_problems(kind: type[Any], values: Any, path: str) -> Iterator[str]:
    schema, prefix = _schema(kind), f"{path}." if path else ""
    for key, value in values.items():
        field = schema.get(key)
        if field is None:
            # The name is not ours and may hold anything, so it is not repeated; the name that was meant is ours.
            meant = get_close_matches(str(key), schema, n=1)
            yield f"{path or kind.concept}: has a field that does not exist{f' (is {meant[0]} meant?)' if meant else ''}"
        else:
            yield from _problems(field, value, prefix + key)
    for key, field in schema.items():
        if field.required and key not in values:
            yield f"{prefix}{key}: is missing"
    one_of = getattr(kind, "ONE_OF", ())
    if one_of and sum(key in one_of for key in values) != 1:
        yield f"{path}: does not have exactly one of {', '.join(sorted(one_of))}"


def _problems(field: Any, value: Any, path: str) -> Iterator[str]:
    if value is None or value == "" or value == [] or value == {}:
        yield f"{path}: is empty; an absent value is an absent key"
    elif isinstance(field, Part):
        if isinstance(value, dict):
            yield from _group_problems(field.document_type, value, path)
        else:
            yield f"{path}: {field.RULE}"
    elif isinstance(field, Items):
        if isinstance(value, list):
            yield from _list_problems(field, value, path)
        else:
            yield f"{path}: {field.RULE}"
    elif not field.accepts(value):
        yield f"{path}: {field.RULE}"


def _list_problems(field: Items, values: list[Any], path: str) -> Iterator[str]:
    seen = set()
    for position, value in enumerate(values):
        here = f"{path}[{position}]"
        yield from _problems(field.field, value, here)
        if field.key and isinstance(value, dict):
            key = repr([_at(value, part) for part in field.key])
        elif isinstance(field.field, Ref | Choice) and isinstance(value, str):
            key = value
        else:
            continue
        if key in seen:
            yield f"{here}: has the same {', '.join(field.key) or 'value'} as an earlier item"
        seen.add(key)


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _list_keys(kind: type[Any], prefix: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key, field in _schema(kind).items():
        if isinstance(field, Items) and field.key:
            yield prefix + key, field.key
        inner = _inner(field)
        if inner is not None:
            yield from _list_keys(inner, f"{prefix}{key}.")


def _enumerations(kind: type[Any], prefix: str) -> Iterator[tuple[str, frozenset[str]]]:
    for key, field in _schema(kind).items():
        leaf = field.field if isinstance(field, Items) else field
        if isinstance(leaf, Choice):
            yield prefix + key, leaf.words
        inner = _inner(field)
        if inner is not None:
            yield from _enumerations(inner, f"{prefix}{key}.")


def _inner(field: Any) -> type[Any] | None:
    leaf = field.field if isinstance(field, Items) else field
    return leaf.document_type if isinstance(leaf, Part) else None
