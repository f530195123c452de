"""What a case needs to be opened, taken on, started and reopened: its type, its models, one case manager who may and can."""

from adapter.care.model import STANDARD_CASELOAD
from adapter.cases import model_demands
from adapter.cases.facts import Situation, covers, day, manager
from adapter.cases.guards.findings import first, unless
from adapter.cases.stays import INPATIENT

REOPEN_DAYS = 90
_STANDING = ("active", "recurrence", "relapse")


def ready_to_start(now: Situation) -> str | None:
    case, leading = (
        now.case,
        [model for model in now.case.get("models", []) if model.get("primary") and covers(model.get("period"), now.at)],
    )
    return first(
        unless(case["client"] in now.facts.of("client"), "The client's record is needed."),
        unless(case.get("case_type"), "The type of the case is needed."),
        unless(len(leading) == 1, "Exactly one primary model is needed."),
        unless(case.get("case_manager"), "A primary case manager is needed."),
    )


def alone(now: Situation) -> str | None:
    """V-04"""
    same = ("case_type", "managing_organization")
    doubles = any(all(other.get(name) == now.case.get(name) for name in same) for other in now.facts.siblings.values())
    return unless(not doubles, "The client has an open case of this type already.")


def caseload(now: Situation) -> str | None:
    """V-01"""
    limit = manager(now).get("caseload_limit", STANDARD_CASELOAD)
    if now.facts.open_cases + model_demands.followed(now).places <= limit or (now.facts.supervisor and now.reason):
        return None
    return f"The case manager's {limit} places are all taken; a supervisor may go on with a reason."


def credential(now: Situation) -> str | None:
    """V-02"""
    return model_demands.lacking(model_demands.STARTED, now)


def licensed(now: Situation) -> str | None:
    """V-08, what of it is asked when the case is given to somebody"""
    return model_demands.lacking(model_demands.LICENSED, now)


def clinical_role(now: Situation) -> str | None:
    """V-08"""
    return model_demands.lacking(model_demands.ASSIGNED, now)


def continuity(now: Situation) -> str | None:
    """V-03"""
    managers, seats = now.facts.of("case_manager"), []
    for team in now.facts.of("care_team").values():
        seats += [seat for seat in team.get("participants", []) if seat.get("member") in managers and covers(seat.get("period"), now.at)]
    others = {seat["member"] for seat in seats} - {now.case.get("case_manager")}
    return first(
        unless(now.case.get("case_manager") in managers, "Exactly one primary case manager is needed."),
        unless(not others, "The care team has another case manager at the same time."),
    )


def type_eligible(now: Situation) -> str | None:
    """V-17"""
    check = _ELIGIBLE.get(now.case.get("case_type", ""))
    return check(now) if check else None


def _targeted(now: Situation) -> str | None:
    group = now.case.get("target_group")
    member = group in now.facts.groups if group else now.facts.groups
    return unless(member, "A targeted case needs the client's membership of a target group.")


def _focused(now: Situation) -> str | None:
    named = {diagnosis.get("condition") for diagnosis in now.case.get("diagnoses", [])}
    continuing = any(now.facts.of("condition").get(key or "", {}).get("clinical_status") in _STANDING for key in named)
    return unless(continuing, "A focused case needs, among its diagnoses, an active condition that needs continuing care.")


def _hospital(now: Situation) -> str | None:
    stays = (stay for stay in now.facts.of("encounter").values() if stay["encounter_class"].get("code") in INPATIENT)
    return unless(
        any(stay["status"] not in ("cancelled", "entered_in_error") for stay in stays), "A hospital case needs its inpatient stay."
    )


_ELIGIBLE = {"targeted": _targeted, "focused": _focused, "hospital": _hospital}


def recently_closed(now: Situation) -> str | None:
    closed = now.case.get("closed_at")
    recent = closed and (day(now.at) - day(closed)).days <= REOPEN_DAYS
    return unless(recent, f"A case can be reopened for {REOPEN_DAYS} days; after that, open a new one.")
