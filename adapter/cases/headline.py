"""One line about a record, and when it happened: for lists, timelines and names. A table, one row a concept."""

from collections.abc import Callable
from typing import Any

from adapter.cases.record import Fields
from adapter.cases.wording import code, label


def _code(name: str) -> Callable[[Fields], str]:
    return lambda fields: code(fields.get(name))


def _word(name: str) -> Callable[[Fields], str]:
    return lambda fields: label(fields.get(name, ""))


def _text(name: str) -> Callable[[Fields], str]:
    return lambda fields: str(fields.get(name, ""))


def _first(*ways: Callable[[Fields], str]) -> Callable[[Fields], str]:
    return lambda fields: next((text for way in ways if (text := way(fields))), "")


_TOLD: dict[str, Callable[[Fields], str]] = {
    "case": lambda fields: f"Case {fields.get('case_number', '')}",
    "condition": _first(_code("code")),
    "barrier": _first(_text("description"), _code("code"), _word("kind")),
    "encounter": _first(_code("encounter_class")),
    "follow_up": lambda fields: f"{label(fields.get('type', ''))}, {label(fields.get('status', ''))}",
    "screening": lambda fields: f"Screening: {label(fields.get('disposition', ''))}",
    "response": lambda fields: _instrument(fields),
    "assessment": _first(_text("summary")),
    "measurement": _first(_code("code")),
    "strength": _first(_text("description")),
    "risk_evaluation": lambda fields: f"Risk: {label(fields.get('tier', 'not known'))}, priority {fields.get('priority_score', '—')}",
    "plan": _first(_text("title"), lambda _: "Care plan"),
    "goal": _text("description"),
    "planned_service": _text("description"),
    "appointment": lambda fields: f"{_first(_text('description'), _code('service_type'), lambda _: 'Appointment')(fields)}",
    "task": _first(_text("description"), _code("code"), lambda _: "Task"),
    "education": _first(_word("topic"), lambda _: "Education"),
    "advocacy": _first(_text("issue"), _code("topic"), lambda _: "Advocacy"),
    "authorisation": lambda fields: f"Authorisation: {label(fields.get('status', ''))}",
    "outcome": lambda _: "Outcome",
    "referral": _first(_code("reason"), lambda _: "Referral"),
    "consent": lambda fields: f"Consent: {label(fields.get('scope', ''))}",
    "coverage": _first(_code("type"), lambda _: "Coverage"),
    "care_team": _first(_text("name"), lambda _: "Care team"),
}

# The first of these that a record has says when it happened, or is to.
_WHEN = (
    "occurred_at", "completed_at", "at", "start", "due", "authored_at", "recorded_at", "created_at", "performed_at", "effective_at",
    "planned_at", "onset_at", "reviewed_at", "start_date", "opened_at", "sent_at", "received_at", "decided_at", "requested_at", "agreed_at",
    "effective.date_time", "effective.period.start", "issued_at", "timing.start", "period.start", "record_review.reviewed_at",
)  # fmt: skip


def headline(concept: str, fields: Fields) -> str:
    """One line that says what a record is about."""
    told = _TOLD.get(concept)
    return (told(fields) if told else "") or label(concept)


def happened(fields: Fields) -> str:
    """When it happened, as a date or dateTime; empty where no field says."""
    return next((found for path in _WHEN if isinstance(found := _at(fields, path), str)), "")


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def status(fields: Fields) -> str:
    """What state it is in; empty where no field says."""
    for name in ("status", "lifecycle"):
        if name in fields:
            return label(fields[name])
    return ""


def _instrument(fields: Fields) -> str:
    name = str(fields.get("instrument", "")).partition("|")[0].rpartition("/")[2].upper()
    scores: list[Any] = fields.get("scores", [])
    told = ", ".join(f"{score['value']} {score.get('band', '')}".strip() for score in scores[:1] if "value" in score)
    return f"{name}: {told}" if told else name
