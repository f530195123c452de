"""Step 7: what must be known before a case closes."""

from adapter.cases import model_demands
from adapter.cases.facts import Situation
from adapter.cases.guards.findings import first, unless
from adapter.cases.record import Fields

_PARTS = ("well_being", "finances", "care_appropriateness", "readmission")


def _outcome(now: Situation) -> Fields:
    return next(iter(now.facts.of("outcome").values()), {})


def outcome_complete(now: Situation) -> str | None:
    """V-14"""
    missing = [name for name in _PARTS if name not in _outcome(now)]
    return first(
        unless(not missing, f"The outcome lacks: {', '.join(missing)}."),
        model_demands.lacking(model_demands.CLOSED, now),
    )


def transition_done(now: Situation) -> str | None:
    return unless(_outcome(now).get("transition") in ("done", "not_applicable"), "The transition to the next setting is not done.")


def window_open(now: Situation) -> str | None:
    return unless(_outcome(now).get("readmission", {}).get("within_30_days") == "pending", "The time for a readmission is over.")


def close_reason_given(now: Situation) -> str | None:
    return unless(now.case.get("close_reason"), "The case needs a reason for closing.")
