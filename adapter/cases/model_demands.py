"""What the models that a case follows demand of it (adapter/care/model.py): one row a demand, by the step that it belongs to."""

from collections.abc import Callable, Mapping
from typing import Any

from adapter.care.model import Demands, ModelRules, rules
from adapter.cases.facts import Situation, covers, goals_of_plan, manager, models, services_of_plan
from adapter.cases.outcomes import reviews
from adapter.cases.record import Fields
from adapter.cases.referrals import is_referral

EMPOWERMENT = "empowerment-rating"
"""The code (CodeSystem outcome-monitor) of the measurement in which the client says how far they were empowered."""
_LICENCES = ("RN", "LCSW", "other_license")
TREATMENTS = ("treatment", "therapy", "rehabilitation")
"""The kinds of service in which somebody treats."""
TAKEN = ("accepted", "in_progress", "completed")
_IN_PERSON = ("visit", "home_visit", "accompaniment")
_ASKED = ("draft", "requested", "received")

Rows = Mapping[str, tuple[Callable[[Situation, Any], bool], str]]
"""By demand: whether it is met, and what to say where it is not."""


def followed(now: Situation) -> ModelRules:
    """The rules of the models that the case follows at that moment. Raises NotFound for a model that is not here."""
    return rules(models(now.case, now.at))


def licences(now: Situation) -> list[Fields]:
    """The clinical licences of the primary case manager that are active and within their period."""
    return [
        licence
        for licence in manager(now).get("credentials", [])
        if licence.get("kind") in _LICENCES and licence.get("active") and covers(licence.get("period"), now.at)
    ]


def referrals(now: Situation) -> list[Fields]:
    """The tasks by which services were referred."""
    return [task for task in now.facts.of("task").values() if is_referral(task)]


def may_treat(now: Situation) -> bool:
    """Whether the case manager treats in the plan only as the models permit."""
    mine = now.case.get("case_manager")
    treats = any(mine in one.get("performers", []) and one.get("kind") in TREATMENTS for one in services_of_plan(now.facts).values())
    return not treats or treatment_permitted(now)


def treatment_permitted(now: Situation) -> bool:
    """Whether the models let the case manager treat, with the licences that they have."""
    return followed(now).permitted("treat", licensed=any(one.get("unrestricted") for one in licences(now)))


def _assigned(now: Situation, _: bool) -> bool:
    """Whether each model that demands it says who assigned the case manager."""
    active = [item for item in now.case.get("models", []) if "model" in item and covers(item.get("period"), now.at)]
    return all(item.get("assigned_by") for item in active if rules([item["model"]]).demands.assigner)


def _rooted(now: Situation, _: bool) -> bool:
    strengths = now.facts.of("strength").keys()
    return all(strengths & set(goal.get("addresses", [])) for goal in goals_of_plan(now.facts).values())


def _intervenes(now: Situation, groups: tuple[tuple[str, ...], ...]) -> bool:
    kinds = {service.get("intervention_kind") for service in services_of_plan(now.facts).values()}
    return all(kinds & set(group) for group in groups)


def _own_goals(now: Situation, percent: int) -> bool:
    voices = [goal.get("expressed_by", "").split("/")[0] for goal in goals_of_plan(now.facts).values()]
    return 100 * sum(voice in ("Patient", "RelatedPerson") for voice in voices) >= percent * len(voices)


def _contacted(now: Situation, sources: tuple[str, ...]) -> bool:
    return {*sources} <= {item["source"] for item in now.facts.of("follow_up").values() if item["status"] == "completed"}


def _accompaniment_known(now: Situation, _: bool) -> bool:
    return all("accompanied" in item for item in now.facts.of("appointment").values() if item["status"] == "fulfilled")


def _sessions_recorded(now: Situation, _: bool) -> bool:
    """Whether of each service in which the case manager treats, once begun, there is a finished encounter with the case manager."""
    mine = now.case.get("case_manager")
    begun = any(
        mine in one.get("performers", []) and one.get("kind") in TREATMENTS and one["status"] in ("in_progress", "completed")
        for one in now.facts.of("planned_service").values()
    )
    held = (meeting for meeting in now.facts.of("encounter").values() if meeting["status"] == "finished")
    return not begun or any(mine in [who.get("individual") for who in meeting.get("participants", [])] for meeting in held)


def _own_review(now: Situation, _: bool) -> bool:
    reviewers = {outcome.get("reviewed_by") for outcome in reviews(now.facts).values()}
    return bool(reviewers & now.facts.of("case_manager").keys())


def _rated(now: Situation, _: bool) -> bool:
    return any(item["code"].get("code") == EMPOWERMENT and "value" in item for item in now.facts.of("measurement").values())


def _goals_at_sessions(now: Situation, _: bool) -> bool:
    """Whether each visit and accompaniment says how far goals were reached."""
    visits = [item for item in now.facts.of("follow_up").values() if item["type"] in _IN_PERSON and item["status"] == "completed"]
    reviews = [item.get("goal_reviews", []) for item in visits]
    return all(any(review.get("achievement", "not_reviewed") != "not_reviewed" for review in each) for each in reviews)


STARTED: Rows = {
    "licence": (lambda now, _: bool(licences(now)), "a case manager with an active licence within its period"),
}
LICENSED: Rows = {
    "licence": (lambda now, _: any(one.get("unrestricted") for one in licences(now)), "an unrestricted licence of the case manager"),
}
ASSIGNED: Rows = {
    **LICENSED,
    "assigner": (_assigned, "who assigned the role"),
}
PLANNED: Rows = {
    "outcome_monitor": (
        lambda now, _: all("outcome_monitor" in one for one in services_of_plan(now.facts).values()),
        "who monitors each service",
    ),
    "strengths": (lambda now, least: len(now.facts.of("strength")) >= least, "more strengths of the client"),
    "goal_strength": (_rooted, "a strength for each goal"),
    "interventions": (_intervenes, "a service of each kind of intervention that the models name"),
    "client_goal_percent": (_own_goals, "more goals that the client or a support person expressed"),
}
UNDER_WAY: Rows = {
    "accepted_referral": (lambda now, _: any(task["status"] in TAKEN for task in referrals(now)), "a referral that was accepted"),
}
FOLLOWED_UP: Rows = {
    "follow_up": (_contacted, "a completed contact with each source that the models name"),
    "referral_confirmation": (
        lambda now, _: all(task["status"] not in _ASKED for task in referrals(now)),
        "a provider's word on each referral",
    ),
    "accompaniment": (_accompaniment_known, "whether the case manager came along to each appointment that took place"),
}
CLOSED: Rows = {
    "session_records": (_sessions_recorded, "a finished encounter of the case manager's own treatment"),
    "full_outcome": (_own_review, "well-being, finances and appropriateness in a case manager's own review"),
    "empowerment_rating": (_rated, "the client's rating of how far they were empowered"),
    "session_goals": (_goals_at_sessions, "the goals reached at each session"),
}


def lacking(rows: Rows, now: Situation) -> str | None:
    """What the models demand by these rows and the case has not; None where there is nothing."""
    demands: Demands = followed(now).demands
    missing = [text for name, (met, text) in rows.items() if (value := getattr(demands, name)) and not met(now, value)]
    return f"The case's models need {'; '.join(missing)}." if missing else None
