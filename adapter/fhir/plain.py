"""Whether a resource is plainly of the structure of its R4 type: a yes at a tenth of the price of a full check, and no verdict otherwise.

The models of fhir.resources build an object for every element, which costs 0.3 to 4 ms a resource. Most resources need nothing of that:
known elements, each of its kind and with a value of the ordinary form. Whatever is less ordinary is left to `check_structure`, so a yes
must never be said of what that refuses (`tests/fhir/test_plain.py`), while a no means nothing.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from adapter.fhir.resource import Raw
from adapter.fhir.structure import Element, elements, model_of

_DAY = r"[1-9]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)"
_day = re.compile(_DAY, re.ASCII).fullmatch
_part = re.compile(r"[1-9]\d{3}(?:-(?:0[1-9]|1[0-2]))?", re.ASCII).fullmatch
_moment = re.compile(f"{_DAY}T{_CLOCK}", re.ASCII).fullmatch
_code = re.compile(r"[!-~]+(?: [!-~]+)*").fullmatch
_uri = re.compile(r"[!-~]+").fullmatch
_url = re.compile(r"https?://[a-z0-9.-]+\.[a-z]{2,}(?:/[A-Za-z0-9._~/-]*)?").fullmatch
is_id = re.compile(r"[A-Za-z0-9.-]{1,64}").fullmatch
_base64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?").fullmatch


def _is_day(text: str) -> bool:
    if not _day(text):
        return False
    if text[8:] <= "28":
        return True
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value < 2**31


def _text(form: Callable[[str], Any]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and bool(form(value))


# By FHIR's primitive type: whether a value is of the ordinary form; and a contained resource, which says itself what it is. Primitive types
# that are not here are never plain.
_ORDINARY: dict[str, Callable[[Any], bool]] = {
    "String": _text(str.strip),
    "Markdown": _text(str.strip),
    "Xhtml": _text(lambda text: text.startswith("<div")),
    "Code": _text(_code),
    "Uri": _text(_uri),
    "Canonical": _text(_uri),
    "Url": _text(_url),
    "Id": _text(is_id),
    "Date": _text(lambda text: _is_day(text) or _part(text)),
    "DateTime": _text(lambda text: (_moment(text) and _is_day(text[:10])) or _is_day(text) or _part(text)),
    "Instant": _text(lambda text: _moment(text) and _is_day(text[:10])),
    "EncodedBytes": _text(lambda text: text and _base64(text)),
    "Bool": lambda value: type(value) is bool,
    "Decimal": lambda value: type(value) is int or (type(value) is Decimal and abs(value.adjusted()) < 18),
    "Resource": lambda value: isinstance(value, dict) and is_plain(value),
    "Integer": _whole(-(2**31)),
    "UnsignedInt": _whole(0),
    "PositiveInt": _whole(1),
}


class _Shape:
    """What of a definition is needed, in the form in which it is asked for most quickly."""

    def __init__(self, known: Mapping[str, Element]) -> None:
        self.known = {
            name: (element.many, element.choice, ordinary := _ORDINARY.get(element.kind), None if ordinary else element.model)
            for name, element in known.items()
        }
        self.required = {name for name, element in known.items() if element.required and not element.choice}
        self.choices = {element.choice for element in known.values() if element.choice and element.required}


@cache
def _shape(model: Any) -> _Shape:
    return _Shape(elements(model))


def is_plain(raw: Raw) -> bool:
    """Whether `check_structure` accepts this resource for certain. False where it may not, or where only it can tell."""
    type = raw.get("resourceType")
    model = model_of(type) if isinstance(type, str) and type.isalpha() else None
    return model is not None and _plain({name: value for name, value in raw.items() if name != "resourceType"}, _shape(model))


def _plain(value: Raw, shape: _Shape) -> bool:
    chosen: set[str] = set()
    for name, item in value.items():
        found = shape.known.get(name)
        if found is None:
            return False
        many, choice, is_ordinary, model = found
        if many is not isinstance(item, list) or not (item or many is False):
            return False
        if choice:
            if choice in chosen:
                return False
            chosen.add(choice)
        for part in item if many else (item,):
            if model is None:
                if is_ordinary is None or not is_ordinary(part):
                    return False
            elif not isinstance(part, dict) or not part or not _plain(part, _shape(model)):
                return False
    return shape.required <= value.keys() and shape.choices <= chosen
