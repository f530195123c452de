"""A form for any record, made from its fields: what is asked under which name, and what of it is filled in.

A widget's name is the path that `Record.problems` uses, such as `goal_reviews[0].goal`, so that an error finds its place.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from adapter.cases import fields as kinds
from adapter.cases.plan import Option
from adapter.cases.record import Fields, Record
from adapter.cases.values import Address, Code, Identifier, Name, Note, Quantity, Telecom
from adapter.cases.wording import code, label
from adapter.errors import Invalid

Errors = Mapping[str, str]
"""By path: what is wrong there."""
Known = Callable[[frozenset[str], bool], Sequence[tuple[str, str]]]
"""References to these types (none named: to any) that the form offers, each with its name; `several` where more than one can be chosen."""

# Of these groups only what people write is asked; the rest is kept with it.
_ASKED: Mapping[type[Any], tuple[str, ...]] = {
    Quantity: ("value", "unit"),
    Note: ("text",),
    Identifier: ("type", "value"),
    Name: ("use", "given", "family"),
    Telecom: ("system", "value"),
    Address: ("use", "line", "city", "state", "postal_code", "country"),
    Option: ("title", "plain_text", "services", "estimated_cost"),
}
# Of these what says the whole in words is asked too where it is there, so that it does not say what was.
_WORDED: Mapping[type[Any], str] = {Name: "text", Address: "text"}
_LONG = frozenset(
    (
        *("note", "notes", "text", "plain_text", "summary", "rationale", "mitigation", "lessons", "experience", "research_notes"),
        "justification",
    )
)
# Coded fields that are chosen: http://terminology.hl7.org/CodeSystem/v3-ActCode
_CODED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "encounter_class": (
        ("AMB", "ambulatory"),
        ("VR", "virtual"),
        ("HH", "home health"),
        ("EMER", "emergency"),
        ("IMP", "inpatient encounter"),
    )
}
_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_OPEN_ITEMS = 1
"""How many empty items a list offers beside those that it has."""
_MARK = "remove:"
_DEEPEST = 9
"""Of how many lists, one within the other, a name is read: more than any record has, and few for a name that is nothing but places."""


@dataclass(frozen=True)
class Widget:
    """One thing that is asked."""

    name: str
    label: str
    kind: str
    """How it is asked: text, long, number, date, moment, word, flag, code, coded, reference; words, references, lines; group, list."""
    value: Any = None
    """What stands in it, as the form sends it."""
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    parts: tuple["Widget", ...] = ()
    error: str = ""

    @property
    def id(self) -> str:
        """Its name, as HTML takes it in an id."""
        return "f-" + "".join(each if each.isalnum() else "-" for each in self.name)

    @property
    def remove(self) -> str:
        """The name of the box that takes an item away."""
        return _MARK + self.name


# The kinds of field, the narrower before the wider, and how each is asked.
_SIMPLE: tuple[tuple[type[Any], str], ...] = (
    (kinds.Choice, "word"),
    (kinds.DateTime, "moment"),
    (kinds.Date, "date"),
    (kinds.Ref, "reference"),
    (kinds.Flag, "flag"),
    (kinds.Whole, "number"),
    (kinds.Exact, "number"),
    (kinds.Text, "text"),
)


def kind_of(field: Any) -> str:
    """How a field of a record is asked."""
    if isinstance(field, kinds.Part):
        coded = "coded" if field.db_field in _CODED else "code"
        return coded if field.document_type is Code else "group"
    if isinstance(field, kinds.Items):
        leaf = kind_of(field.field)
        return {"word": "words", "reference": "references", "text": "lines"}.get(leaf, "list")
    return next(kind for type, kind in _SIMPLE if isinstance(field, type))


def schema(kind: type[Any]) -> dict[str, Any]:
    """The fields of a record or group by key."""
    return {field.db_field: field for field in kind._fields.values()}


def asked(kind: type[Any], value: Any) -> tuple[str, ...]:
    """The keys of a group that are asked; of one that holds exactly one of several, the one that it holds, else the commonest."""
    if one_of := getattr(kind, "ONE_OF", ()):
        held = [key for key in schema(kind) if key in one_of and isinstance(value, dict) and key in value]
        return (next(key for key in (*held, "quantity", "text", *schema(kind)) if key in one_of),)
    words = (_WORDED[kind],) if kind in _WORDED and isinstance(value, dict) and _WORDED[kind] in value else ()
    return (*_ASKED.get(kind, tuple(schema(kind))), *words)


def widgets(record: type[Record], names: Sequence[str], values: Fields, known: Known, errors: Errors) -> list[Widget]:
    """What is asked for these fields of a record, filled with `values`."""
    found = schema(record)
    return [_widget(found[name], name, label(name), values.get(name), known, errors) for name in names]


def _widget(field: Any, name: str, told: str, value: Any, known: Known, errors: Errors) -> Widget:
    kind = kind_of(field)
    make = _MADE.get(kind)
    choices, parts = make(field, name, value, known, errors) if make else ((), ())
    if kind == "text" and name.rpartition(".")[2].partition("[")[0] in _LONG:
        kind = "long"
    show: Callable[[Any], Any] = _SHOWN.get(kind, _as_text)
    return Widget(name, told, kind, show(value), bool(field.required), choices, parts, errors.get(name, ""))


_Inside = tuple[tuple[tuple[str, str], ...], tuple[Widget, ...]]


def _words(field: Any, _name: str, _value: Any, _known: Known, _errors: Errors) -> _Inside:
    leaf = field.field if isinstance(field, kinds.Items) else field
    return tuple((word, label(word)) for word in leaf.choices), ()


def _references(field: Any, _name: str, value: Any, known: Known, _errors: Errors) -> _Inside:
    several = isinstance(field, kinds.Items)
    offered = dict(known((field.field if several else field).types, several))
    held = value if isinstance(value, list) else [value] if value else []
    chosen = tuple((reference, offered.get(reference, str(reference))) for reference in held)
    return (*chosen, *((reference, told) for reference, told in offered.items() if reference not in held)), ()


def _group(field: Any, name: str, value: Any, known: Known, errors: Errors) -> _Inside:
    found, held = schema(field.document_type), value if isinstance(value, dict) else {}
    names = asked(field.document_type, value)
    return (), tuple(_widget(found[key], f"{name}.{key}", label(key), held.get(key), known, errors) for key in names)


def _list(field: Any, name: str, value: Any, known: Known, errors: Errors) -> _Inside:
    held = [*(value or []), *[None] * _OPEN_ITEMS]
    return (), tuple(
        _widget(field.field, f"{name}[{place}]", f"{label(name)} {place + 1}", item, known, errors) for place, item in enumerate(held)
    )


def _codes(field: Any, _name: str, value: Any, _known: Known, _errors: Errors) -> _Inside:
    offered = _CODED[field.db_field]
    held = value.get("code") if isinstance(value, dict) else None
    strange = () if held is None or held in dict(offered) else ((held, code(value)),)
    return (*strange, *((word, label(told)) for word, told in offered)), ()


_MADE: Mapping[str, Callable[[Any, str, Any, Known, Errors], _Inside]] = {
    "coded": _codes,
    "word": _words,
    "words": _words,
    "reference": _references,
    "references": _references,
    "group": _group,
    "list": _list,
}


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


def as_local(value: Any) -> str:
    """A moment as a browser's field has it, without its zone; anything less as it is written."""
    text = _as_text(value)
    return text[:16] if "T" in text else text


_SHOWN: Mapping[str, Callable[[Any], Any]] = {
    "code": lambda value: code(value) if value else "",
    "coded": lambda value: value.get("code", "") if isinstance(value, dict) else "",
    "moment": as_local,
    "flag": lambda value: {True: "true", False: "false"}.get(value, "") if isinstance(value, bool) else "",
    "words": lambda value: value or [],
    "references": lambda value: value or [],
    "lines": lambda value: "\n".join(value or []),
    "group": bool,
    "list": bool,
}


def filled(kind: type[Any], names: Sequence[str], form: "Sent", before: Fields, path: str = "") -> Fields:
    """The fields as a form has them: those of `names` as it says, all others as they were before; what cannot be read, as it was typed."""
    found = {key: value for key, value in before.items() if key not in names}
    for key in names:
        value = _READ.get(kind_of(schema(kind)[key]), _text)(schema(kind)[key], f"{path}{key}", form, before.get(key))
        if value not in (None, "", [], {}):
            found[key] = value
    return found


class Sent:
    """What a browser sent: texts by name."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values
        self._places: dict[str, set[str]] = defaultdict(set)
        for name in values:
            start, *rest = name.split("[", _DEEPEST)
            for part in rest:
                self._places[start].add(part.partition("]")[0])
                start = f"{start}[{part}"

    def text(self, name: str) -> str:
        """The text under this name; empty where there is none."""
        return next(iter(self._values.get(name, ())), "").replace("\r\n", "\n").strip()

    def several(self, name: str) -> list[str]:
        return [text for text in self._values.get(name, ()) if text]

    def places(self, name: str) -> list[int]:
        """Where in this list the items were that were on the form, in their order. Raises Invalid for what is no place in a list."""
        sent = self._places.get(name, set())
        if not all(place.isdecimal() and len(place) < 5 for place in sent):
            raise Invalid("The form has an item that is at no place of its list.", expression=[name])
        return sorted({int(place) for place in sent})


def _text(_field: Any, name: str, form: Sent, _before: Any) -> Any:
    return form.text(name)


def _number(field: Any, name: str, form: Sent, _before: Any) -> Any:
    text = form.text(name)
    try:
        return int(text) if isinstance(field, kinds.Whole) or text.lstrip("-").isdigit() else Decimal(text)
    except (ValueError, ArithmeticError):
        return text


def _moment(_field: Any, name: str, form: Sent, before: Any) -> Any:
    """A time without a zone is in the zone of the one before, else in UTC; one that nobody changed is as it was."""
    text, old = form.text(name).replace(" ", "T"), _as_text(before)
    if text == as_local(old):
        return old
    return zoned(text, (old[19:].lstrip(".0123456789") if "T" in old else "") or "Z")


def whole(text: str) -> int:
    """The number that a text of up to nine digits is; 0 for any other, which no browser sends."""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def answer_of(sent: Mapping[str, str], name: str, *words: str) -> str:
    """The word that was answered under this name. Raises Invalid where it is none of these: to say nothing is not to say no."""
    answer = sent.get(name, "")
    if answer not in words:
        raise Invalid(f"There is no answer: it is one of {', '.join(words)}.", expression=[name])
    return answer


def zoned(text: str, zone: str = "Z") -> str:
    """A moment as a browser's field has it, in this zone; one that says its own, and anything less than a moment, as it is."""
    clock = text.partition("T")[2]
    if not clock or clock.endswith("Z") or "+" in clock or "-" in clock:
        return text
    return f"{text}{':00' if clock.count(':') == 1 else ''}{zone}"


def _flag(_field: Any, name: str, form: Sent, _before: Any) -> Any:
    return {"true": True, "false": False}.get(form.text(name))


def _code(_field: Any, name: str, form: Sent, before: Any) -> Any:
    """In words; the code behind them stays where nobody changed them."""
    text = form.text(name)
    return before if before and text == code(before) else {"text": text} if text else None


def _coded(field: Any, name: str, form: Sent, before: Any) -> Any:
    chosen = form.text(name)
    if before and chosen == before.get("code"):
        return before
    told = dict(_CODED[field.db_field]).get(chosen)
    return {"system": _ACT, "code": chosen, "display": told} if told else None


def _several(_field: Any, name: str, form: Sent, _before: Any) -> Any:
    return form.several(name)


def _lines(_field: Any, name: str, form: Sent, _before: Any) -> Any:
    return [line.strip() for line in form.text(name).splitlines() if line.strip()]


def _read_group(field: Any, name: str, form: Sent, before: Any) -> Any:
    kind, old = field.document_type, before if isinstance(before, dict) else {}
    names = asked(kind, before)
    found = filled(kind, names, form, old, f"{name}.")
    if kind is Quantity and found.get("unit") != old.get("unit"):
        found = {key: value for key, value in found.items() if key not in ("system", "code")}
    return found if any(key in found for key in names) else None


def _read_list(field: Any, name: str, form: Sent, before: Any) -> Any:
    old, read = before or [], _READ.get(kind_of(field.field), _text)
    items = (
        read(field.field, f"{name}[{place}]", form, old[place] if place < len(old) else None)
        for place in form.places(name)
        if not form.text(f"{_MARK}{name}[{place}]")
    )
    return [item for item in items if item not in (None, "", [], {})]


_READ: Mapping[str, Callable[[Any, str, Sent, Any], Any]] = {
    "number": _number,
    "moment": _moment,
    "flag": _flag,
    "code": _code,
    "coded": _coded,
    "words": _several,
    "references": _several,
    "lines": _lines,
    "group": _read_group,
    "list": _read_list,
}
