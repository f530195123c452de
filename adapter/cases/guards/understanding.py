"""Steps 1 to 3: what screening, assessment and risk evaluation must have brought."""

from datetime import timedelta

from adapter.cases.facts import Situation, day, latest, moment, newest
from adapter.cases.guards.findings import first, unless
from adapter.cases.record import Fields
from adapter.cases.risk_evaluation import SEED_FACTORS, TIERS
from adapter.cases.stays import EMERGENCY, INPATIENT

_DOMAINS = ("medical", "financial", "living", "social")
_DROPPED = ("rejected", "cancelled", "failed", "entered_in_error")
_HOSPITAL = INPATIENT | {EMERGENCY}
URGENT_WITHIN = timedelta(hours=24)
TIER_DAYS = 90


def screened(now: Situation) -> str | None:
    screening = latest(now.facts.of("screening"), "completed_at")
    domains = screening.get("domains", {})
    return first(
        unless(screening.get("status") in ("completed", "amended"), "A completed screening is needed."),
        unless(screening.get("disposition") == "proceed", "The screening does not say to proceed."),
        unless(screening.get("record_review", {}).get("sources"), "The review of records is needed."),
        unless(all(name in domains for name in _DOMAINS), "All four domains are needed."),
        unless(screening.get("answers"), "The answers of the instrument are needed."),
        unless(all(score.get("complete", True) for score in screening.get("scores", [])), "The instrument is not complete."),
    )


def not_eligible(now: Situation) -> str | None:
    screening = latest(now.facts.of("screening"), "completed_at")
    return unless(screening.get("disposition") == "not_eligible", "The screening does not say that the client is not eligible.")


def rescreen_planned(now: Situation) -> str | None:
    due = latest(now.facts.of("screening"), "completed_at").get("rescreen_on")
    return unless(due and day(due) > day(now.at), "A date in the future for the next screening is needed.")


def met(now: Situation) -> str | None:
    """V-05: a finished encounter of the client's; an encounter's subject is who was there, or was spoken for."""
    meetings = set(_assessment(now).get("meetings", []))
    held = (
        meeting["status"] == "finished"
        and meeting["client"] == now.case["client"]
        and "start" in meeting.get("period", {})
        and day(meeting["period"]["start"]) <= day(now.at)
        for key, meeting in now.facts.of("encounter").items()
        if key in meetings
    )
    return unless(any(held), "A finished meeting with the client is needed.")


def _assessment(now: Situation) -> Fields:
    return latest(now.facts.of("assessment"), "effective_at")


def assessed(now: Situation) -> str | None:
    assessment = _assessment(now)
    sections = {"insurance": "coverages", "support_systems": "persons", "treatment_history": "items"}
    missing = [name for name, content in sections.items() if not {content, "not_available_reason"} & assessment.get(name, {}).keys()]
    return first(
        unless(assessment.get("status") in ("completed", "amended"), "A completed assessment is needed."),
        unless(not missing, f"Each needs its content or why it is not available: {', '.join(missing)}."),
        unless(assessment.get("summary"), "The summary of the assessment is needed."),
    )


def risk_known(now: Situation) -> str | None:
    risk = latest(now.facts.of("risk_evaluation"), "at")
    complete = {factor.get("kind") for factor in risk.get("factors", []) if factor.get("evidence")}
    missing = [kind for kind in SEED_FACTORS if kind not in complete]
    return first(
        unless(risk.get("status") in ("final", "amended"), "A final risk evaluation is needed."),
        unless(not missing, f"Each needs a level and its evidence: {', '.join(missing)}."),
        unless(risk.get("potential_for_change", {}).get("rationale"), "The potential for change needs a rationale."),
        unless(risk.get("tier"), "The tier is needed."),
    )


def urgency_answered(now: Situation) -> str | None:
    """V-19"""
    reference, risk = newest(now.facts.of("risk_evaluation"), "at")
    if not risk.get("urgent_flags"):
        return None
    by = moment(risk.get("at", now.at)) + URGENT_WITHIN
    tasks = [task for task in now.facts.of("task").values() if task.get("focus") == reference and task["status"] not in _DROPPED]
    return first(
        unless(risk.get("tier") in TIERS[2:], "An urgent flag makes the tier high at least."),
        unless(any("due" in task and moment(task["due"]) <= by for task in tasks), "An urgent flag needs a task about it within 24 hours."),
    )


def risk_moved(now: Situation) -> str | None:
    """What lets a case be stratified again: a stay or emergency visit, a new condition, an urgent flag, or a tier of 90 days ago."""
    risk = latest({key: risk for key, risk in now.facts.of("risk_evaluation").items() if risk["status"] != "preliminary"}, "at")
    since = moment(risk.get("at", "0001"))
    visits = [
        visit.get("period", {}).get("start")
        for visit in now.facts.of("encounter").values()
        if visit["encounter_class"].get("code") in _HOSPITAL
    ]
    found = [condition.get("recorded_at") for condition in now.facts.of("condition").values()]
    raised = [other.get("at") for other in now.facts.of("risk_evaluation").values() if other.get("urgent_flags")]
    news = any(at is not None and moment(at) > since for at in [*visits, *found, *raised])
    old = "at" not in risk or (day(now.at) - day(risk["at"])).days > TIER_DAYS
    text = f"A hospital visit, new condition or urgent flag since the risk evaluation is needed, or that it is over {TIER_DAYS} days old."
    return unless(news or old, text)
