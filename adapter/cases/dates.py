"""Dates that cannot be: what was done in the future, a period that ends before it starts (V-18)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from adapter.cases.facts import day, moment
from adapter.cases.fields import DateTime, Moment
from adapter.cases.record import Fields

PERFORMED: dict[str, tuple[str, ...]] = {
    "advocacy": ("at",),
    "assessment": ("effective_at",),
    "authorisation": ("requested_at", "decided_at"),
    "barrier": ("opened_at", "resolved_at"),
    "case": ("opened_at", "closed_at"),
    "client": ("birth_date", "deceased.date_time"),
    "condition": ("recorded_at",),
    "consent": ("agreed_at",),
    "education": ("at",),
    "follow_up": ("occurred_at",),
    "measurement": ("effective.date_time", "issued_at"),
    "message": ("sent_at", "received_at"),
    "outcome": ("reviewed_at",),
    "plan": ("acceptance.at",),
    "programme_application": ("prepared_at", "submitted_at", "decided_at"),
    "referral": ("received_at",),
    "response": ("authored_at",),
    "risk_evaluation": ("at",),
    "screening": ("completed_at", "record_review.reviewed_at"),
    "strength": ("recorded_at",),
    "support_person": ("birth_date",),
    "task": ("authored_at",),
    "transition_plan": ("authored_at", "actual_date", "acknowledged_at"),
}
"""By concept: when something was done, which cannot be later than now."""

_DONE = {
    "encounter": (("finished",), ("period.start", "period.end")),
    "appointment": (("arrived", "fulfilled", "noshow"), ("start",)),
}
"""The same, of records of these statuses only."""

_MOMENT, _DATE_TIME = Moment(), DateTime()
# A date is of the place where it was written, which may be so far ahead of UTC.
_AHEAD = timedelta(hours=14)


def not_yet(concept: str, fields: Fields, at: str) -> Iterator[tuple[str, str]]:
    """Path and text of each fact of the record that lies in the future."""
    statuses, also = _DONE.get(concept, ((), ()))
    for path in (*PERFORMED.get(concept, ()), *(also if fields.get("status") in statuses else ())):
        value = _at(fields, path)
        if isinstance(value, str) and _future(value, at):
            yield path, "What was done cannot be in the future."


def _future(value: str, at: str) -> bool:
    return moment(value) > moment(at) if "T" in value else day(value) > (moment(at) + _AHEAD).date()


def _at(fields: Any, path: str) -> Any:
    for step in path.split("."):
        fields = fields.get(step) if isinstance(fields, dict) else None
    return fields


def alike(one: Any, other: Any) -> bool:
    """Whether two values say the same, a moment in whatever zone."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, str) and isinstance(other, str) and _MOMENT.accepts(one) and _MOMENT.accepts(other):
        return moment(one) == moment(other)
    return bool(one == other)


def impossible(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of each stretch of time within the value that ends before it starts."""
    if isinstance(value, dict):
        start, end = value.get("start"), value.get("end")
        # Times of day have starts and ends, too, and may reach over midnight.
        told = isinstance(start, str) and isinstance(end, str) and _DATE_TIME.accepts(start) and _DATE_TIME.accepts(end)
        if told and _reversed(str(start), str(end)):
            yield path or "end", "A time cannot end before it starts."
        for name, inner in value.items():
            yield from impossible(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from impossible(inner, f"{path}[{place}]")


def _reversed(start: str, end: str) -> bool:
    return moment(start) > moment(end) if "T" in start and "T" in end else day(start) > day(end)
