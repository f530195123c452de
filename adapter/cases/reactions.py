"""What has to be done because of what is in a case's record: a table of rules, each of which finds its causes (docs/follow-up.md).

Pure functions. A finding's key is made of what caused it, so that whoever looks again finds the same, and does nothing twice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from adapter.care.follow_up import Policy
from adapter.cases.facts import Facts, day, moment, newest
from adapter.cases.insurance import of_service, requirement, working
from adapter.cases.insurance_answers import demands
from adapter.cases.record import Fields
from adapter.cases.referrals import DECLINED, OPEN, UNANSWERED, is_asked, referred
from adapter.cases.schedule import business_day, dues
from adapter.cases.stays import discharges, emergency_visit, stays
from adapter.clock import instant

_DROPPED = ("cancelled", "entered_in_error", "rejected", "failed")
_URGENT = ("urgent", "asap", "stat")
_OVER = ("completed", "cancelled", "stopped", "entered_in_error")


@dataclass(frozen=True)
class Ground:
    """What the rules look at: a case with its records, at a moment."""

    reference: str
    case: Fields
    facts: Facts
    at: str
    by: Policy
    watcher: str
    """Who makes the tasks of findings: those do not count as a person's."""
    unread: Mapping[str, Fields] = field(default_factory=dict)
    """Insurers' answers that could not be taken over, by reference, as they are understood."""

    @property
    def today(self) -> date:
        return day(self.at)

    def recent(self, when: date) -> bool:
        """Whether something happened so lately, and not in the future, that it still leads to a task."""
        return timedelta() <= self.today - when <= timedelta(days=self.by.recent_days)

    def business_day(self, number: int) -> str:
        return business_day(self.today, number).isoformat()


@dataclass(frozen=True)
class Finding:
    """Something that somebody has to do."""

    kind: str
    """A word of mapping.task.KINDS."""
    about: str
    """The reference of what caused it."""
    key: str
    due: str
    priority: str = "routine"
    supervisor: bool = False
    """Whether it is a supervisor's; else the primary case manager's."""


def missed_appointments(ground: Ground) -> Iterator[Finding]:
    """P-11"""
    for reference, each in ground.facts.of("appointment").items():
        missed = each.get("status") == "noshow" or passed(ground, each)
        if missed and "start" in each and ground.recent(day(each["start"])):
            due = ground.business_day(ground.by.missed_appointment_business_days)
            yield Finding("missed_appointment", reference, f"{reference} {each['start'][:10]}", due)


def passed(ground: Ground, appointment: Fields) -> bool:
    """Whether an appointment's day has passed and nobody said that the client came."""
    last = _last_day(appointment)
    return last is not None and last < ground.today


def _last_day(appointment: Fields) -> date | None:
    """The day until which a booked appointment is waited for."""
    end = appointment.get("end", appointment.get("start"))
    return day(end) if end and appointment.get("status") == "booked" else None


def urgent_flags(ground: Ground) -> Iterator[Finding]:
    """V-19"""
    done = {key: risk for key, risk in ground.facts.of("risk_evaluation").items() if risk.get("status") in ("final", "amended")}
    reference, risk = newest(done, "at")
    if risk.get("urgent_flags") and "at" in risk and ground.recent(day(risk["at"])):
        due = instant(moment(risk["at"]) + timedelta(hours=ground.by.urgent_hours))
        yield Finding("urgent_flag", reference, f"{reference} {' '.join(sorted(risk['urgent_flags']))}", due, "urgent")


def barriers(ground: Ground) -> Iterator[Finding]:
    """P-20"""
    for reference, each in ground.facts.of("barrier").items():
        if each.get("status") == "open" and "accepted_reason" not in each and "opened_at" in each and ground.recent(day(each["opened_at"])):
            yield Finding("barrier", reference, reference, ground.business_day(ground.by.barrier_business_days))


def authorisations(ground: Ground) -> Iterator[Finding]:
    """C-22, P-25"""
    services = ground.facts.of("planned_service")
    for reference, each in working(ground.facts).items():
        needed = services.get(each.get("service", ""), {}).get("status") not in _OVER
        if each.get("status") == "denied" and "appeal" not in each and "decided_at" in each and ground.recent(day(each["decided_at"])):
            yield Finding("authorisation_denied", reference, reference, ground.business_day(ground.by.denial_business_days))
        if (end := _ends(each)) and needed and end - timedelta(days=ground.by.authorisation_notice_days) <= ground.today <= end:
            yield Finding("authorisation_expiring", reference, f"{reference} {end}", end.isoformat())


def needed_authorisations(ground: Ground) -> Iterator[Finding]:
    """C-22: an insurer said that a service must be authorised, and nobody has asked for that."""
    services = ground.facts.of("planned_service")
    for answer, reference, word in demands(ground.facts):
        service, said = services[reference], day(ground.facts.of("eligibility_response")[answer]["as_of"])
        asked = service["intent"] == "proposal" or of_service(reference, ground.facts)
        if word == "yes" == requirement(service, ground.facts) and not asked and ground.recent(said):
            due = ground.business_day(ground.by.denial_business_days)
            yield Finding("authorisation_needed", reference, f"{reference} {answer}", due)


def unread_answers(ground: Ground) -> Iterator[Finding]:
    """C-22: an insurer's answer to a request of ours that nothing followed from."""
    for reference, each in ground.unread.items():
        if "decided_at" not in each or ground.recent(day(each["decided_at"])):
            key = f"{reference} {each['status']} {each.get('decided_at', '')}"
            yield Finding("answer_unread", reference, key, ground.business_day(ground.by.denial_business_days))


def _ends(authorisation: Fields) -> date | None:
    """The last day of an approved authorisation."""
    end = authorisation.get("validity", {}).get("end")
    return day(end) if end and authorisation.get("status") == "approved" else None


def left_hospital(ground: Ground) -> Iterator[Finding]:
    """C-20: a contact in its window and a visit, unless the client was spoken to since."""
    done = [each for each in ground.facts.of("follow_up").values() if each.get("status") == "completed" and "occurred_at" in each]
    for stay in stays(ground.facts.of("encounter")):
        if stay.end is None or stay.died or not ground.recent(stay.end):
            continue
        since = [each for each in done if each.get("source") == "client" and day(each["occurred_at"]) >= stay.end]
        days = ground.by.discharge_visit_days
        visit = stay.end + timedelta(days=days.get(ground.case.get("tier", ""), max(days.values())))
        if not since:
            due = business_day(stay.end, ground.by.discharge_contact_business_days)
            yield Finding("discharge_contact", stay.reference, f"{stay.reference} {stay.end}", due.isoformat())
        if not any(each.get("type") in ("visit", "home_visit", "accompaniment") for each in since):
            yield Finding("discharge_visit", stay.reference, f"{stay.reference} {stay.end}", visit.isoformat())


def readmissions(ground: Ground) -> Iterator[Finding]:
    """V-15, P-22"""
    for each in discharges(stays(ground.facts.of("encounter")), ground.by.readmission_days):
        if each.readmission and ground.recent(each.readmission.start):
            yield Finding("readmission", each.readmission.reference, each.readmission.reference, ground.business_day(1), "asap")


def emergency_visits(ground: Ground) -> Iterator[Finding]:
    """TR-16, O-03"""
    for reference, each in ground.facts.of("encounter").items():
        if emergency_visit(each) and "start" in each.get("period", {}) and ground.recent(day(each["period"]["start"])):
            yield Finding("emergency_visit", reference, reference, ground.business_day(ground.by.emergency_visit_business_days))


def contacts(ground: Ground) -> Iterator[Finding]:
    """V-13, P-26: overdue; and overdue by the interval again. M-04: the first service is late."""
    for each in dues(ground.case, ground.facts.of("follow_up").values(), ground.at, ground.by):
        if each.kind == "step" or not each.overdue(ground.today):
            continue
        kind = "contact_overdue" if each.kind == "contact" else "service_late"
        key = f"{ground.reference} {each.source} {each.day}"
        yield Finding(kind, ground.reference, key, ground.today.isoformat())
        if each.kind == "contact" and each.escalated(ground.today):
            yield Finding("contact_escalated", ground.reference, key, ground.business_day(1), "urgent", supervisor=True)


def referrals(ground: Ground) -> Iterator[Finding]:
    """C-01: a provider declined, could not do it, or did not answer in time; unless another was asked for the same service since."""
    tasks = referred(ground.facts)
    services = ground.facts.of("planned_service")
    asked_anew = {task["focus"] for task in tasks.values() if task["status"] in OPEN}
    for reference, each in tasks.items():
        if services.get(each["focus"], {"status": "completed"})["status"] in _OVER:
            continue
        if each["status"] in DECLINED and each["focus"] not in asked_anew and ground.recent(day(each.get("modified_at", ground.at))):
            yield Finding("referral_declined", reference, reference, ground.business_day(1), each.get("priority", "routine"))
        if each["status"] in UNANSWERED and "due" in each and day(each["due"]) < ground.today and ground.recent(day(each["due"])):
            key = f"{reference} {each['due'][:10]}"
            yield Finding("referral_overdue", reference, key, ground.business_day(1), each.get("priority", "routine"))


def declined_transitions(ground: Ground) -> Iterator[Finding]:
    """P-24"""
    for reference, each in ground.facts.of("task").items():
        if _hands_over(each, ground) and each["status"] in DECLINED and ground.recent(day(each.get("modified_at", ground.at))):
            yield Finding("transition_declined", reference, reference, ground.business_day(1), "urgent")


def _hands_over(task: Fields, ground: Ground) -> bool:
    """Whether a task asks somebody to take over the client's care."""
    return task.get("focus") in ground.facts.of("transition_plan") and is_asked(task)


def untaken(ground: Ground) -> Iterator[Finding]:
    """C-12, P-24: a task that is urgent, or of a transition, and that nobody took in time."""
    for reference, each in ground.facts.of("task").items():
        if _escalates(each, ground):
            last = business_day(day(each["due"]), ground.by.acknowledgement_business_days)
            if last < ground.today and ground.recent(last):
                yield Finding("task_escalated", reference, reference, ground.business_day(1), "urgent", supervisor=True)


def _escalates(task: Fields, ground: Ground) -> bool:
    """Whether a supervisor is told of a task that is not taken."""
    matters = task.get("priority") in _URGENT or _hands_over(task, ground)
    return matters and task.get("status") in UNANSWERED and "due" in task and not _escalation(task)


def _escalation(task: Fields) -> bool:
    return str(task.get("code", {}).get("code", "")).endswith("-escalated")


RULES: tuple[Callable[[Ground], Iterator[Finding]], ...] = (
    missed_appointments,
    urgent_flags,
    barriers,
    authorisations,
    needed_authorisations,
    unread_answers,
    left_hospital,
    readmissions,
    emergency_visits,
    contacts,
    referrals,
    declined_transitions,
    untaken,
)
AFTERWARDS: tuple[Callable[[Ground], Iterator[Finding]], ...] = (readmissions,)
"""The rules for a case that was closed while the time for a readmission runs."""
_OF_ITS_OWN = ("readmission", "task_escalated", "authorisation_needed")


def findings(ground: Ground, rules: tuple[Callable[[Ground], Iterator[Finding]], ...] = RULES) -> list[Finding]:
    """All that the rules find. What a person has made a task about already leads to no other."""
    tasks = ground.facts.of("task").values()
    answered = {task.get("focus") for task in tasks if task.get("status") not in _DROPPED and task.get("requester") != ground.watcher}
    answered.discard(ground.reference)
    return [found for rule in rules for found in rule(ground) if found.kind in _OF_ITS_OWN or found.about not in answered]


def look_again(ground: Ground) -> date | None:
    """The next day on which time alone may find something more; None where it will not."""
    days = []
    for each in dues(ground.case, ground.facts.of("follow_up").values(), ground.at, ground.by):
        days += [each.day + timedelta(days=1), each.escalates] if each.kind != "step" else []
    for appointment in ground.facts.of("appointment").values():
        days += [last + timedelta(days=1)] if (last := _last_day(appointment)) else []
    for authorisation in ground.facts.of("authorisation").values():
        if end := _ends(authorisation):
            days += [end - timedelta(days=ground.by.authorisation_notice_days), end + timedelta(days=1)]
    for task in ground.facts.of("task").values():
        if _escalates(task, ground):
            days.append(business_day(day(task["due"]), ground.by.acknowledgement_business_days) + timedelta(days=1))
    for task in referred(ground.facts).values():
        if task["status"] in UNANSWERED and "due" in task:
            days.append(day(task["due"]) + timedelta(days=1))
    return min((each for each in days if each > ground.today), default=None)
