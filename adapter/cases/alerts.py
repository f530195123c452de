"""What about a case is worth a warning, and stops nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

from adapter.cases import model_demands
from adapter.cases.facts import Situation, day, moment, services_of_plan
from adapter.cases.record import Fields
from adapter.cases.schedule import contacts_due


@dataclass(frozen=True)
class Alert:
    """A warning: its stable code, a sentence, and the records that it is about."""

    code: str
    text: str
    about: tuple[str, ...] = ()


_ENDED = ("cancelled", "stopped", "completed", "entered_in_error")
_OTHER_SOURCES = ("provider", "support_network")


def alerts(now: Situation) -> list[Alert]:
    """All warnings about the case at this moment."""
    return [alert for look in _ALERTS for alert in look(now)]


def no_mental_health(now: Situation) -> Iterator[Alert]:
    """A-12"""
    services = services_of_plan(now.facts)
    known = now.facts.of("stakeholder")
    kinds = {known.get(who, {}).get("kind") for service in services.values() for who in service.get("performers", [])}
    if services and now.case.get("setting_type") == "rehabilitation" and "mental_health_professional" not in kinds:
        yield Alert("W-REHAB-MH", "The plan of a rehabilitation has no service by a mental-health professional.")


def duplicates(now: Situation) -> Iterator[Alert]:
    """O-03"""
    known = now.facts.of("planned_service").items()
    open_ = [(key, one) for key, one in known if one["intent"] != "proposal" and one["status"] not in _ENDED]
    for (first, one), (second, other) in combinations(open_, 2):
        if _what(one) is not None and _what(one) == _what(other) and _overlap(one.get("timing", {}), other.get("timing", {})):
            yield Alert("duplicate_service", "Two services of the same code are planned for the same time.", (first, second))


def _what(service: Fields) -> tuple[str | None, str] | None:
    code = service.get("code", {})
    return (code.get("system"), code["code"]) if "code" in code else None


def _overlap(one: Fields, other: Fields) -> bool:
    """Whether the times meet; an open side reaches as far as can be."""
    return all(
        "end" not in before or "start" not in after or moment(before["end"]) >= moment(after["start"])
        for before, after in ((one, other), (other, one))
    )


def unheard(now: Situation) -> Iterator[Alert]:
    """P-18: in the present cycle of follow-up, the sources that nobody spoke with."""
    stretches = [stretch for stretch in now.case.get("status_history", []) if stretch.get("step") == "follow_up"]
    if now.case.get("step") != "follow_up" or not stretches:
        return
    since = moment(stretches[-1]["period"]["start"])
    heard = {
        item["source"]
        for item in now.facts.of("follow_up").values()
        if item["status"] == "completed" and "occurred_at" in item and moment(item["occurred_at"]) >= since
    }
    for source in _OTHER_SOURCES:
        if source not in heard:
            yield Alert("source_missing", f"In this cycle of follow-up there was no contact with: {source}.")


def overdue(now: Situation) -> Iterator[Alert]:
    """V-13, P-26"""
    for due in contacts_due(now.case, now.facts.of("follow_up").values(), now.at):
        if due.overdue(day(now.at)):
            yield Alert("contact_overdue", f"Since {due.day} a contact is due with: {due.source}.")


def slow_start(now: Situation) -> Iterator[Alert]:
    """M-04"""
    hours = model_demands.followed(now).demands.first_service_hours
    opened = now.case.get("opened_at")
    if hours is None or opened is None:
        return
    starts = [
        item["start"] for item in now.facts.of("appointment").values() if item["status"] in ("arrived", "fulfilled") and "start" in item
    ]
    first = min(map(moment, starts), default=moment(now.at))
    if first - moment(opened) > timedelta(hours=hours):
        yield Alert("late_start", f"The first service was not within {hours} hours of the opening.")


def discharge_delayed(now: Situation) -> Iterator[Alert]:
    """P-23"""
    for reference, plan in now.facts.of("transition_plan").items():
        open_ = plan["status"] == "in_progress" and "actual_date" not in plan
        if open_ and "target_date" in plan and day(plan["target_date"]) < day(now.at):
            yield Alert("discharge_delayed", "The target date of a transition has passed.", (reference,))


_ALERTS: tuple[Callable[[Situation], Iterator[Alert]], ...] = (
    no_mental_health,
    duplicates,
    unheard,
    overdue,
    slow_start,
    discharge_delayed,
)
