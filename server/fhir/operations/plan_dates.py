"""The days of a plan that begins on a certain day: when goals are due, services take place and the plan ends.

A template counts in days, weeks, months and years from the plan's beginning; without a beginning its durations stay durations.
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta

from adapter.errors import NotSupported
from adapter.fhir.resource import Raw

_DAYS = {"d": 1, "wk": 7}
_MONTHS = {"mo": 1, "a": 12}


def after(start: str, duration: Raw) -> str:
    """The day so long after a day; a month later is the same day, or the month's last. Raises NotSupported for another unit or a part."""
    unit, value = duration.get("code") or duration.get("unit"), duration.get("value")
    first = date.fromisoformat(start[:10])
    if value is None or value != int(value) or unit not in _DAYS | _MONTHS:
        raise NotSupported("A duration in a template is a whole number of days (d), weeks (wk), months (mo) or years (a).")
    if unit in _DAYS:
        return (first + timedelta(days=int(value) * _DAYS[unit])).isoformat()
    month = first.year * 12 + first.month - 1 + int(value) * _MONTHS[unit]
    last = monthrange(month // 12, month % 12 + 1)[1]
    return date(month // 12, month % 12 + 1, min(first.day, last)).isoformat()


def due(start: str | None, duration: Raw | None) -> Raw:
    """When a goal is due, as `due[x]`."""
    if start and duration:
        return {"dueDate": after(start, duration)}
    return {"dueDuration": duration} if duration else {}


def until(start: str | None, duration: Raw | None) -> Raw | None:
    """The period in which a task is to be done; None where nothing is said of it or no beginning is known."""
    return {"start": start, "end": after(start, duration)} if start and duration else None


def occurrence(start: str | None, found: Raw) -> Raw:
    """The `occurrence[x]` with the bounds of its repetition from the plan's beginning on."""
    repeat = found.get("occurrenceTiming", {}).get("repeat")
    if not start or repeat is None or "boundsPeriod" in repeat or "boundsRange" in repeat:
        return found
    length = repeat.get("boundsDuration")
    period = {"start": start, **({"end": after(start, length)} if length else {})}
    rest = {name: value for name, value in repeat.items() if name != "boundsDuration"}
    return {"occurrenceTiming": {**found["occurrenceTiming"], "repeat": {"boundsPeriod": period, **rest}}}


def period(start: str | None, parts: Iterable[Raw]) -> Raw | None:
    """The plan's period: from its beginning until the last of its goals and requests is due."""
    if not start:
        return None
    ends = [end[:10] for part in parts for end in _ends(part)]
    return {"start": start, **({"end": max(ends)} if ends else {})}


def _ends(part: Raw) -> list[str]:
    bounds = part.get("occurrenceTiming", {}).get("repeat", {}).get("boundsPeriod", {})
    found = [
        *(target.get("dueDate") for target in part.get("target", ())),
        bounds.get("end"),
        part.get("occurrencePeriod", {}).get("end"),
        part.get("restriction", {}).get("period", {}).get("end"),
    ]
    return [end for end in found if end]
