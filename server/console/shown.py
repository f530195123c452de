"""How values are written on a page: words for codes, dates as people say them, amounts with their unit."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from adapter.cases.wording import code, label


def day(text: Any) -> str:
    """A date or moment as its day, such as 22 Apr 2025; partial dates stay partial."""
    found = str(text or "")
    parts = found[:10].split("-")
    if not parts[0].isdigit():
        return found
    if len(parts) == 1:
        return parts[0]
    try:
        when = date(int(parts[0]), int(parts[1]), int(parts[2]) if len(parts) > 2 else 1)
    except ValueError:
        return found
    return f"{when.day} {when:%b %Y}" if len(parts) > 2 else f"{when:%b %Y}"


def moment(text: Any) -> str:
    """A moment as its day and time of day, in the zone it was written in."""
    found = str(text or "")
    if "T" not in found:
        return day(found)
    try:
        when = datetime.fromisoformat(found)
    except ValueError:
        # FHIR has leap seconds, Python has none.
        return found
    return f"{day(found)}, {when:%H:%M}"


def quantity(value: Any) -> str:
    """An amount with its unit."""
    if not isinstance(value, dict):
        return str(value)
    if "currency" in value:
        return f"{value['value']} {value['currency']}"
    compared = _COMPARED.get(value.get("comparator", ""), value.get("comparator"))
    return " ".join(str(part) for part in (compared, value.get("value"), value.get("unit") or value.get("code")) if part is not None)


_COMPARED = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


def plain(value: Any) -> str:
    """Any value of a record in one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(map(plain, value))
    if isinstance(value, dict):
        if {"text", "display", "code"} & value.keys() and not {"value", "low", "high"} & value.keys():
            return code(value)
        if "value" in value and not isinstance(value["value"], dict | list):
            return quantity(value)
        if {"start", "end"} & value.keys() and value.keys() <= {"start", "end"}:
            return period(value)
        return ", ".join(f"{label(name).lower()} {plain(item)}" for name, item in value.items())
    text = str(value)
    return moment(text) if re.match(r"\d{4}-\d\d-\d\d", text) else label(text) if re.fullmatch(r"[a-z]+(_[a-z]+)+", text) else text


def period(value: Any) -> str:
    """From when to when."""
    if not value:
        return ""
    start, end = day(value.get("start")), day(value.get("end"))
    return f"{start} to {end}" if start and end else f"since {start}" if start else f"until {end}"


_UNITS = {"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}


def spelled(unit: Any) -> str:
    """A unit of time as its word; anything else as it is."""
    return _UNITS.get(str(unit or ""), str(unit or "period"))


def times(timing: dict[str, Any]) -> str:
    """How often, such as 3 times a week, or once every 2 months."""
    often, period, unit = timing.get("frequency", 1), timing.get("period", 1), spelled(timing.get("period_unit"))
    number = {1: "once", 2: "twice"}.get(often, f"{often} times")
    return f"{number} a {unit}".replace(" a hour", " an hour") if period == 1 else f"{number} every {period} {unit}s"


def near(text: Any, today: date) -> str:
    """A date as people say it who look at it on that day: today, tomorrow, yesterday; the weekday with it within a week."""
    found = str(text or "")
    try:
        when = date.fromisoformat(found[:10])
    except ValueError:
        return day(found)
    away = (when - today).days
    said = {0: "today", 1: "tomorrow", -1: "yesterday"}.get(away)
    return said or (f"{when:%a} {day(found)}" if abs(away) < _WEEK else day(found))


_WEEK = 7


def element(path: Any) -> str:
    """An element's path in words, such as birthDate → Birth date, name.family → Name, family."""
    return label(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(path)).lower()).replace(".", ", ")


FILTERS: dict[str, Callable[..., str]] = {
    "label": label,
    "code": code,
    "day": day,
    "moment": moment,
    "quantity": quantity,
    "plain": plain,
    "period": period,
    "spelled": spelled,
    "times": times,
    "near": near,
    "element": element,
}
