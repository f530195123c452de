"""A case: where it is in its process, what is missing for the next step, its plan, its risk with reasons, and all that happened."""

from typing import Any
from uuid import uuid4

import flask

from adapter.care.model import rules
from adapter.cases.case import Case
from adapter.cases.facts import Facts, latest, models, newest, plan_in_hand
from adapter.cases.headline import happened, headline, status
from adapter.cases.record import Fields
from adapter.cases.workflow import PROCESS
from adapter.casework import cases, plans
from adapter.casework.facts import facts_of
from adapter.casework.records import Kept, read
from adapter.casework.ways import lacking, ways
from adapter.errors import CasebridgeError, Invalid, RuleViolated
from adapter.mapping.registry import CONCEPTS
from server.console.names import full_name
from server.console.site import Site

_OVER = ("completed", "cancelled", "rejected", "failed", "entered_in_error")
# What a step is done with: concepts that are written by a form, in the order in which they are needed.
_WRITTEN: dict[str, tuple[str, ...]] = {
    "screening": (),
    "assessment": ("encounter", "condition", "strength", "assessment"),
    "risk_evaluation": ("risk_evaluation", "task"),
    "planning": ("goal", "planned_service", "plan"),
    "implementation": ("appointment", "task"),
    "follow_up": ("follow_up", "barrier"),
    "outcome_evaluation": ("outcome",),
}
# What is about the people around a case rather than something that happened in it.
_STANDING = ("client", "case", "case_manager", "stakeholder", "support_person", "care_team", "coverage", "consent")


def show(site: Site, id: str) -> Any:
    """The case on one page."""
    desk = site.desk()
    kept = read(site.repository, "case", id)
    facts = facts_of(desk, kept.reference, kept.fields)
    plan_reference, plan = _plan(facts)
    return flask.render_template(
        "case.html",
        **_head(site, kept, facts),
        ways=ways(desk, kept, facts),
        lacking=lacking(desk, kept, facts),
        written=_WRITTEN,
        plan=plan,
        plan_id=plan_reference.partition("/")[2],
        speakers=[kept.fields["client"], *facts.of("support_person")],
        actor=desk.actor.reference,
        room=_room(site, kept),
        goals=_of_plan(facts, plan, "goals", "goal"),
        services=_of_plan(facts, plan, "services", "planned_service"),
        appointments=sorted(facts.of("appointment").items(), key=lambda each: each[1].get("start", "")),
        risk=latest(facts.of("risk_evaluation"), "at"),
        barriers=facts.of("barrier"),
        tasks={key: task for key, task in facts.of("task").items() if task["status"] not in _OVER},
        people={concept: facts.of(concept) for concept in ("support_person", "coverage", "consent")},
        recent=_happenings(facts)[:8],
        request_id=str(uuid4()),
    )


def _plan(facts: Facts) -> tuple[str, Fields]:
    """The plan in force or being drafted, else the last one, with its reference."""
    found = plan_in_hand(facts)
    return found if found[0] else newest(facts.of("plan"), "created_at")


def _room(site: Site, kept: Kept) -> list[str]:
    """Who else could take the case, who has the most room first."""
    desk = site.desk()
    needed = rules(models(kept.fields, desk.now())).places
    return [who for who in cases.with_room(desk, needed, kept.fields.get("tier")) if who != kept.fields.get("case_manager")]


def _of_plan(facts: Facts, plan: Fields, name: str, concept: str) -> dict[str, Fields]:
    """The goals or services of a plan; mere proposals are left out."""
    known = facts.of(concept)
    return {key: known[key] for key in plan.get(name, []) if key in known and known[key].get("intent") != "proposal"}


def timeline(site: Site, id: str) -> Any:
    """All that happened in the case, the newest first (S-03)."""
    desk = site.desk()
    kept = read(site.repository, "case", id)
    facts = facts_of(desk, kept.reference, kept.fields)
    return flask.render_template("timeline.html", **_head(site, kept, facts), happenings=_happenings(facts))


def _head(site: Site, kept: Kept, facts: Facts) -> dict[str, Any]:
    """What every page of a case has on top."""
    client = facts.of("client").get(kept.fields["client"], {})
    step = kept.fields.get("step", "")
    place = PROCESS.index(step) if step in PROCESS else len(PROCESS) if step == "closed" else -1
    steps = [(name, "done" if at < place else "now" if at == place else "open") for at, name in enumerate(PROCESS)]
    return {"case": kept.fields, "id": kept.id, "client": client, "client_name": full_name(client), "steps": steps, "names": site.names()}


def _happenings(facts: Facts) -> list[dict[str, Any]]:
    """What happened, the newest first; what has no date is last."""
    rows = [
        {
            "when": happened(fields),
            "concept": concept,
            "id": reference.partition("/")[2],
            "what": headline(concept, fields),
            "status": status(fields),
        }
        for concept in CONCEPTS
        if concept not in _STANDING
        for reference, fields in facts.of(concept).items()
    ]
    return sorted(rows, key=lambda row: row["when"], reverse=True)


def go(site: Site, id: str) -> Any:
    """A transition, and back to the case."""
    form = flask.request.form
    cases.transit(site.desk(), id, form.get("way", ""), reason=form.get("reason") or None, request_id=form.get("request_id"))
    return flask.redirect(flask.url_for("console.case-show", id=id), 303)


def assign(site: Site, id: str) -> Any:
    """Another case manager, and back to the case."""
    cases.assign(site.desk(), id, flask.request.form.get("case_manager", ""), reason=flask.request.form.get("reason") or None)
    return flask.redirect(flask.url_for("console.case-show", id=id), 303)


def answer(site: Site, id: str, plan: str) -> Any:
    """The client's word on the draft of a plan, and back to the case."""
    form = flask.request.form
    plans.answer(site.desk(), plan, "accepted" if form.get("word") == "accepted" else "declined", form.get("by", ""))
    return flask.redirect(flask.url_for("console.case-show", id=id), 303)


def new(site: Site, refused: CasebridgeError | None = None) -> Any:
    """The form that opens a case; one that was refused with what was typed, what is wrong, and who has room where that is what lacks."""
    desk = site.desk()
    client = flask.request.values.get("client", "")
    stored = site.repository.read("Patient", client.partition("/")[2])
    words = Case.enumerations()
    return flask.render_template(
        "case_new.html",
        given=flask.request.form,
        refused=refused,
        instead=[*getattr(refused, "allowed", ())],
        names=site.names(),
        client=stored.reference,
        client_name=full_name(stored.record),
        actor=desk.actor.reference,
        types=sorted(words["case_type"]),
        models=sorted(words["models.model"]),
    )


def open_(site: Site) -> Any:
    """A new case, and on to its page."""
    form = flask.request.form
    fields: Fields = {
        "client": form.get("client", ""),
        "case_number": form.get("case_number", "").strip(),
        "case_type": form.get("case_type", "general"),
        "models": [{"model": form.get("model", "brokerage"), "primary": True}],
        "case_manager": form.get("case_manager", ""),
    }
    try:
        made = cases.open_case(site.desk(), fields, reason=form.get("reason") or None)
    except (Invalid, RuleViolated) as refused:
        return new(site, refused), refused.status
    return flask.redirect(flask.url_for("console.case-show", id=made.id), 303)
