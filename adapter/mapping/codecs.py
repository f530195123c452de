"""What a primitive element must look like to be read into a record: http://hl7.org/fhir/R4/datatypes.html#primitive

Dates and instants stay the texts they are, so that a partial date stays partial and a zone stays as it was written.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Codec:
    """A kind of primitive; `check` says whether a JSON value is one."""

    name: str
    check: Callable[[Any], bool]


def _pattern(expression: str) -> Callable[[Any], bool]:
    match = re.compile(expression).fullmatch
    return lambda value: isinstance(value, str) and match(value) is not None


def _digits(value: int | Decimal) -> int:
    return len(Decimal(value).as_tuple().digits)


_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_DATE = r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?"
_TIME = r"T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-](0\d|1[0-4]):[0-5]\d)"

text = Codec("text", lambda value: isinstance(value, str) and value != "")
texts = Codec("list of text", lambda value: isinstance(value, list) and value != [] and all(map(text.check, value)))
boolean = Codec("boolean", lambda value: isinstance(value, bool))
integer = Codec("integer", lambda value: isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31)
# MongoDB's Decimal128 holds 34 digits; a number with more stays in the resource and out of the record.
decimal = Codec("decimal", lambda value: isinstance(value, int | Decimal) and not isinstance(value, bool) and _digits(value) <= 34)
date = Codec("date", _pattern(_DATE))
moment = Codec("dateTime", _pattern(f"{_DATE}|{_DAY}{_TIME}"))
instant = Codec("instant", _pattern(_DAY + _TIME))
reference = Codec("reference", lambda value: isinstance(value, str) and "/" in value and not value.startswith("#"))
time = Codec("time", _pattern(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"))
