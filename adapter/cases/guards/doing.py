"""Steps 5 and 6: what was begun, how contacts went, and what changes the plan."""

from adapter.cases import model_demands
from adapter.cases.facts import Situation, current_plan, goals_of_plan, latest, services_of_plan
from adapter.cases.guards.findings import first, unless
from adapter.cases.guards.planning import STARTED
from adapter.cases.record import Fields


def no_active_plan(now: Situation) -> str | None:
    active = any(plan["status"] == "active" and plan["intent"] == "plan" for plan in now.facts.of("plan").values())
    return unless(not active, "The active plan must be revoked first.")


def under_way(now: Situation) -> str | None:
    begun = (
        any(service["status"] in STARTED for service in services_of_plan(now.facts).values())
        or any(item["status"] in ("booked", "arrived", "fulfilled") for item in now.facts.of("appointment").values())
        or any(task["status"] in ("requested", *model_demands.TAKEN) for task in model_demands.referrals(now))
    )
    return first(
        model_demands.lacking(model_demands.UNDER_WAY, now),
        unless(begun, "A service that has started, a booked appointment or a referral is needed."),
    )


def contact_reviewed(now: Situation) -> str | None:
    contact = latest(_contacts(now), "occurred_at")
    reviewed = {review.get("goal") for review in contact.get("goal_reviews", [])}
    open_goals = {key for key, goal in goals_of_plan(now.facts).items() if goal["lifecycle"] in ("accepted", "active")}
    trouble = contact.get("treatment_working") == "no" or contact.get("barriers")
    return first(
        unless(contact, "A completed contact is needed."),
        unless(open_goals <= reviewed, "Every open goal must be reviewed at the contact."),
        unless(contact.get("next_contact_due"), "When the next contact is due is needed."),
        unless(not trouble or contact.get("adjustment_decision"), "A barrier or failing treatment needs a decision on the plan."),
    )


def _contacts(now: Situation) -> dict[str, Fields]:
    return {key: item for key, item in now.facts.of("follow_up").items() if item["status"] == "completed"}


def _adjustments(now: Situation, severity: str) -> list[Fields]:
    return [item for plan in now.facts.of("plan").values() for item in plan.get("adjustments", []) if item.get("severity") == severity]


def ready_to_close(now: Situation) -> str | None:
    in_force = goals_of_plan(now.facts).values()
    barriers = now.facts.of("barrier").values()
    return first(
        unless(all("applied_at" in item for item in _adjustments(now, "major")), "A major adjustment is still open."),
        unless(all("achievement" in goal for goal in in_force), "Every goal needs how far it was reached."),
        unless(
            all(item["status"] == "resolved" or "accepted_reason" in item for item in barriers),
            "An open barrier must be resolved, or accepted with a reason.",
        ),
        unless(any(item["source"] == "client" for item in _contacts(now).values()), "A completed contact with the client is needed."),
        model_demands.lacking(model_demands.FOLLOWED_UP, now),
    )


def major_adjustment(now: Situation) -> str | None:
    drafting = any("applied_at" not in item and item.get("accepted_by_client") for item in _adjustments(now, "major"))
    return unless(drafting, "A major adjustment, accepted for drafting, is needed.")


def minor_adjustment(now: Situation) -> str | None:
    applied = any(
        {"applied_at", "resulting_plan_version"} <= item.keys() and item.get("severity") == "minor"
        for item in current_plan(now.facts).get("adjustments", [])
    )
    return unless(applied, "A minor adjustment, applied, with the plan's new version, is needed.")
