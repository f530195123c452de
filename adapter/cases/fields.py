"""The kinds of field that a record is made of: mongoengine fields that judge plain JSON-like values and say their rule in words.

`RULE` completes the sentence "<path>: …". A rule names what is allowed and never what was found, so no patient datum gets into a text.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import mongoengine

_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_DATE_TIME = re.compile(
    r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])"
    r"(T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]((0\d|1[0-3]):[0-5]\d|14:00)))?)?)?"
)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?")
_REFERENCE = re.compile(r"([A-Z][A-Za-z]{2,40})/([A-Za-z0-9.-]{1,64})")


def _is_real(text: str) -> bool:
    """Whether the calendar and Python's clock have it: no 30 February, no year 0, no leap second."""
    try:
        return bool(datetime.fromisoformat(text) if "T" in text else date.fromisoformat((text + "-01-01")[:10]))
    except ValueError:
        return False


class Text(mongoengine.StringField):  # type: ignore[misc]
    """Any text that is not empty."""

    RULE: ClassVar[str] = "is not a text"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and value != ""


class Choice(Text):
    """One word of a closed list."""

    def __init__(self, *words: str, **options: Any) -> None:
        super().__init__(choices=words, **options)
        self._words = frozenset(words)
        self.RULE = f"is not one of {', '.join(words)}"  # type: ignore[misc]

    @property
    def words(self) -> frozenset[str]:
        """The words of the list."""
        return self._words

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.words


class Date(Text):
    """A FHIR date, as partial as it was written: http://hl7.org/fhir/R4/datatypes.html#date"""

    RULE = "is not a date: YYYY, YYYY-MM or YYYY-MM-DD"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and _DATE.fullmatch(value) is not None and _is_real(value)


class DateTime(Text):
    """A FHIR dateTime: a date, or a moment with its zone as written: http://hl7.org/fhir/R4/datatypes.html#dateTime"""

    RULE = "is not a dateTime: a date, or YYYY-MM-DDThh:mm:ss with a zone"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and _DATE_TIME.fullmatch(value) is not None and _is_real(value)


class Moment(DateTime):
    """A FHIR instant: a moment to the second with its zone."""

    RULE = "is not an instant: YYYY-MM-DDThh:mm:ss with a zone"

    def accepts(self, value: Any) -> bool:
        return super().accepts(value) and "T" in value


class Time(Text):
    """A time of day."""

    RULE = "is not a time: hh:mm:ss"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and _TIME.fullmatch(value) is not None


class Ref(Text):
    """A reference `Type/id` in local ids, to one of `types` (none named: to any)."""

    def __init__(self, *types: str, **options: Any) -> None:
        super().__init__(**options)
        self.types = frozenset(types)
        self.RULE = f"is not a reference to {' or '.join(types) or 'a resource'} (Type/id)"  # type: ignore[misc]

    def accepts(self, value: Any) -> bool:
        found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        return found is not None and (not self.types or found[1] in self.types)


class Flag(mongoengine.BooleanField):  # type: ignore[misc]
    """True or false."""

    RULE: ClassVar[str] = "is not true or false"

    def accepts(self, value: Any) -> bool:
        return isinstance(value, bool)


class Whole(mongoengine.IntField):  # type: ignore[misc]
    """A whole number within its bounds, and of 32 bits: http://hl7.org/fhir/R4/datatypes.html#integer"""

    def __init__(self, least: int | None = None, most: int | None = None, **options: Any) -> None:
        super().__init__(min_value=least, max_value=most, **options)
        bounds = f"{'' if least is None else f' from {least}'}{'' if most is None else f' up to {most}'}"
        self.RULE = f"is not a whole number of 32 bits{bounds}"

    def accepts(self, value: Any) -> bool:
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and -(2**31) <= value < 2**31
            and (self.min_value is None or value >= self.min_value)
            and (self.max_value is None or value <= self.max_value)
        )


class Exact(mongoengine.Decimal128Field):  # type: ignore[misc]
    """A decimal with all its digits, 34 at most (what MongoDB keeps), within its bounds; a whole number is one too. Never a float."""

    def __init__(self, least: int | None = None, most: int | None = None, **options: Any) -> None:
        super().__init__(min_value=least, max_value=most, **options)
        bounds = f"{'' if least is None else f' from {least}'}{'' if most is None else f' up to {most}'}"
        self.RULE = f"is not a decimal of 34 digits at most{bounds}"

    def accepts(self, value: Any) -> bool:
        return (
            isinstance(value, int | Decimal)
            and not isinstance(value, bool)
            and _is_kept(value)
            and (self.min_value is None or value >= self.min_value)
            and (self.max_value is None or value <= self.max_value)
        )


def _is_kept(value: int | Decimal) -> bool:
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return value.is_finite() and len(value.as_tuple().digits) <= 34


class Part(mongoengine.EmbeddedDocumentField):  # type: ignore[misc]
    """A group of fields: one value of `kind`."""

    RULE: ClassVar[str] = "is not an object"


class Items(mongoengine.ListField):  # type: ignore[misc]
    """A list of one kind of field. `key` names the fields of an item that tell it from the others; an absent one counts as a value."""

    RULE: ClassVar[str] = "is not a list"

    def __init__(self, field: Any, key: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(field, **options)
        self.key = key


def parts(kind: type[Any], key: tuple[str, ...] = (), **options: Any) -> Items:
    """A list of groups of fields."""
    return Items(Part(kind), key, **options)


def refs(*types: str, **options: Any) -> Items:
    """A list of references, each at most once."""
    return Items(Ref(*types), **options)
