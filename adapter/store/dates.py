"""FHIR's partial dates as half-open spans of UTC time. http://hl7.org/fhir/R4/search.html#date"""

from datetime import UTC, datetime, timedelta
from typing import Any

Span = tuple[datetime, datetime]

BEGIN = datetime(1, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)

_DAY, _MINUTE, _SECOND, _MILLISECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1), timedelta(milliseconds=1)


def span(text: Any) -> Span | None:
    """From the first moment that a date, dateTime or instant can mean to the first that it cannot; None where it is none of them.

    A time without a zone is read as UTC. Moments are kept to the millisecond, as MongoDB does.
    """
    if not isinstance(text, str):
        return None
    try:
        return _moment(text) if "T" in text else _date(text)
    except (ValueError, OverflowError):
        return None


def _date(text: str) -> Span | None:
    if len(text) == 10:
        low = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) if not text.isascii() else _day(text)
        return low, min(low, END - _DAY) + _DAY
    if len(text) == 7 and text[4] == "-":
        year, month = int(text[:4]), int(text[5:])
        return datetime(year, month, 1, tzinfo=UTC), _month_after(year, month)
    if len(text) == 4 and text.isdigit():
        return datetime(int(text), 1, 1, tzinfo=UTC), _month_after(int(text), 12)
    return None


def _day(text: str) -> datetime:
    if text[4] != "-" or text[7] != "-":
        raise ValueError
    return datetime(int(text[:4]), int(text[5:7]), int(text[8:]), tzinfo=UTC)


def _month_after(year: int, month: int) -> datetime:
    if month < 12:
        return datetime(year, month + 1, 1, tzinfo=UTC)
    return datetime(year + 1, 1, 1, tzinfo=UTC) if year < 9999 else END


def _moment(text: str) -> Span:
    clock = text.partition("T")[2]
    unit = _MINUTE if len(clock) < 8 or clock[5] != ":" else _MILLISECOND if clock[8:9] == "." else _SECOND
    low = datetime.fromisoformat(text)
    low = (low if low.tzinfo else low.replace(tzinfo=UTC)).astimezone(UTC)
    low = low.replace(microsecond=low.microsecond // 1000 * 1000)
    return low, low + unit


def spans(value: Any) -> Span | None:
    """The span of a date text, a Period (open ends reach BEGIN and END) or a Timing (from its first to its last event or bound)."""
    if isinstance(value, str):
        return span(value)
    if not isinstance(value, dict):
        return None
    if "start" in value or "end" in value:
        start, end = span(value.get("start")), span(value.get("end"))
        if start is None and end is None:
            return None
        return (start[0] if start else BEGIN), (end[1] if end else END)
    repeat = value.get("repeat")
    events = value.get("event")
    parts = [*map(span, events if isinstance(events, list) else ())]
    if isinstance(repeat, dict) and isinstance(repeat.get("boundsPeriod"), dict):
        parts.append(spans(repeat["boundsPeriod"]))
    found = [part for part in parts if part]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None
