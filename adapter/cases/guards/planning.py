"""Step 4: what a plan must be before it is put into force."""

from adapter.cases import model_demands
from adapter.cases.facts import Situation, covers, current_plan, day, goals_of_plan, latest, services_of_plan
from adapter.cases.guards.findings import every, first, unless
from adapter.cases.insurance import unauthorised
from adapter.cases.record import Fields

STARTED = ("in_progress", "completed")
_MODERATE = ("moderate", "high")


def plan_complete(now: Situation) -> str | None:
    """V-09"""
    plan, services = current_plan(now.facts), services_of_plan(now.facts).values()
    kinds = {goal.get("kind") for goal in goals_of_plan(now.facts).values()}
    parts = every(
        unless("health_objective" in kinds, "A goal that is a health objective is needed."),
        unless("self_care" in kinds, "A goal of self care is needed."),
        unless(any(service.get("performers") for service in services), "A service with its performer is needed."),
        unless(all({"performers", "performer_role"} & service.keys() for service in services), "Each service needs who performs it."),
        *(unless(all(name in service for service in services), f"Each service needs its {name}.") for name in ("setting", "timing")),
        unless(plan.get("resources") or plan.get("no_resource_applicable"), "A resource is needed, or the word that none applies."),
    )
    return parts if plan else "A plan is needed."


def plan_balanced(now: Situation) -> str | None:
    """V-10"""
    plan = current_plan(now.facts)
    voices = {goal.get("expressed_by", "").split("/")[0] for goal in goals_of_plan(now.facts).values()}
    social = plan.get("social_situation", {})
    return first(
        unless(plan.get("medical_necessity", {}).get("services_determined"), "The medical necessity of the services is needed."),
        unless(voices & {"Patient", "RelatedPerson"}, "A goal that the client or a support person expressed is needed."),
        unless(social.get("sdoh_needs") or social.get("none_identified"), "The social needs are needed, or the word that there are none."),
    )


def services_justified(now: Situation) -> str | None:
    """V-11: a service that is not needed may be there where somebody else than an insurer pays for it."""
    services = services_of_plan(now.facts).values()
    decided = [service.get("medical_necessity", {}).get("determination") for service in services]
    paid = all(service.get("self_funded") for service, word in zip(services, decided, strict=True) if word == "not_necessary")
    return first(
        unless(all(service.get("goals") for service in services), "Each service needs a goal."),
        unless(
            all(word in ("necessary", "not_necessary") for word in decided), "The medical necessity of each service must be determined."
        ),
        unless(paid, "A service that is not necessary can only be there if the client pays for it."),
    )


def services_authorised(now: Situation) -> str | None:
    """V-11"""
    services = services_of_plan(now.facts).items()
    waiting = any(_begun(service, now.at) and unauthorised(key, service, now) for key, service in services)
    return unless(not waiting, "A service that needs authorisation has started without one that holds.")


def _begun(service: Fields, at: str) -> bool:
    start = service.get("timing", {}).get("start")
    return service["status"] in STARTED or (start is not None and day(start) <= day(at))


def targets_valid(now: Situation) -> str | None:
    """V-12"""
    period = current_plan(now.facts).get("period")
    targets = [target for goal in goals_of_plan(now.facts).values() for target in goal.get("targets", [])]
    return first(
        unless(all("measure" in target for target in targets if "value" in target), "A target with a value needs its measure."),
        unless(all(covers(period, target["due"]) for target in targets if "due" in target), "A target is due outside the plan's period."),
    )


def finances_answered(now: Situation) -> str | None:
    """P-30: a goal for finances that are at risk, or the reason given with the transition why there is none."""
    factors = latest(now.facts.of("risk_evaluation"), "at").get("factors", [])
    strained = any(factor.get("kind") == "finances" and factor.get("level") in _MODERATE for factor in factors)
    answered = any(goal.get("kind") == "financial" for goal in goals_of_plan(now.facts).values())
    return unless(answered or now.reason or not strained, "Finances at risk need a financial goal, or a reason why there is none.")


def plan_accepted(now: Situation) -> str | None:
    return unless(current_plan(now.facts).get("acceptance", {}).get("status") == "accepted", "The client must accept the plan first.")


def option_chosen(now: Situation) -> str | None:
    """P-10"""
    options = current_plan(now.facts).get("options", [])
    chosen = [option for option in options if option.get("chosen")]
    return unless(not options or len(chosen) == 1, "One of the options that the client was shown must be chosen.")


def direct_care(now: Situation) -> str | None:
    """M-01"""
    return unless(model_demands.may_treat(now), "The case's models do not let this case manager treat.")


def model_rules(now: Situation) -> str | None:
    return model_demands.lacking(model_demands.PLANNED, now)
