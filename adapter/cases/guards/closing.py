"""Step 7: what must be known before a case closes."""

from adapter.cases import model_demands
from adapter.cases.facts import Situation
from adapter.cases.guards.findings import first, unless
from adapter.cases.outcomes import filled

_PARTS = ("well_being", "finances", "care_appropriateness", "readmission")


def outcome_complete(now: Situation) -> str | None:
    """V-14"""
    _, outcome = filled(now)
    missing = [name for name in _PARTS if name not in outcome]
    return first(
        unless(not missing, f"The outcome lacks: {', '.join(missing)}."),
        model_demands.lacking(model_demands.CLOSED, now),
    )


def transition_done(now: Situation) -> str | None:
    return unless(filled(now)[1].get("transition") in ("done", "not_applicable"), "The transition to the next setting is not done.")


def window_open(now: Situation) -> str | None:
    return unless(filled(now)[1].get("readmission", {}).get("within_30_days") == "pending", "The time for a readmission is over.")


def close_reason_given(now: Situation) -> str | None:
    return unless(now.case.get("close_reason"), "The case needs a reason for closing.")
