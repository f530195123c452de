"""A transition of care: what is ready as far as the record tells, and what follows from the receiver's word. Pure functions."""

from collections.abc import Callable, Iterator

from adapter.cases.consequences import given_up
from adapter.cases.facts import Facts, Situation, day, moment, services_of_plan
from adapter.cases.insurance import OVER, requirement, unauthorised
from adapter.cases.record import Fields
from adapter.cases.referrals import is_asked
from adapter.cases.schedule import business_day
from adapter.cases.transition_plan import LESSONS, Checklist

TAKEN = ("accepted", "in_progress", "on_hold", "completed")
"""The statuses of a task for the receiver by which the transition is acknowledged."""
_BY_RECORD = "By the record: "
_SENT = "summary_sent"
State = tuple[str, str]
"""A word of the checklist and why."""


def _lesson(item: str) -> Callable[[Situation], State]:
    def look(now: Situation) -> State:
        held = [each for each in now.facts.of("education").values() if each["status"] == "completed" and each.get("topic") == LESSONS[item]]
        return ("done", "the lesson was held") if held else ("open", "the lesson has not been held")

    return look


def _services(kind: str, what: str) -> Callable[[Situation], State]:
    """Whether what the plan has of a kind is there."""

    def look(now: Situation) -> State:
        of_kind = [each["status"] for each in services_of_plan(now.facts).values() if each.get("kind") == kind]
        wanted = [status for status in of_kind if status not in ("cancelled", "stopped", "entered_in_error")]
        if not wanted:
            return "not_applicable", f"the plan has no {what}"
        left = sum(status == "not_started" for status in wanted)
        return ("open", f"{left} of {len(wanted)} not begun") if left else ("done", "all of the plan is under way")

    return look


def _followed_up(now: Situation) -> State:
    coming = [item["start"] for item in now.facts.of("appointment").values() if item["status"] == "booked" and "start" in item]
    coming += [each["planned_at"] for each in now.facts.of("follow_up").values() if each["status"] == "planned" and "planned_at" in each]
    return ("done", "a contact is planned") if any(moment(each) >= moment(now.at) for each in coming) else ("open", "no contact is planned")


def _caregiver(now: Situation) -> State:
    if now.facts.of("support_person"):
        return "open", "a support person is to say so"
    return "not_applicable", "there is no support person"


def _authorised(now: Situation) -> State:
    services = {key: each for key, each in services_of_plan(now.facts).items() if each["status"] not in OVER}
    if not any(requirement(each, now.facts) == "yes" for each in services.values()):
        return "not_applicable", "no service needs one"
    waiting = sum(unauthorised(key, each, now) is not None for key, each in services.items())
    return ("open", f"{waiting} not approved") if waiting else ("done", "all are approved")


_TOLD: dict[str, Callable[[Situation], State]] = {
    **{item: _lesson(item) for item in LESSONS},
    "followup_booked": _followed_up,
    "equipment": _services("equipment", "equipment"),
    "transport": _services("transport", "transport"),
    "caregiver_ready": _caregiver,
    "authorisation": _authorised,
}
"""What the record tells; the rest a person has to say."""


def prepared(plan: Fields, now: Situation) -> Fields:
    """The plan with its checklist brought to what the record tells now; what a person said is done, or does not apply, stays (P-23)."""
    return {**plan, "readiness": {item: _state(item, plan.get("readiness", {}).get(item, {}), now) for item in Checklist._fields}}


def _state(item: str, known: Fields, now: Situation) -> Fields:
    by_person = known.get("status") in ("done", "not_applicable") and not known.get("reason", "").startswith(_BY_RECORD)
    if by_person or (item not in _TOLD and known):
        return known
    if item not in _TOLD:
        return {"status": "open"}
    word, why = _TOLD[item](now)
    return {"status": word, "reason": f"{_BY_RECORD}{why}"}


def open_items(plan: Fields) -> Iterator[tuple[str, str]]:
    """What is not ready, with the reason where there is one; that the summary is to be sent is no matter of who reads it."""
    for item in Checklist._fields:
        state = plan.get("readiness", {}).get(item, {"status": "open"})
        if state["status"] == "open" and item != _SENT:
            yield item, state.get("reason", "")


def packed(plan: Fields, package: str) -> Fields:
    """The plan with what was sent to the receiver."""
    return {**plan, "package": package, "readiness": {**plan.get("readiness", {}), _SENT: {"status": "done"}}}


def handovers(plan: str, facts: Facts) -> dict[str, Fields]:
    """The tasks by which somebody is asked to take over by this plan, by reference."""
    return {reference: task for reference, task in facts.of("task").items() if task.get("focus") == plan and is_asked(task)}


def acknowledged(plan: Fields, task: Fields, at: str, days: int) -> Fields | None:
    """The plan once its receiver has taken over, the first contact being due so many business days later; None where nothing is new.

    It was acknowledged when the task says that it was changed, unless that is later than `at`. What another says, who was the receiver
    before, or of a transition that is not to be any more, counts for nothing.
    """
    if task["status"] not in TAKEN or "acknowledged_at" in plan or task.get("owner") != plan.get("receiver") or given_up(plan):
        return None
    told = task.get("modified_at", at)
    when = told if moment(told) <= moment(at) else at
    left = max(day(str(plan.get("actual_date", when))), day(when))
    return {**plan, "acknowledged_at": when, "first_follow_up_due_at": business_day(left, days).isoformat()}


def asked_anew(plan: Fields) -> Fields:
    """The plan when somebody is asked to take over by a new task: the word on it is still to come."""
    return {name: value for name, value in plan.items() if name not in ("acknowledged_at", "first_follow_up_due_at")}


def first_contact(plan: Fields) -> Fields:
    """The contact with the client that is planned when the receiver has taken over."""
    about = {name: plan[name] for name in ("client", "case")}
    return {**about, "type": "call", "source": "client", "status": "planned", "planned_at": plan["first_follow_up_due_at"]}
