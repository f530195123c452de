"""What measures count: of each record that they count, the few facts that they look at, as plain values (docs/measures.md).

The store keeps a record's figure in its index, so that the database groups figures without reading a resource. Days are ISO texts, amounts
decimal texts. Every figure has `kind`, `of` (the record's reference) and `client`, and `case` where the record names one.
"""

from collections.abc import Callable
from typing import Any

from adapter.cases.facts import day
from adapter.cases.outcomes import REACHED, counts_as_goal, due_activity, due_service, kept
from adapter.cases.record import Fields
from adapter.cases.stays import emergency_visit, stay

Figure = dict[str, Any]

DAYS = ("start", "end", "day", "opened", "closed")
"""The names of days in a figure by which it is found."""
_PLAN_PARTS = ("goals", "services", "medical_necessity", "social_situation")
_ENDED_SERVICE = ("cancelled", "entered_in_error", "stopped")


def figure(concept: str, fields: Fields, reference: str) -> Figure | None:
    """The figure of a record; None where measures have nothing to count of it."""
    make = _FIGURES.get(concept)
    own = make(fields, reference) if make else None
    if own is None or "client" not in fields:
        return None
    of = {"of": reference, "client": fields["client"]} | ({"case": fields["case"]} if "case" in fields else {})
    return of | {name: value for name, value in own.items() if value is not None}


def months(found: Figure) -> set[str]:
    """The keys by which a figure is found: its kind, and each month that one of its days is in."""
    return {f"{found['kind']} {found[name][:7]}" for name in DAYS if name in found}


def _encounter(fields: Fields, reference: str) -> Figure | None:
    if found := stay(fields, reference):
        return {
            "kind": "stay",
            "start": found.start.isoformat(),
            "end": found.end.isoformat() if found.end else None,
            "planned": found.planned or None,
            "disposition": found.disposition or None,
            "admitted_from": found.admitted_from or None,
            "provider": found.provider or None,
        }
    if emergency_visit(fields) and "start" in fields.get("period", {}):
        return {"kind": "emergency", "day": _day(fields["period"]["start"])}
    return None


def _case(fields: Fields, reference: str) -> Figure:
    return {
        "kind": "case",
        "case": reference,
        "number": fields.get("case_number"),
        "manager": fields.get("case_manager"),
        "models": sorted({model["model"] for model in fields.get("models", []) if "model" in model}),
        "step": fields.get("step"),
        "opened": _day(fields.get("opened_at")),
        "closed": _day(fields.get("closed_at")),
    }


def _goal(fields: Fields, _: str) -> Figure | None:
    if "case" not in fields:
        return None
    return {
        "kind": "goal",
        "day": _day(fields.get("achievement_at") or fields.get("start_date")),
        "counted": counts_as_goal(fields),
        "reached": fields.get("achievement") in REACHED,
    }


def _appointment(fields: Fields, _: str) -> Figure | None:
    due = due_activity(fields)
    return {"kind": "activity", "day": due.isoformat(), "done": kept(fields), "services": fields.get("services")} if due else None


def _service(fields: Fields, _: str) -> Figure | None:
    due, timing, code = due_service(fields), fields.get("timing", {}), fields.get("code", {})
    if fields.get("intent") == "proposal" or fields.get("status") in _ENDED_SERVICE or "case" not in fields:
        return None
    return {
        "kind": "service",
        "day": due.isoformat() if due else None,
        "start": _day(timing.get("start")),
        "end": _day(timing.get("end")),
        "done": fields.get("status") == "completed",
        "code": f"{code['system']}|{code['code']}" if {"system", "code"} <= code.keys() else None,
    }


def _contact(fields: Fields, _: str) -> Figure | None:
    if fields.get("status") != "completed" or fields.get("source") != "client" or "occurred_at" not in fields:
        return None
    return {"kind": "contact", "day": _day(fields["occurred_at"]), "next": _day(fields.get("next_contact_due"))}


def _plan(fields: Fields, _: str) -> Figure | None:
    if fields.get("intent") != "plan" or fields.get("status") not in ("active", "completed") or "case" not in fields:
        return None
    whole = all(name in fields for name in _PLAN_PARTS) and ("resources" in fields or "no_resource_applicable" in fields)
    start = fields.get("period", {}).get("start") or fields.get("created_at")
    return {"kind": "plan", "day": _day(start), "whole": whole and "schedule" in fields}


def _outcome(fields: Fields, _: str) -> Figure | None:
    if fields.get("status") not in ("completed", "amended"):
        return None
    cost = fields.get("cost", {})
    return {
        "kind": "outcome",
        "day": _day(fields.get("reviewed_at")),
        "change": fields.get("well_being", {}).get("change"),
        "experience": "experience" in fields,
        **{name: f"{cost[name]['value']}" for name in ("expected", "actual") if name in cost},
        "currency": " ".join(sorted({cost[name]["currency"] for name in ("expected", "actual") if name in cost})) or None,
    }


def _day(moment: str | None) -> str | None:
    return day(moment).isoformat() if moment else None


_FIGURES: dict[str, Callable[[Fields, str], Figure | None]] = {
    "encounter": _encounter,
    "case": _case,
    "goal": _goal,
    "appointment": _appointment,
    "planned_service": _service,
    "follow_up": _contact,
    "plan": _plan,
    "outcome": _outcome,
}
COUNTED = frozenset(_FIGURES)
"""The concepts that have figures."""
