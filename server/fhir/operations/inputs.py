"""An operation's parameters, from a Parameters resource, a bare resource or the query, checked against its OperationDefinition.

http://hl7.org/fhir/R4/operations.html#request
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.errors import Invalid
from adapter.fhir.dates import span
from adapter.fhir.resource import Raw, check_structure
from adapter.store.search_parameters import table
from adapter.store.syntax import plain
from server.fhir import headers
from server.fhir.messages import Request
from server.fhir.operations.definition import Definition, Parameter

# Of HTTP and of paging, not of any one operation.
_HTTP = frozenset({"_cursor", "_format", "_pretty"})
_CODE = re.compile(r"\S+( \S+)*")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,8})", re.ASCII)


@dataclass(frozen=True)
class Inputs:
    """The values given, by parameter: Python's values for primitives, dicts for the rest, Inputs for what has parts."""

    values: dict[str, list[Any]] = field(default_factory=dict)
    others: Sequence[tuple[str, str]] = ()
    """Parameters of the query that the definition leaves to search."""
    ignored: Sequence[str] = ()
    """Names of parameters that are not known and, under lenient handling, were left out."""

    def one(self, name: str) -> Any:
        """The value of a parameter that does not repeat; None where it was not given."""
        return next(iter(self.values.get(name, ())), None)

    def all(self, name: str) -> list[Any]:
        return self.values.get(name, [])


def read(definition: Definition, request: Request, *, search: bool = False) -> Inputs:
    """The parameters of a request. Raises Invalid, naming the parameter, where they are not those of the definition.

    `search`: what the definition does not name is a search parameter, and goes to `others`.
    """
    rows, strict = definition.parameters, (headers.prefer(request, "handling") or request.handling) != "lenient"
    given: list[tuple[str, Any]] = []
    others: list[tuple[str, str]] = []
    ignored: list[str] = []
    for name, text in request.params:
        row = rows.get(name)
        if row is not None:
            given += [(name, _from_text(row, part)) for part in (text.split(",") if row.repeats else [text])]
        elif search:
            others.append((name, text))
        elif name not in _HTTP:
            ignored.append(_left_out(definition, name, strict))
    if request.method == "POST" and request.body:
        headers.check_content(request)
        given += _of_body(definition, request.resource(), strict, ignored)
    return Inputs(_counted(rows.values(), given, definition.code), others, ignored)


def _of_body(definition: Definition, body: Raw, strict: bool, ignored: list[str]) -> list[tuple[str, Any]]:
    rows = definition.parameters
    if body.get("resourceType") != "Parameters":
        # http://hl7.org/fhir/R4/operations.html#request: with one parameter of a resource type, the body may be that resource.
        [name, *more] = [row.name for row in rows.values() if _is_resource(row.type)] or [""]
        if not name or more or not _fits(rows[name], body):
            raise Invalid(f"${definition.code} takes a Parameters resource.", expression=["resourceType"])
        return [(name, body)]
    check_structure(_without_resources(body))
    return _of_list(rows, body.get("parameter") or [], definition, strict, ignored)


def _of_list(rows: Any, items: list[Raw], definition: Definition, strict: bool, ignored: list[str]) -> list[tuple[str, Any]]:
    given = []
    for item in items:
        name = item["name"]
        row = rows.get(name)
        if row is not None:
            given.append((name, _from_item(row, item, definition, strict)))
        else:
            ignored.append(_left_out(definition, name, strict))
    return given


def _from_item(row: Parameter, item: Raw, definition: Definition, strict: bool) -> Any:
    if row.parts:
        parts = {part.name: part for part in row.parts}
        return Inputs(_counted(row.parts, _of_list(parts, item.get("part") or [], definition, strict, []), definition.code))
    if _is_resource(row.type):
        value = item.get("resource")
        if not isinstance(value, dict) or not _fits(row, value):
            raise _malformed(row)
        return value
    kind = row.type or ""
    value = item.get(f"value{kind[:1].upper()}{kind[1:]}")
    if value is None or (kind in _PRIMITIVES and not isinstance(value, bool | int) and not _PRIMITIVES[kind](value)):
        raise _malformed(row)
    return value


def _from_text(row: Parameter, text: str) -> Any:
    kind = row.type or ""
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind in ("integer", "positiveInt") and _NUMBER.fullmatch(text):
        return int(text)
    if kind == "Reference" and text:
        return {"reference": text}
    # A plus sign that the client did not escape has come here as a space.
    value = text.replace(" ", "+") if kind in ("date", "dateTime", "instant") else text
    if kind not in _PRIMITIVES or kind in ("boolean", "integer", "positiveInt") or not _PRIMITIVES[kind](value):
        raise _malformed(row)
    return value


def _counted(rows: Iterable[Parameter], given: list[tuple[str, Any]], code: str) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {}
    for name, value in given:
        values.setdefault(name, []).append(value)
    for row in rows:
        count = len(values.get(row.name, ()))
        if row.required and not count:
            raise Invalid(f"${code} needs the parameter {row.name}.", expression=[row.name])
        if count > 1 and not row.repeats:
            raise Invalid(f"${code} takes the parameter {row.name} once.", expression=[row.name])
        if row.type == "positiveInt" and any(value < 1 for value in values.get(row.name, ())):
            raise _malformed(row)
    return values


def _is_resource(type: str | None) -> bool:
    return type == "Resource" or type in table()


def _fits(row: Parameter, raw: Raw) -> bool:
    return row.type == "Resource" or raw.get("resourceType") == row.type


def _without_resources(value: Any) -> Any:
    """The Parameters without the resources in them: a resource that is to be judged may be broken in any way."""
    if isinstance(value, dict):
        return {name: _without_resources(item) for name, item in value.items() if name != "resource"}
    return [_without_resources(item) for item in value] if isinstance(value, list) else value


def _left_out(definition: Definition, name: str, strict: bool) -> str:
    """The name of a parameter that is not known, as it may be shown. Raises Invalid under strict handling."""
    if strict:
        known = ", ".join(definition.parameters) or "none"
        raise Invalid(f"${definition.code} has no parameter {plain(name)}; it has {known}.", expression=[plain(name)])
    return plain(name)


def _malformed(row: Parameter) -> Invalid:
    return Invalid(f"The parameter {row.name} needs a value of type {row.type or 'part'}.", expression=[row.name])


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _day(value: Any) -> bool:
    return _text(value) and "T" not in value and span(value) is not None


_PRIMITIVES: dict[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "canonical": _text,
    "code": lambda value: isinstance(value, str) and bool(_CODE.fullmatch(value)),
    "date": _day,
    "dateTime": lambda value: span(value) is not None,
    "instant": lambda value: isinstance(value, str) and bool(_INSTANT.fullmatch(value)) and span(value) is not None,
    "integer": lambda value: isinstance(value, int),
    "positiveInt": lambda value: isinstance(value, int),
    "string": _text,
    "uri": _text,
}
