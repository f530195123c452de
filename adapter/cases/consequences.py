"""What else changes with a transition or a contact: records beside it, written in the same moment."""

from collections.abc import Callable, Container, Iterator, Mapping

from adapter.cases.facts import Situation, goals_of_plan, moment, plan_in_hand
from adapter.cases.outcomes import filled
from adapter.cases.record import Fields
from adapter.cases.referrals import OPEN, is_asked, moved

Effect = tuple[str, str, Fields]
"""Concept, reference and all fields of a record that is to be written."""

_WAITING = ("proposed", "pending", "booked", "waitlist")
_IN_FORCE = ("draft", "active", "on_hold")


def consequences(transition: str, now: Situation) -> list[Effect]:
    """The records that change by going this way; none twice."""
    return [effect for follows in _FOLLOWS.get(transition, ()) for effect in follows(now)]


def reviewed(contact: Fields, goals: Mapping[str, Fields]) -> list[Effect]:
    """The goals, of those given by reference, that a completed contact found otherwise, dated on it; one reviewed later stays (P-17)."""
    on = contact.get("occurred_at", "").partition("T")[0]
    found = {} if contact["status"] != "completed" else {each["goal"]: each["achievement"] for each in contact.get("goal_reviews", [])}
    return [
        ("goal", reference, {**goals[reference], "achievement": word, **({"achievement_at": on} if on else {})})
        for reference, word in found.items()
        if reference in goals and word != "not_reviewed" and goals[reference].get("achievement_at", "") <= on
    ]


def withdrawn(tasks: Mapping[str, Fields], about: Container[str], at: str, why: str) -> list[Effect]:
    """The open tasks, of those given by reference, by which something was asked of others about these records: cancelled."""
    return [
        ("task", reference, moved(task, "cancelled", at, why))
        for reference, task in tasks.items()
        if task["status"] in OPEN and task.get("focus", "") in about and is_asked(task)
    ]


def given_up(record: Fields) -> bool:
    """Whether a planned service, or a transition of care, is not to be done any more, so that nobody is to be asked for it."""
    return record["status"] in ("cancelled", "stopped", "entered_in_error")


def _plans(now: Situation, status: str, among: tuple[str, ...]) -> Iterator[Effect]:
    for reference, plan in now.facts.of("plan").items():
        if plan["intent"] == "plan" and plan["status"] in among:
            yield "plan", reference, {**plan, "status": status}


def _revoke(now: Situation) -> Iterator[Effect]:
    return _plans(now, "revoked", _IN_FORCE)


def _complete(now: Situation) -> Iterator[Effect]:
    return _plans(now, "completed", ("active",))


def _reviewed(now: Situation) -> Iterator[Effect]:
    """What was computed of the outcome stands in it from now on."""
    reference, outcome = filled(now)
    if outcome != now.facts.of("outcome").get(reference, {}):
        yield "outcome", reference, outcome


def _cancel(now: Situation) -> Iterator[Effect]:
    for reference, item in now.facts.of("appointment").items():
        if item["status"] in _WAITING and ("start" not in item or moment(item["start"]) >= moment(now.at)):
            yield "appointment", reference, {**item, "status": "cancelled", "cancel_reason": {"text": "The case has ended."}}


def _withdraw(now: Situation) -> Iterator[Effect]:
    """What was asked of providers and receivers."""
    about = {*now.facts.of("planned_service"), *now.facts.of("transition_plan")}
    yield from withdrawn(now.facts.of("task"), about, now.at, "The case has ended.")


def _put_into_force(now: Situation) -> Iterator[Effect]:
    """The plan becomes active, and its goals are pursued: what a template proposed the client has accepted with the plan.

    The plan that was in force until this moment is revoked, and a major adjustment of it has been carried out.
    """
    reference, plan = plan_in_hand(now.facts)
    if plan.get("status") == "draft":
        yield "plan", reference, {**plan, "status": "active"}
    for key, goal in goals_of_plan(now.facts).items():
        if goal["lifecycle"] in ("proposed", "planned"):
            yield "goal", key, {**goal, "lifecycle": "active"}
    for concept, old, before in _plans(now, "revoked", _IN_FORCE):
        if old != reference and (now.facts.of("plan")[old]["status"] == "active" or old in plan.get("replaces", [])):
            done = {"applied_at": now.at, "resulting_plan_version": 1}
            adjustments = [item if "applied_at" in item or not _drafted(item) else item | done for item in before.get("adjustments", [])]
            yield concept, old, {**before, **({"adjustments": adjustments} if adjustments else {})}


def _drafted(adjustment: Fields) -> bool:
    return adjustment.get("severity") == "major" and bool(adjustment.get("accepted_by_client"))


_FOLLOWS: dict[str, tuple[Callable[[Situation], Iterator[Effect]], ...]] = {
    "TR-08": (_put_into_force,),
    "TR-17": (_complete, _reviewed),
    "TR-21": (_revoke, _cancel, _withdraw),
    "TR-22": (_revoke, _cancel, _withdraw),
}
