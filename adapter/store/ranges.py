"""Dates, numbers and quantities as search writes them, with their prefixes, as conditions on an indexed range.

http://hl7.org/fhir/R4/search.html#prefix
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from adapter.clock import Clock
from adapter.errors import Invalid
from adapter.fhir.dates import BEGIN, END, Span, span
from adapter.store.documents import Document
from adapter.store.syntax import malformed, split, unescape

_DATED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(\d.*)", re.DOTALL)
_NUMBERED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?([+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?)", re.ASCII)


def updated(name: str, values: Sequence[str], clock: Clock) -> list[Span]:
    """The half-open ranges of time, of which one must hold, for the values of `_lastUpdated`. Raises Invalid."""
    found: list[Span] = []
    for value in values:
        prefix, low, high = dated(name, value, clock)
        before, after, ending, starting = (BEGIN, low), (high, END), (BEGIN, high), (low, END)
        found += {
            "eq": [(low, high)],
            "ne": [before, after],
            "gt": [after],
            "sa": [after],
            "ge": [starting],
            "lt": [before],
            "eb": [before],
            "le": [ending],
            "ap": [(low, high)],
        }[prefix]
    return found


def dated(name: str, value: str, clock: Clock) -> tuple[str, datetime, datetime]:
    """(prefix, start, end) of a date as search writes it; with `ap`, of the range about it. Raises Invalid."""
    # A plus sign that the client did not escape has come here as a space.
    found = _DATED.fullmatch(unescape(value).replace(" ", "+"))
    bounds = span(found[2]) if found else None
    if not found or not bounds:
        raise malformed(name, "a date or date-time, with one of the prefixes eq ne gt lt ge le sa eb ap or none")
    return (found[1], *_about(bounds, clock())) if found[1] == "ap" else (found[1] or "eq", *bounds)


def _about(bounds: Span, now: datetime) -> Span:
    """The range and, on either side, the tenth of the gap between it and now that R4 recommends; to the day, so that pages agree."""
    low, high = bounds
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    near = max(low - today, today - high, timedelta(0)) / 10
    return low - min(near, low - BEGIN), high + min(near, END - high)


def date_ways(name: str, value: str, clock: Clock) -> list[Document]:
    """The ways for a span to satisfy a date with its prefix; any will do. Raises Invalid."""
    prefix, low, high = dated(name, value, clock)
    before, after = {"lo": {"$lt": low}}, {"hi": {"$gt": high}}
    return {
        "eq": [{"lo": {"$gte": low}, "hi": {"$lte": high}}],
        "ne": [before, after],
        "gt": [after],
        "lt": [before],
        "ge": [{"lo": {"$gte": low}}, after],
        "le": [{"hi": {"$lte": high}}, before],
        "sa": [{"lo": {"$gte": high}}],
        "eb": [{"hi": {"$lte": low}}],
        "ap": [{"lo": {"$lt": high}, "hi": {"$gt": low}}],
    }[prefix]


def number_ways(name: str, value: str) -> list[Document]:
    """The ways for a measure to satisfy a number with its prefix; any will do. Raises Invalid."""
    found = _NUMBERED.fullmatch(unescape(value))
    if not found:
        raise malformed(name, "a number, with one of the prefixes eq ne gt lt ge le sa eb ap or none")
    number = Decimal(found[2])
    exact, half = float(number), _half(number)
    low, high, near = float(number - half), float(number + half), abs(exact) / 10
    return {
        "eq": [{"lo": {"$gte": low}, "hi": {"$lt": high}}],
        "ne": [{"lo": {"$lt": low}}, {"hi": {"$gte": high}}],
        "gt": [{"hi": {"$gt": exact}}],
        "lt": [{"lo": {"$lt": exact}}],
        "ge": [{"hi": {"$gte": exact}}],
        "le": [{"lo": {"$lte": exact}}],
        "sa": [{"lo": {"$gt": exact}}],
        "eb": [{"hi": {"$lt": exact}}],
        "ap": [{"lo": {"$lte": exact + near}, "hi": {"$gte": exact - near}}],
    }[found[1] or "eq"]


def quantity_ways(name: str, value: str) -> list[Document]:
    """The ways for a measure to satisfy number, number|system|code or number||code (a code or a unit). Raises Invalid."""
    number, *unit = split(value, "|")
    if unit and (len(unit) != 2 or not unit[1]):
        raise malformed(name, "a number, number|system|code or number||code")
    named = {"u": f"{unescape(unit[0])}|{unescape(unit[1])}"} if unit else {}
    return [{**way, **named} for way in number_ways(name, number)]


def _half(number: Decimal) -> Decimal:
    """How far a value may be from it and still equal it: R4 reads 100 as [99.5, 100.5), 100.00 as [99.995, 100.005), 1e2 as [95, 105)."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise Invalid("A number is needed.")
    return Decimal(5).scaleb(exponent - 1 if exponent <= 0 else exponent - 2)
