"""The plan of a case on a page of its own, to be worked on and to be printed: goals, services, options, the client's word, adjustments."""

from typing import Any
from uuid import uuid4

import flask

from adapter.cases.facts import Facts
from adapter.cases.plan import Plan
from adapter.cases.planned_service import PlannedService
from adapter.cases.record import Fields
from adapter.casework import plans, services
from adapter.casework.desk import Desk
from adapter.casework.facts import facts_of
from adapter.casework.records import Kept, read
from adapter.casework.ways import lacking
from server.console import form
from server.console.around import performers
from server.console.case import going, head, of_plan, plan_of
from server.console.site import Site

_BEGUN = ("in_progress", "completed", "cancelled", "stopped")


def show(site: Site, id: str) -> Any:
    """The plan in hand, else the last one."""
    desk = site.desk()
    kept = read(site.repository, "case", id)
    facts = facts_of(desk, kept.reference, kept.fields)
    reference, plan = plan_of(facts)
    draft = plan.get("status") == "draft"
    planned = of_plan(facts, plan, "services", "planned_service")
    # Of what is arranged, the version that is sent is the one that is shown.
    arranged = {key: read(site.repository, "planned_service", key.partition("/")[2]) for key in planned} if draft else {}
    planned |= {key: each.fields for key, each in arranged.items()}
    return flask.render_template(
        "plan.html",
        **head(site, kept, facts),
        plan=plan,
        plan_id=reference.partition("/")[2],
        going=going(plan),
        draft=draft,
        speakers=[kept.fields["client"], *facts.of("support_person")],
        goals=of_plan(facts, plan, "goals", "goal"),
        services=planned,
        performers=performers(site, facts) if draft else [],
        versions={key: each.version for key, each in arranged.items()},
        determinations=sorted(PlannedService.enumerations()["medical_necessity.determination"]),
        missing=_missing(desk, kept, facts, plan),
        choices=_choices(desk, reference, plan, facts),
        booked={key: _booked(facts, key) for key in planned},
        begun=_BEGUN,
        adjustments=sorted(plan.get("adjustments", ()), key=lambda each: str(each["proposed_at"]), reverse=True),
        request_id=str(uuid4()),
        reasons=sorted(Plan.enumerations()["adjustments.reason"]),
    )


def _missing(desk: Desk, kept: Kept, facts: Facts, plan: Fields) -> tuple[str, ...]:
    """What a draft lacks before it is put into force."""
    return lacking(desk, kept, facts)["planning"] if plan.get("status") == "draft" else ()


def _choices(desk: Desk, reference: str, plan: Fields, facts: Facts) -> list[dict[str, Any]]:
    """The options side by side, the cheapest first, each with what the client was shown."""
    known = {each["id"]: each for each in plan.get("options", ())}
    return [
        {
            "id": each.id,
            "title": each.title,
            "cost": each.cost,
            "unmet": each.unmet,
            "necessary": each.necessary,
            "services": [facts.of("planned_service").get(key, {}).get("description", key) for key in _services(known, facts, each.id)],
            "own": each.id in known,
            **known.get(each.id, {}),
        }
        for each in (plans.options(desk, reference.partition("/")[2]) if reference else ())
    ]


def _services(known: dict[str, Fields], facts: Facts, option: str) -> list[str]:
    """The services of an option of the plan, or of a plan that is itself an option."""
    held: Fields = known.get(option) or facts.of("plan").get(f"CarePlan/{option}", {})
    return [*held.get("services", ())]


def _booked(facts: Facts, service: str) -> int:
    """How many appointments there are for a service."""
    return sum(1 for each in facts.of("appointment").values() if service in each.get("services", ()))


def answer(site: Site, id: str, plan: str) -> Any:
    """The client's word on the draft, and back to the plan."""
    sent = flask.request.form
    plans.answer(site.desk(), plan, form.answer_of(sent, "word", "accepted", "declined"), sent.get("by", ""))
    return _back(id)


def leave_out(site: Site, id: str, plan: str) -> Any:
    """The draft without a goal or service, and back to it."""
    plans.leave_out(site.desk(), plan, flask.request.form.get("element", ""))
    return _back(id)


def arrange(site: Site, id: str, plan: str) -> Any:
    """Who performs each service of the draft and whether it is needed, all at once, and back to it."""
    desk, sent = site.desk(), flask.request.form
    kept = read(site.repository, "plan", plan)
    told = {
        key: services.Arrangement(
            version,
            tuple(filter(None, sent.getlist(f"performers:{key}"))),
            sent.get(f"necessity:{key}", services.UNDETERMINED),
            sent.get(f"why:{key}", ""),
        )
        for key in kept.fields.get("services", ())
        if (version := form.whole(sent.get(f"version:{key}", "")))
    }
    services.arrange(desk, f"EpisodeOfCare/{id}", told)
    return _back(id)


def present(site: Site, id: str, plan: str) -> Any:
    """The options were shown to the client."""
    plans.show(site.desk(), plan)
    return _back(id)


def choose(site: Site, id: str, plan: str) -> Any:
    """The option that the client chose."""
    plans.choose(site.desk(), plan, flask.request.form.get("option", ""))
    return _back(id)


def _back(id: str) -> Any:
    return flask.redirect(flask.url_for("console.plan-show", id=id), 303)
