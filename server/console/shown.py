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
    when = datetime.fromisoformat(found)
    return f"{day(found)}, {when:%H:%M}"


def quantity(value: Any) -> str:
    """An amount with its unit."""
    if not isinstance(value, dict):
        return str(value)
    if "currency" in value:
        return f"{value['value']} {value['currency']}"
    return " ".join(str(part) for part in (value.get("comparator"), value.get("value"), value.get("unit") or value.get("code")) if part)


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


FILTERS: dict[str, Callable[[Any], str]] = {
    "label": label,
    "code": code,
    "day": day,
    "moment": moment,
    "quantity": quantity,
    "plain": plain,
    "period": period,
}
