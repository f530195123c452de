"""When a case must be looked after: contacts by its models and tier (V-13), steps by their deadlines (§3.4). Pure functions over fields."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from adapter.care.follow_up import Policy
from adapter.care.model import Source, rules
from adapter.cases.facts import day, models
from adapter.cases.record import Fields

_CONTACTED = frozenset({"implementation", "follow_up"})
"""The steps in which the contact schedule runs: from the active plan to the review of outcomes."""


@dataclass(frozen=True, order=True)
class Due:
    """Something that must be done until the end of a day."""

    day: date
    kind: str
    """contact: with `source`. step: the case's present step is to be done. service: the first of the plan's is to begin."""
    since: date
    source: str = ""

    def overdue(self, today: date) -> bool:
        """Whether the day has passed."""
        return today > self.day

    def escalated(self, today: date) -> bool:
        """Whether the interval has passed once more."""
        return today > self.day + (self.day - self.since)

    @property
    def escalates(self) -> date:
        """The first day on which it is `escalated`."""
        return self.day + (self.day - self.since) + timedelta(days=1)


def business_day(start: date, number: int) -> date:
    """The day that is so many business days after `start`: Monday to Friday, without holidays, which differ by place."""
    while number > 0:
        start += timedelta(days=1)
        number -= start.weekday() < 5
    return start


def dues(case: Fields, contacts: Iterable[Fields], at: str, by: Policy) -> list[Due]:
    """What is due in a case, the earliest first; nothing where it is not in one of the seven steps.

    `contacts` are the case's follow-ups. A completed contact says by its `source` whom it was with; `next_contact_due` of the last of the
    client's makes the next due earlier, never later.
    """
    held = _held(contacts)
    found = [*contacts_due(case, held, at), *_step(case, held, by), *_service(case, at, by)]
    return sorted(found)


def _held(contacts: Iterable[Fields]) -> list[Fields]:
    return [each for each in contacts if each.get("status") == "completed" and "occurred_at" in each]


def contacts_due(case: Fields, contacts: Iterable[Fields], at: str) -> Iterator[Due]:
    """The next contact that is due with each source that the case's models name (V-13)."""
    if case.get("step") not in _CONTACTED:
        return
    held, followed = _held(contacts), rules(models(case, at))
    source: Source
    for source in followed.contact_days:
        days = followed.days_between(source, case.get("tier"))
        if days is None:
            continue
        done = [each for each in held if each.get("source") == source]
        last = max(done, key=lambda each: day(each["occurred_at"]), default=None)
        since = day(last["occurred_at"]) if last else _since(case, "implementation")
        agreed = [day(last["next_contact_due"])] if last and "next_contact_due" in last else []
        next_day = min([since + timedelta(days=days), *(each for each in agreed if each > since)])
        yield Due(next_day, "contact", since, source)


def _step(case: Fields, contacts: list[Fields], by: Policy) -> Iterable[Due]:
    days = by.step_business_days.get(case.get("step", ""))
    if days is None:
        return
    since = _since(case, case["step"])
    if case["step"] == "outcome_evaluation":
        since = max((day(each["occurred_at"]) for each in contacts), default=since)
    yield Due(business_day(since, days), "step", since)


def _service(case: Fields, at: str, by: Policy) -> Iterable[Due]:
    """The first service is due while none began: the case is then in implementation. A model's hours run from the opening of the case."""
    if case.get("step") != "implementation":
        return
    hours = rules(models(case, at)).demands.first_service_hours
    since = day(case["opened_at"]) if hours and "opened_at" in case else _since(case, "implementation")
    yield Due(since + timedelta(days=-(-hours // 24) if hours else by.first_service_days), "service", since)


def _since(case: Fields, step: str) -> date:
    """The day on which the case came into a step last, as far as its history tells; else that of its opening."""
    starts = [stretch["period"]["start"] for stretch in case.get("status_history", []) if stretch.get("step") == step]
    return day(max(starts, default=case.get("opened_at", "0001")))
