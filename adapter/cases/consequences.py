"""What else changes with a transition or a contact: records beside it, written in the same moment."""

from collections.abc import Callable, Iterator, Mapping

from adapter.cases.facts import Situation, moment, plan_in_hand
from adapter.cases.record import Fields

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


def _plans(now: Situation, status: str, among: tuple[str, ...]) -> Iterator[Effect]:
    for reference, plan in now.facts.of("plan").items():
        if plan["intent"] == "plan" and plan["status"] in among:
            yield "plan", reference, {**plan, "status": status}


def _revoke(now: Situation) -> Iterator[Effect]:
    return _plans(now, "revoked", _IN_FORCE)


def _complete(now: Situation) -> Iterator[Effect]:
    return _plans(now, "completed", ("active",))


def _cancel(now: Situation) -> Iterator[Effect]:
    for reference, item in now.facts.of("appointment").items():
        if item["status"] in _WAITING and ("start" not in item or moment(item["start"]) >= moment(now.at)):
            yield "appointment", reference, {**item, "status": "cancelled", "cancel_reason": {"text": "The case has ended."}}


def _put_into_force(now: Situation) -> Iterator[Effect]:
    """The plan becomes active; the one that was until this moment is revoked, and a major adjustment of it has been carried out."""
    reference, plan = plan_in_hand(now.facts)
    if plan.get("status") == "draft":
        yield "plan", reference, {**plan, "status": "active"}
    for concept, old, before in _plans(now, "revoked", _IN_FORCE):
        if old != reference and (now.facts.of("plan")[old]["status"] == "active" or old in plan.get("replaces", [])):
            done = {"applied_at": now.at, "resulting_plan_version": 1}
            adjustments = [item if "applied_at" in item or not _drafted(item) else item | done for item in before.get("adjustments", [])]
            yield concept, old, {**before, **({"adjustments": adjustments} if adjustments else {})}


def _drafted(adjustment: Fields) -> bool:
    return adjustment.get("severity") == "major" and bool(adjustment.get("accepted_by_client"))


_FOLLOWS: dict[str, tuple[Callable[[Situation], Iterator[Effect]], ...]] = {
    "TR-08": (_put_into_force,),
    "TR-17": (_complete,),
    "TR-21": (_revoke, _cancel),
    "TR-22": (_revoke, _cancel),
}
