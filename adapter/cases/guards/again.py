"""What must be new after a case came back to an earlier step: what was there before does not answer why it came back.

| the case came back by | then this must be new | because |
|---|---|---|
| TR-07, TR-09, TR-16, TR-23 | the risk evaluation, at TR-06 | what is new about the risk is to be evaluated (§3.3) |
| TR-14 | the plan, at TR-08 | the old one is in force only until the new one is (§3.3) |
| TR-18 | the plan, at TR-08: another, or adjusted or accepted since | the objectives were not met, and a change is possible (§3.3) |
| TR-15 | the minor adjustment, at the next TR-15 | each time the plan gets its next version (§3.3) |
| TR-07, TR-09, TR-11, TR-14, TR-16, TR-18, TR-23 | a contact with the client, at TR-13 | each cycle of follow-up has one (P-18, §3.6) |
| the same | the review of outcomes, at TR-17 | it is about what was done since, too (§3.4) |
| TR-23 | screening and assessment, at TR-02 and TR-05 | a reopened case begins with the first step (§3.3) |

Not asked for anew: an assessment after TR-07, because what was missing may be a measurement or an instrument; a plan after TR-09, TR-11
and TR-16, because a new tier may leave it as it is, and a service that is impossible may be taken out of it or given to another; what is
under way (TR-10), because it goes on; anything after TR-19, which waits for a readmission only.
"""

from collections.abc import Iterable
from itertools import pairwise

from adapter.cases.case import STEPS
from adapter.cases.facts import Situation, covers, current_plan
from adapter.cases.guards.findings import Check, first, unless
from adapter.cases.record import Fields

# The steps in their order, from the referral to the closing; a hold is none of them, and no way back.
_ORDER = {step: place for place, step in enumerate(STEPS[:9])}


def _ways(case: Fields) -> list[tuple[str, str, str]]:
    """From which step to which the case went, and when, the first way first."""
    stretches = [stretch for stretch in case.get("status_history", []) if stretch.get("step") in _ORDER]
    return [(before["step"], after["step"], after["period"]["start"]) for before, after in pairwise(stretches)]


def came_back(case: Fields, step: str) -> str | None:
    """When the case came last from a later step to this one or to one before it; None where it never did."""
    returns = [at for before, after, at in _ways(case) if _ORDER[after] < _ORDER[before] and _ORDER[after] <= _ORDER[step]]
    return returns[-1] if returns else None


def _unmet(case: Fields) -> str | None:
    """When the case came back because its objectives were not met (TR-18), if no plan was put into force since."""
    since = None
    for before, after, at in _ways(case):
        if (before, after) == ("outcome_evaluation", "planning"):
            since = at
        elif after == "implementation":
            since = None
    return since


def _any_since(dates: Iterable[str | None], start: str | None) -> bool:
    return start is None or any(date is not None and covers({"start": start}, date) for date in dates)


def made(concept: str, date: str, step: str, text: str) -> Check:
    """The check that a record, not entered in error, is of a later `date` than the case's last way back to `step` or before it."""

    def check(now: Situation) -> str | None:
        dates = (record.get(date) for record in now.facts.of(concept).values() if record.get("status") != "entered_in_error")
        return unless(_any_since(dates, came_back(now.case, step)), text)

    return check


def heard(now: Situation) -> str | None:
    """P-18"""
    contacts = [item for item in now.facts.of("follow_up").values() if item["status"] == "completed" and item["source"] == "client"]
    held = (contact.get("occurred_at") for contact in contacts)
    return unless(_any_since(held, came_back(now.case, "planning")), "A contact with the client since the case came back is needed.")


def planned(now: Situation) -> str | None:
    """TR-14, TR-18: of a plan that is in force, because a draft is new."""
    plan = current_plan(now.facts)
    if plan.get("status") != "active":
        return None
    adjustments = plan.get("adjustments", [])
    drafting = any(item.get("severity") == "major" and item.get("accepted_by_client") and "applied_at" not in item for item in adjustments)
    changed = (plan.get("created_at"), plan.get("acceptance", {}).get("at"), *(item.get("applied_at") for item in adjustments))
    return first(
        unless(not drafting, "A major adjustment of this plan is open: the plan that takes its place is needed."),
        unless(_any_since(changed, _unmet(now.case)), "The objectives were not met: another plan is needed, or an adjustment of this one."),
    )


def adjusted(now: Situation) -> str | None:
    """TR-15"""
    done = (item.get("applied_at") for item in current_plan(now.facts).get("adjustments", []) if item.get("severity") == "minor")
    return unless(_any_since(done, came_back(now.case, "implementation")), "A minor adjustment since the last is needed.")
