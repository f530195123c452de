"""What must hold before a case may go on: named checks over the case's records.

A check gets the situation and says what is missing, or None. The names are those of DOMAIN §3.3 and §3.5; `LATER` lists the rules of
those sections that are not checked yet, so that none passes in silence.
"""

from collections.abc import Callable

from adapter.cases.facts import (
    Situation,
    covers,
    current_plan,
    day,
    goals_of_plan,
    latest,
    manager,
    models,
    services_of_plan,
)
from adapter.cases.record import Fields
from adapter.cases.risk_evaluation import SEED_FACTORS

_LICENCES = ("RN", "LCSW", "other_license")
_STARTED = ("in_progress", "completed")
_TAKEN = ("accepted", "in_progress", "completed")
REOPEN_DAYS = 90

Check = Callable[[Situation], str | None]


def _first(*findings: str | None) -> str | None:
    return next((text for text in findings if text), None)


def _unless(holds: object, text: str) -> str | None:
    return None if holds else text


def reason_given(now: Situation) -> str | None:
    return _unless(now.reason, "A reason is needed.")


def ready_to_start(now: Situation) -> str | None:
    case, leading = now.case, [model for model in now.case.get("models", []) if model.get("primary")]
    return _first(
        _unless(case["client"] in now.facts.of("client"), "The client's record is needed."),
        _unless(case.get("case_type"), "The type of the case is needed."),
        _unless(len(leading) == 1, "Exactly one primary model is needed."),
        _unless(case.get("case_manager"), "A primary case manager is needed."),
    )


def caseload(now: Situation) -> str | None:
    limit = manager(now).get("caseload_limit", 20)
    if now.facts.open_cases < limit or (now.facts.supervisor and now.reason):
        return None
    return f"The case manager's {limit} cases are all taken; a supervisor may go on with a reason."


def credential(now: Situation) -> str | None:
    if "clinical" not in models(now.case, now.at):
        return None
    return _unless(_licences(now), "The clinical model needs a case manager with an active licence within its period.")


def _licences(now: Situation) -> list[Fields]:
    return [
        licence
        for licence in manager(now).get("credentials", [])
        if licence["kind"] in _LICENCES and licence.get("active") and covers(licence.get("period"), now.at)
    ]


def continuity(now: Situation) -> str | None:
    managers, seats = now.facts.of("case_manager"), []
    for team in now.facts.of("care_team").values():
        seats += [seat for seat in team.get("participants", []) if seat["member"] in managers and covers(seat.get("period"), now.at)]
    others = {seat["member"] for seat in seats} - {now.case.get("case_manager")}
    return _first(
        _unless(now.case.get("case_manager") in managers, "Exactly one primary case manager is needed."),
        _unless(not others, "The care team has another case manager at the same time."),
    )


def screened(now: Situation) -> str | None:
    screening = latest(now.facts.of("screening"), "completed_at")
    domains = screening.get("domains", {})
    return _first(
        _unless(screening.get("status") in ("completed", "amended"), "A completed screening is needed."),
        _unless(screening.get("disposition") == "proceed", "The screening does not say to proceed."),
        _unless(screening.get("record_review", {}).get("sources"), "The review of records is needed."),
        _unless(all(name in domains for name in ("medical", "financial", "living", "social")), "All four domains are needed."),
        _unless(screening.get("answers"), "The answers of the instrument are needed."),
        _unless(all(score.get("complete", True) for score in screening.get("scores", [])), "The instrument is not complete."),
    )


def not_eligible(now: Situation) -> str | None:
    screening = latest(now.facts.of("screening"), "completed_at")
    return _unless(screening.get("disposition") == "not_eligible", "The screening does not say that the client is not eligible.")


def rescreen_planned(now: Situation) -> str | None:
    due = latest(now.facts.of("screening"), "completed_at").get("rescreen_on")
    return _unless(due and day(due) > day(now.at), "A date in the future for the next screening is needed.")


def no_active_plan(now: Situation) -> str | None:
    active = any(plan["status"] == "active" and plan["intent"] == "plan" for plan in now.facts.of("plan").values())
    return _unless(not active, "The active plan must be revoked first.")


def no_future_appointment(now: Situation) -> str | None:
    waiting = ("proposed", "pending", "booked", "waitlist")
    coming = any(
        item["status"] in waiting and day(item.get("start", now.at)) >= day(now.at) for item in now.facts.of("appointment").values()
    )
    return _unless(not coming, "Future appointments must be cancelled first.")


def met(now: Situation) -> str | None:
    """A finished encounter of the client's; an encounter's subject is who was there, or was spoken for."""
    meetings = set(_assessment(now).get("meetings", []))
    held = (
        meeting["status"] == "finished"
        and meeting["client"] == now.case["client"]
        and "start" in meeting.get("period", {})
        and day(meeting["period"]["start"]) <= day(now.at)
        for key, meeting in now.facts.of("encounter").items()
        if key in meetings
    )
    return _unless(any(held), "A finished meeting with the client is needed.")


def _assessment(now: Situation) -> Fields:
    return latest(now.facts.of("assessment"), "effective_at")


def assessed(now: Situation) -> str | None:
    assessment = _assessment(now)
    sections = {"insurance": "coverages", "support_systems": "persons", "treatment_history": "items"}
    missing = [name for name, content in sections.items() if not {content, "not_available_reason"} & assessment.get(name, {}).keys()]
    return _first(
        _unless(assessment.get("status") in ("completed", "amended"), "A completed assessment is needed."),
        _unless(not missing, f"Each needs its content or why it is not available: {', '.join(missing)}."),
        _unless(assessment.get("summary"), "The summary of the assessment is needed."),
    )


def risk_known(now: Situation) -> str | None:
    risk = latest(now.facts.of("risk_evaluation"), "at")
    complete = {factor["kind"] for factor in risk.get("factors", []) if factor.get("evidence")}
    missing = [kind for kind in SEED_FACTORS if kind not in complete]
    return _first(
        _unless(risk.get("status") in ("final", "amended"), "A final risk evaluation is needed."),
        _unless(not missing, f"Each needs a level and its evidence: {', '.join(missing)}."),
        _unless(risk.get("potential_for_change", {}).get("rationale"), "The potential for change needs a rationale."),
        _unless(risk.get("tier"), "The tier is needed."),
    )


def clinical_role(now: Situation) -> str | None:
    clinical = [item for item in now.case.get("models", []) if item["model"] == "clinical" and covers(item.get("period"), now.at)]
    if not clinical:
        return None
    return _first(
        _unless(any(item.get("unrestricted") for item in _licences(now)), "The clinical model needs an unrestricted licence."),
        _unless(all(item.get("assigned_by") for item in clinical), "The clinical model needs who assigned the role."),
    )


def plan_complete(now: Situation) -> str | None:
    plan, services = current_plan(now.facts), services_of_plan(now.facts).values()
    kinds = {goal.get("kind") for goal in goals_of_plan(now.facts).values()}
    return _first(
        _unless(plan, "A plan is needed."),
        _unless("health_objective" in kinds, "A goal that is a health objective is needed."),
        _unless("self_care" in kinds, "A goal of self care is needed."),
        _unless(any(service.get("performers") for service in services), "A service with its performer is needed."),
        _unless(all("setting" in service and "timing" in service for service in services), "Each service needs setting and timing."),
        _unless(plan.get("resources") or plan.get("no_resource_applicable"), "A resource is needed, or the word that none applies."),
    )


def plan_balanced(now: Situation) -> str | None:
    plan = current_plan(now.facts)
    voices = {goal.get("expressed_by", "").split("/")[0] for goal in goals_of_plan(now.facts).values()}
    social = plan.get("social_situation", {})
    return _first(
        _unless(plan.get("medical_necessity", {}).get("services_determined"), "The medical necessity of the services is needed."),
        _unless(voices & {"Patient", "RelatedPerson"}, "A goal that the client or a support person expressed is needed."),
        _unless(social.get("sdoh_needs") or social.get("none_identified"), "The social needs are needed, or the word that there are none."),
    )


def services_justified(now: Situation) -> str | None:
    services = services_of_plan(now.facts).values()
    decided = ("necessary", "not_necessary")
    return _first(
        _unless(all(service.get("goals") for service in services), "Each service needs a goal."),
        _unless(
            all(service.get("medical_necessity", {}).get("determination") in decided for service in services),
            "The medical necessity of each service must be determined.",
        ),
    )


def services_authorised(now: Situation) -> str | None:
    approved = {item.get("service") for item in now.facts.of("authorisation").values() if item["status"] == "approved"}
    waiting = any(
        service.get("authorisation_required") == "yes" and _started(service, now.at) and key not in approved
        for key, service in services_of_plan(now.facts).items()
    )
    return _unless(not waiting, "A service that needs authorisation has started without it.")


def _started(service: Fields, at: str) -> bool:
    start = service.get("timing", {}).get("start")
    return service["status"] in _STARTED or (start is not None and day(start) <= day(at))


def targets_valid(now: Situation) -> str | None:
    period = current_plan(now.facts).get("period")
    targets = [target for goal in goals_of_plan(now.facts).values() for target in goal.get("targets", [])]
    return _first(
        _unless(all("measure" in target for target in targets if "value" in target), "A target with a value needs its measure."),
        _unless(all(covers(period, target["due"]) for target in targets if "due" in target), "A target is due outside the plan's period."),
    )


def plan_accepted(now: Situation) -> str | None:
    return _unless(current_plan(now.facts).get("acceptance", {}).get("status") == "accepted", "The client must accept the plan first.")


def model_rules(now: Situation) -> str | None:
    followed, services = models(now.case, now.at), services_of_plan(now.facts).values()
    strengths = now.facts.of("strength")
    treats = any(
        now.case.get("case_manager") in service.get("performers", []) and service.get("kind") in ("treatment", "therapy", "rehabilitation")
        for service in services
    )
    rooted = all(set(goal.get("addresses", [])) & strengths.keys() for goal in goals_of_plan(now.facts).values())
    return _first(
        _unless(followed != {"brokerage"} or not treats, "Brokerage alone does not let the case manager treat."),
        _unless(
            "brokerage" not in followed or all("outcome_monitor" in one for one in services), "Brokerage needs who monitors each service."
        ),
        _unless("strengths_based" not in followed or len(strengths) >= 3, "The strengths-based model needs three strengths."),
        _unless("strengths_based" not in followed or rooted, "The strengths-based model needs a strength for each goal."),
    )


def under_way(now: Situation) -> str | None:
    referrals = [task for task in now.facts.of("task").values() if task.get("focus", "").startswith("ServiceRequest/")]
    if "brokerage" in models(now.case, now.at):
        return _unless(any(task["status"] in _TAKEN for task in referrals), "Brokerage needs a referral that was accepted.")
    begun = (
        any(service["status"] in _STARTED for service in services_of_plan(now.facts).values())
        or any(item["status"] in ("booked", "arrived", "fulfilled") for item in now.facts.of("appointment").values())
        or any(task["status"] in ("requested", *_TAKEN) for task in referrals)
    )
    return _unless(begun, "A service that has started, a booked appointment or a referral is needed.")


def contact_reviewed(now: Situation) -> str | None:
    done = {key: item for key, item in now.facts.of("follow_up").items() if item["status"] == "completed"}
    contact = latest(done, "occurred_at")
    reviewed = {review["goal"] for review in contact.get("goal_reviews", [])}
    open_goals = {key for key, goal in goals_of_plan(now.facts).items() if goal["lifecycle"] in ("accepted", "active")}
    trouble = contact.get("treatment_working") == "no" or contact.get("barriers")
    return _first(
        _unless(contact, "A completed contact is needed."),
        _unless(open_goals <= reviewed, "Every open goal must be reviewed at the contact."),
        _unless(contact.get("next_contact_due"), "When the next contact is due is needed."),
        _unless(not trouble or contact.get("adjustment_decision"), "A barrier or failing treatment needs a decision on the plan."),
    )


def _adjustments(now: Situation, severity: str) -> list[Fields]:
    return [item for plan in now.facts.of("plan").values() for item in plan.get("adjustments", []) if item["severity"] == severity]


def ready_to_close(now: Situation) -> str | None:
    in_force = goals_of_plan(now.facts).values()
    barriers = now.facts.of("barrier").values()
    return _first(
        _unless(all("applied_at" in item for item in _adjustments(now, "major")), "A major adjustment is still open."),
        _unless(all("achievement" in goal for goal in in_force), "Every goal needs how far it was reached."),
        _unless(
            all(item["status"] == "resolved" or "accepted_reason" in item for item in barriers),
            "An open barrier must be resolved, or accepted with a reason.",
        ),
    )


def major_adjustment(now: Situation) -> str | None:
    drafting = any("applied_at" not in item and item.get("accepted_by_client") for item in _adjustments(now, "major"))
    return _unless(drafting, "A major adjustment, accepted for drafting, is needed.")


def minor_adjustment(now: Situation) -> str | None:
    applied = any({"applied_at", "resulting_plan_version"} <= item.keys() for item in _adjustments(now, "minor"))
    return _unless(applied, "A minor adjustment, applied, with the plan's new version, is needed.")


def _outcome(now: Situation) -> Fields:
    return next(iter(now.facts.of("outcome").values()), {})


def outcome_complete(now: Situation) -> str | None:
    outcome = _outcome(now)
    missing = [name for name in ("well_being", "finances", "care_appropriateness", "readmission") if name not in outcome]
    return _unless(not missing, f"The outcome lacks: {', '.join(missing)}.")


def transition_done(now: Situation) -> str | None:
    return _unless(_outcome(now).get("transition") in ("done", "not_applicable"), "The transition to the next setting is not done.")


def responsible(now: Situation) -> str | None:
    return _unless(
        now.facts.supervisor or now.by == now.case.get("case_manager"), "Only the primary case manager or a supervisor may do this."
    )


def supervisor(now: Situation) -> str | None:
    return _unless(now.facts.supervisor, "Only a supervisor may do this.")


def window_open(now: Situation) -> str | None:
    return _unless(_outcome(now).get("readmission", {}).get("within_30_days") == "pending", "The time for a readmission is over.")


def recently_closed(now: Situation) -> str | None:
    closed = now.case.get("closed_at")
    return _unless(closed and (day(now.at) - day(closed)).days <= REOPEN_DAYS, f"A case can be reopened for {REOPEN_DAYS} days.")


def close_reason_given(now: Situation) -> str | None:
    return _unless(now.case.get("close_reason"), "The case needs a reason for closing.")


GUARDS: dict[str, tuple[str, Check]] = {
    "start": ("step_incomplete", ready_to_start),
    "V-01": ("caseload_exceeded", caseload),
    "V-02": ("credential_invalid", credential),
    "V-03": ("continuity_violation", continuity),
    "V-05": ("meeting_missing", met),
    "V-08": ("clinical_role_invalid", clinical_role),
    "V-09": ("plan_incomplete", plan_complete),
    "V-10": ("plan_balance", plan_balanced),
    "V-11 necessity": ("service_unjustified", services_justified),
    "V-11 authorisation": ("authorisation_missing", services_authorised),
    "V-12": ("goal_target_invalid", targets_valid),
    "V-14": ("outcome_incomplete", outcome_complete),
    "reason": ("reason_missing", reason_given),
    "screened": ("step_incomplete", screened),
    "not eligible": ("step_incomplete", not_eligible),
    "re-screen": ("step_incomplete", rescreen_planned),
    "no active plan": ("plan_active", no_active_plan),
    "no future appointment": ("appointment_open", no_future_appointment),
    "assessed": ("step_incomplete", assessed),
    "risk": ("step_incomplete", risk_known),
    "accepted": ("plan_not_accepted", plan_accepted),
    "model": ("model_rule", model_rules),
    "under way": ("step_incomplete", under_way),
    "contact": ("step_incomplete", contact_reviewed),
    "ready to close": ("step_incomplete", ready_to_close),
    "major": ("adjustment_missing", major_adjustment),
    "minor": ("adjustment_missing", minor_adjustment),
    "transition": ("transition_open", transition_done),
    "responsible": ("not_responsible", responsible),
    "supervisor": ("not_responsible", supervisor),
    "window": ("window_closed", window_open),
    "recent": ("too_late", recently_closed),
    "close reason": ("reason_missing", close_reason_given),
}
"""By name: the stable code of the rule, and its check."""

LATER: dict[str, str] = {
    "V-04": "later: one open case per client, type and organisation needs the other cases",
    "V-06": "later: plausible blood pressure belongs to writing a measurement",
    "V-07": "later: the completeness of each instrument belongs to its scoring",
    "V-13": "later: the longest time between contacts is an alert, not a gate",
    "V-15": "later: readmission is computed from encounters",
    "V-16": "later: consent is checked where data leave",
    "V-17": "later: what a case's type needs",
    "V-18": "later: no performed fact in the future; the order of a case's history is checked",
    "V-19": "later: an urgent flag needs a task within a day",
    "V-20": "later: belongs to pushing to a sandbox",
    "TR-16": "later: the trigger is not looked for; a reason is needed",
    "§3.6 intensive": "later: time to the first service and accompaniment",
    "§3.6 strengths_based": "later: the share of goals that the client set, and the kinds of intervention",
}
"""Rules that are not checked yet. Nothing passes because of them: no guard bears their name."""


def violations(names: tuple[str, ...], now: Situation) -> list[tuple[str, str]]:
    """The code and text of each guard that does not hold, in order."""
    return [(code, text) for code, check in (GUARDS[name] for name in names) if (text := check(now))]
