"""FHIR's partial dates as half-open spans of UTC time. http://hl7.org/fhir/R4/search.html#date"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

Span = tuple[datetime, datetime]

BEGIN = datetime(1, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?P<second>:\d\d(?P<fraction>\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
_DAY, _MINUTE, _SECOND, _MILLISECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1), timedelta(milliseconds=1)


def span(text: Any) -> Span | None:
    """From the first moment that a date, dateTime or instant can mean to the first that it cannot; None where it is none of them.

    A time without a zone is read as UTC, a leap second as the second before it. Moments are kept to the millisecond, as MongoDB does.
    """
    if not isinstance(text, str):
        return None
    try:
        return _moment(text) if "T" in text else _date(text)
    except (ValueError, OverflowError):
        return None


def _date(text: str) -> Span | None:
    found = _DATE.fullmatch(text)
    if not found:
        return None
    year, month, day = int(found[1]), found[2], found[3]
    low = datetime(year, int(month or 1), int(day or 1), tzinfo=UTC)
    if day:
        return low, min(low, END - _DAY) + _DAY
    after = year * 12 + (low.month if month else 12)
    return low, datetime(after // 12, after % 12 + 1, 1, tzinfo=UTC) if after < 120000 else END


def _moment(text: str) -> Span | None:
    found = _TIME.fullmatch(text)
    if not found:
        return None
    # R4 has leap seconds, Python has none.
    low = datetime.fromisoformat(f"{text[:16]}:59{text[19:]}" if (found["second"] or "").startswith(":60") else text)
    low = (low if low.tzinfo else low.replace(tzinfo=UTC)).astimezone(UTC)
    low = low.replace(microsecond=low.microsecond // 1000 * 1000)
    return low, low + (_MILLISECOND if found["fraction"] else _SECOND if found["second"] else _MINUTE)


def spans(value: Any) -> Span | None:
    """The span of a date text, a Period (open ends reach BEGIN and END) or a Timing (from its first to its last event or bound)."""
    if isinstance(value, str):
        return span(value)
    if not isinstance(value, dict):
        return None
    if "start" in value or "end" in value:
        start, end = span(value.get("start")), span(value.get("end"))
        if not (start or end):
            return None
        low, high = start[0] if start else BEGIN, end[1] if end else END
        # An end that comes before its start is a mistake of the sender's that must not make a span of less than nothing.
        return low, start[1] if start and high <= low else high
    events, repeat = value.get("event"), value.get("repeat")
    parts = [span(event) for event in events] if isinstance(events, list) else []
    if isinstance(repeat, dict):
        parts.append(spans(repeat.get("boundsPeriod")))
    found = [part for part in parts if part]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


def period(value: Any) -> Span | None:
    """The span of a Period by which somebody is let in or kept out; None where it is none or a side of it cannot be read.

    `spans` makes the most of what it can read: of an end that it cannot read an open one, by which what is over would go on.
    """
    sides = [span(value[side]) for side in ("start", "end") if side in value] if isinstance(value, dict) else []
    return spans(value) if sides and None not in sides else None


def covers(value: Any, moment: datetime) -> bool:
    """Whether a moment is in a Period. One that says nothing, or is not there, covers all time; one that cannot be read, none."""
    if not value:
        return True
    found = period(value)
    return found is not None and found[0] <= moment < found[1]
