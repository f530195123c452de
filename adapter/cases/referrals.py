"""A referral: the task by which a provider is asked to do a planned service. One table of its statuses, and what follows from each.

Pure functions. The loop is that of SDOH Clinical Care's Task for referral management: the task carries the asking and the answers, the
service is the order that it is about. http://hl7.org/fhir/us/sdoh-clinicalcare
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapter.cases.facts import Facts, moment
from adapter.cases.record import Fields
from adapter.config import CS
from adapter.errors import NotNow, RuleViolated

FULFILL = {"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill", "display": "Fulfill the focal request"}
ACTIVITY = {
    "system": "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes",
    "code": "resulting-activity",
    "display": "Resulting Activity",
}
"""The type of an output that is what was done: a Procedure, or its code."""
RESULT = {"text": "result"}
"""The type of any other output: a document, or words."""


@dataclass(frozen=True)
class Stage:
    """A status of a referral."""

    leads_to: tuple[str, ...] = ()
    """The statuses that it can go to; none where it has ended."""
    provider: bool = False
    """Whether it is the provider's word, who gives it or on whose behalf it is told."""
    service: str | None = None
    """What the planned service becomes by it; None: it stays as it is, and its order in force."""
    needs_reason: bool = False


_UNDER_WAY = ("in_progress", "on_hold", "completed", "failed", "cancelled")

STAGES: Mapping[str, Stage] = {
    "draft": Stage(("requested", "cancelled")),
    "requested": Stage(("received", "accepted", "rejected", "cancelled")),
    "received": Stage(("accepted", "rejected", "cancelled"), provider=True),
    "accepted": Stage(_UNDER_WAY, provider=True),
    "rejected": Stage(provider=True, needs_reason=True),
    "in_progress": Stage(("on_hold", "completed", "failed", "cancelled"), provider=True, service="in_progress"),
    "on_hold": Stage(("in_progress", "completed", "failed", "cancelled"), provider=True, service="on_hold"),
    "completed": Stage(provider=True, service="completed"),
    "failed": Stage(provider=True, service="on_hold", needs_reason=True),
    "cancelled": Stage(needs_reason=True),
}
"""By our word, which is Task.status with hyphens. What the service becomes is ServiceRequest.status by its own mapping."""
ANSWERS = tuple(status for status, stage in STAGES.items() if stage.provider)
UNANSWERED = ("requested", "received")
DECLINED = ("rejected", "failed")
OPEN = tuple(status for status, stage in STAGES.items() if stage.leads_to)
_OVER = ("completed", "cancelled", "stopped", "entered_in_error")


def is_asked(task: Fields) -> bool:
    """Whether a task asks somebody for something, and is not one that follows from the record, about what somebody asked."""
    return bool(task.get("code", {}).get("system") != f"{CS}/task-kind")


def is_referral(task: Fields) -> bool:
    """Whether a task refers a planned service to somebody."""
    return str(task.get("focus", "")).startswith("ServiceRequest/") and is_asked(task)


def referred(facts: Facts) -> dict[str, Fields]:
    """The referrals among these records, by reference: what a case manager has to do about a service is none."""
    own = facts.of("case_manager")
    return {key: task for key, task in facts.of("task").items() if is_referral(task) and task.get("owner") not in own}


def moved(task: Fields, status: str, at: str, reason: str | None = None) -> Fields:
    """The referral, or another task that is answered as one, in this status.

    Raises NotNow `referral_status_invalid` with the statuses that it can go to, RuleViolated `reason_missing`.
    """
    leads_to = STAGES[task["status"]].leads_to if task["status"] in STAGES else ()
    if status not in leads_to:
        instead = f"it can become {', '.join(leads_to)}" if leads_to else "it has ended"
        text = f"What is {task['status']} does not become {status}: {instead}."
        raise NotNow(text, code="referral_status_invalid", expression=["status"], allowed=leads_to)
    if STAGES[status].needs_reason and not reason:
        raise RuleViolated(f"That it is {status} needs a reason.", code="reason_missing", expression=["reason"])
    told = {name: value for name, value in task.items() if name != "status_reason"}
    return {**told, "status": status, "modified_at": at, **({"status_reason": {"text": reason}} if reason else {})}


def replaced(task: Fields, others: Iterable[Fields]) -> bool:
    """Whether another, of the other referrals of its service, took the place of one that was declined or failed."""
    since = task.get("authored_at", "")
    return task["status"] in DECLINED and any(each["status"] in OPEN or _later(each.get("authored_at", ""), since) for each in others)


def _later(one: str, other: str) -> bool:
    return bool(one) and (not other or moment(one) > moment(other))


def carried_over(task: Fields, service: Fields) -> Fields | None:
    """The planned service as the status of its referral makes it; None where it is so already, or is over."""
    stage = STAGES.get(task["status"])
    if stage is None or stage.service is None or service["status"] in (*_OVER, stage.service):
        return None
    return {**service, "status": stage.service}
