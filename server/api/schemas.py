"""Schemas made from the record classes: what a body or a query may hold, judged by the record's own rules, and its form for OpenAPI.

A new concept, or a new field of one, is here by itself. The fields' rules stay where they are, in `adapter.cases.fields`: marshmallow says
only which form they have, so that a value is judged in one way, whichever door it comes by.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import marshmallow
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields

from adapter.cases.fields import Choice, Date, DateTime, Exact, Flag, Items, Moment, Part, Ref, Text, Time, Whole, parts
from adapter.cases.record import Judged
from adapter.cases.values import Value
from adapter.casework.edits import MADE
from adapter.errors import Invalid

_SHOWN = 5

# The marshmallow field of each kind of field, with what OpenAPI says of it: its form beyond the type, and an example.
_LEAVES: dict[type, tuple[type[fields.Field], dict[str, Any]]] = {
    Text: (fields.String, {"minLength": 1, "example": "text"}),
    Choice: (fields.String, {}),
    Date: (fields.String, {"description": "YYYY, YYYY-MM or YYYY-MM-DD", "example": "2025-04-22"}),
    DateTime: (fields.String, {"description": "A date, or YYYY-MM-DDThh:mm:ss with a zone", "example": "2025-04-22T09:00:00Z"}),
    Moment: (fields.String, {"description": "YYYY-MM-DDThh:mm:ss with a zone", "example": "2025-04-22T09:00:00Z"}),
    Time: (fields.String, {"description": "hh:mm:ss", "example": "09:00:00"}),
    Ref: (fields.String, {}),
    Flag: (fields.Boolean, {"example": True}),
    Whole: (fields.Integer, {}),
    Exact: (fields.Decimal, {"description": "A decimal with all its digits"}),
}


class RecordSchema(marshmallow.Schema):
    """A JSON object with the fields of a record class."""

    kind: type[Judged]

    def load(self, data: Any, **_: Any) -> Any:
        """The fields of a body, unchanged. Raises Invalid naming every path and rule; no value and no unknown name is repeated.

        What the server says about a record (`id`, `meta`) may come back with it and is left out, so that what was read can be written.
        """
        if not isinstance(data, dict):
            raise Invalid("The body is a JSON object.")
        return judged(self.kind, {name: value for name, value in data.items() if name not in ABOUT})


class QuerySchema(RecordSchema):
    """The parameters of a query, each at most once; texts are read as the kinds of their fields."""

    def load(self, data: Any, **_: Any) -> Any:
        """The parameters. Raises Invalid."""
        given = {name: data.getlist(name) for name in data}
        if any(len(several) > 1 for several in given.values()):
            raise Invalid("A parameter stands at most once in a query.")
        return judged(self.kind, {name: _read(self.kind.field(name), one) for name, [one] in given.items()})


ABOUT = ("id", "meta")
"""What the server adds to a record's fields; no concept has a field of these names."""


class About(Value):
    """What the server says about a record: where it is, which version this is and since when; of a past version also who made it."""

    reference = Ref(required=True)
    version = Whole(1, required=True)
    updated = DateTime(required=True)
    deleted = Flag()
    by = Ref()
    activity = Text()
    reason = Text()


class Reason(Value):
    """One thing that is wrong: where, and which rule it breaks."""

    path = Text(required=True)
    reason = Text(required=True)


class ProblemDetails(Value):
    """What went wrong: https://www.rfc-editor.org/rfc/rfc9457. `rule` is the stable name of a rule of case management that was broken,
    `allowed` what is possible instead."""

    title = Text(required=True)
    status = Whole(required=True)
    detail = Text(required=True)
    code = Text(required=True)
    errors = parts(Reason)
    rule = Text()
    allowed = Items(Text())


def judged(kind: type[Judged], given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, if the record class has nothing against them. Raises Invalid."""
    found = [problem.partition(": ") for problem in kind.of(given).problems()]
    made = MADE.get(kind.concept, {})
    # What the process makes is not missing where it has not made it yet.
    reasons = [(path, reason) for path, _, reason in found if path not in made or path in given]
    if reasons:
        text = "; ".join(f"{path}: {reason}" for path, reason in reasons[:_SHOWN])
        raise Invalid(f"Not as it must be: {text}.", expression=[path for path, _ in reasons], reasons=reasons)
    return dict(given)


def _read(field: Any, text: str) -> Any:
    if isinstance(field, Whole) and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    return {"true": True, "false": False}.get(text, text) if isinstance(field, Flag) else text


def body_of(kind: type[Judged]) -> type[RecordSchema]:
    """The schema of what is sent: the fields of a record."""
    return _judging(RecordSchema, kind)


def query_of(kind: type[Judged]) -> type[RecordSchema]:
    """The schema of a query's parameters."""
    return _judging(QuerySchema, kind)


def answer(kind: type[Any], *, kept: bool, many: bool) -> type[marshmallow.Schema]:
    """The schema of what is answered: a record or group, `kept` with what the server says about it, `many` as a page of a list."""
    one = _kept(kind) if kept else _part(kind)
    return _page(one) if many else one


def plugin() -> MarshmallowPlugin:
    """What names the schemas in OpenAPI: by their classes."""
    return MarshmallowPlugin(schema_name_resolver=lambda schema: getattr(schema, "__name__", type(schema).__name__))


def _made_judging(base: type[RecordSchema], kind: Any) -> type[RecordSchema]:
    return type(_name(kind), (base,), {**_members(kind), "kind": kind, "Meta": _described(kind)})


def _made_part(kind: Any) -> type[marshmallow.Schema]:
    if issubclass(kind, Judged):
        return body_of(kind)
    return type(_name(kind), (marshmallow.Schema,), {**_members(kind), "Meta": _described(kind)})


def _made_kept(kind: Any) -> type[marshmallow.Schema]:
    about = {"id": fields.String(required=True), "meta": fields.Nested(_part(About), required=True)}
    return type(f"Kept{_name(kind)}", (marshmallow.Schema,), {**about, **_members(kind), "Meta": _described(kind)})


def _made_page(one: Any) -> type[marshmallow.Schema]:
    members = {"items": fields.List(fields.Nested(one), required=True), "cursor": fields.String()}
    return type(f"{one.__name__}Page", (marshmallow.Schema,), {**members, "Meta": _PAGE})


# One class is one schema, made once: OpenAPI knows schemas by their classes.
_judging: Callable[[Any, Any], type[RecordSchema]] = cache(_made_judging)
_part: Callable[[Any], type[marshmallow.Schema]] = cache(_made_part)
_kept: Callable[[Any], type[marshmallow.Schema]] = cache(_made_kept)
_page: Callable[[Any], type[marshmallow.Schema]] = cache(_made_page)


def _name(kind: type[Any]) -> str:
    """The name of a class in OpenAPI: a group that only one concept has goes by the concept's name too."""
    room = kind.__module__.rpartition(".")[2]
    shared = issubclass(kind, Judged) or room in ("values", "schemas", "asked", "told")
    return kind.__name__ if shared else "".join(part.title() for part in room.split("_")) + kind.__name__


def _described(kind: type[Any]) -> type:
    description = " ".join((kind.__doc__ or "").split())
    return type("Meta", (), {"description": description, "register": False})


_PAGE = type("Meta", (), {"description": "A page of a list; `cursor` asks for the next one.", "register": False})


def _members(kind: type[Any]) -> dict[str, fields.Field]:
    # A member's name may be one that Python keeps for itself, such as `from`; the class takes any.
    made = MADE.get(getattr(kind, "concept", ""), {})
    return {field.db_field: _field(field, made=field.db_field in made) for field in kind._fields.values()}


def _field(field: Any, *, made: bool = False) -> fields.Field:
    # Of a member that is read-only, `required` is for answers: https://spec.openapis.org/oas/v3.0.3#properties
    options: dict[str, Any] = {"required": bool(field.required), "metadata": {"readOnly": True} if made else {}}
    if isinstance(field, Part):
        return fields.Nested(_part(field.document_type), **options)
    if isinstance(field, Items):
        return fields.List(_field(field.field), **options)
    leaf, form = _leaf(field)
    return leaf(**{**options, "metadata": {**form, **_form(field), **options["metadata"]}})


def _leaf(field: Any) -> tuple[type[fields.Field], dict[str, Any]]:
    """The row of a field's kind, or of the nearest kind that it is a kind of."""
    return next(_LEAVES[kind] for kind in type(field).__mro__ if kind in _LEAVES)


def _form(field: Any) -> dict[str, Any]:
    """What OpenAPI says of this very field."""
    if isinstance(field, Choice):
        words = list(field.choices or sorted(field.words))
        return {"enum": words, "example": words[0]}
    if isinstance(field, Ref):
        types = sorted(field.types)
        return {"description": f"Type/id of {' or '.join(types) or 'any resource'}", "example": f"{types[0] if types else 'Patient'}/1"}
    if isinstance(field, Whole | Exact):
        bounds = {"minimum": field.min_value, "maximum": field.max_value}
        return {**{name: int(value) for name, value in bounds.items() if value is not None}, "example": int(field.min_value or 1)}
    return {}


def example(kind: type[Any], key: tuple[str, ...] = ()) -> dict[str, Any]:
    """The least that is whole of a record class or group: its required fields, its `key` in a list, and one of those of which there must be
    one; of a group that needs nothing its first field."""
    of = {field.db_field: field for field in kind._fields.values()}
    made = MADE.get(getattr(kind, "concept", ""), {})
    keys = {path.partition(".")[0] for path in key}
    needed = [name for name, field in of.items() if name in keys or (field.required and name not in made)]
    chosen = [name for name in of if name in getattr(kind, "ONE_OF", ())][:1]
    return {name: _example(of[name]) for name in [*needed, *chosen] or list(of)[:1]}


def _example(field: Any, key: tuple[str, ...] = ()) -> Any:
    if isinstance(field, Part):
        return example(field.document_type, key)
    if isinstance(field, Items):
        return [_example(field.field, field.key)]
    return {**_leaf(field)[1], **_form(field)}["example"]


Problem = _part(ProblemDetails)
"""The schema of an error's answer."""
