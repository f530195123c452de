"""A case: where it is in its process, what is missing for the next step, its plan, its risk with reasons, and all that happened."""

from typing import Any
from uuid import uuid4

import flask

from adapter.care import model
from adapter.care.model import rules
from adapter.cases.case import Case
from adapter.cases.facts import Facts, models, newest, plan_in_hand
from adapter.cases.headline import happened, headline, status
from adapter.cases.insurance import standing
from adapter.cases.record import Fields
from adapter.cases.workflow import PROCESS
from adapter.casework import cases, findings
from adapter.casework.facts import facts_of
from adapter.casework.records import Kept, read
from adapter.casework.ways import Way, lacking, ways
from adapter.errors import CasebridgeError, Invalid, RuleViolated
from adapter.mapping.registry import CONCEPTS
from server.console import referrals, transitions
from server.console.around import choices
from server.console.form import answer_of
from server.console.names import full_name
from server.console.site import Site

_DROPPED = ("cancelled", "rejected", "failed", "entered_in_error")
_OVER = ("completed", *_DROPPED)
# What a step is done with: concepts that are written by a form, in the order in which they are needed.
_WRITTEN: dict[str, tuple[str, ...]] = {
    "referred": ("referral", "support_person", "coverage", "consent"),
    "screening": (),
    "assessment": ("encounter", "condition", "strength", "assessment"),
    "risk_evaluation": ("measurement", "risk_evaluation", "task"),
    "planning": ("goal", "planned_service"),
    "implementation": ("appointment", "task"),
    "follow_up": ("follow_up", "barrier"),
    "outcome_evaluation": ("outcome",),
}
# What a form is called where its concept's own word says less.
_CALLED = {"encounter": "Meeting", "follow_up": "Contact", "measurement": "Blood pressure", "planned_service": "Service"}
# What is about the people around a case rather than something that happened in it.
_STANDING = ("client", "case", "case_manager", "stakeholder", "support_person", "care_team", "coverage", "consent")


def show(site: Site, id: str) -> Any:
    """The case on one page."""
    desk = site.desk()
    kept = read(site.repository, "case", id)
    facts = facts_of(desk, kept.reference, kept.fields)
    plan_reference, plan = plan_of(facts)
    risk_reference, risk = newest(facts.of("risk_evaluation"), "at")
    possible = ways(desk, kept, facts)
    return flask.render_template(
        "case.html",
        **head(site, kept, facts),
        onward=_onward(kept.fields.get("step", ""), possible),
        ways=possible,
        lacking=lacking(desk, kept, facts),
        written=_WRITTEN,
        called=_CALLED,
        findings=_findings(site, facts),
        today=site.clock().date(),
        insurance=standing(facts, desk.now()),
        referrals=referrals.section(desk, facts),
        transitions=transitions.section(facts),
        plan=plan,
        plan_id=plan_reference.partition("/")[2],
        going=going(plan),
        actor=desk.actor.reference,
        room=_room(site, kept),
        models=[model.load(name) for name in model.names()],
        followed=models(kept.fields, desk.now()),
        goals=of_plan(facts, plan, "goals", "goal"),
        services=of_plan(facts, plan, "services", "planned_service"),
        appointments=sorted(facts.of("appointment").items(), key=lambda each: each[1].get("start", "")),
        risk=risk,
        risk_reference=risk_reference,
        answered=any(task.get("focus") == risk_reference and task["status"] not in _DROPPED for task in facts.of("task").values()),
        barriers=facts.of("barrier"),
        tasks={key: task for key, task in facts.of("task").items() if task["status"] not in _OVER},
        people={concept: facts.of(concept) for concept in ("support_person", "coverage", "consent")},
        recent=_happenings(facts)[:8],
        request_id=str(uuid4()),
    )


def _onward(step: str, possible: list[Way]) -> Way | None:
    """The way that leads on in the process; where there is none, such as from a hold, the first that leads anywhere."""
    following = dict(zip(("referred", *PROCESS), (*PROCESS, "closed"), strict=True)).get(step)
    return next((way for way in possible if way.target == following), next(iter(possible), None))


def _findings(site: Site, facts: Facts) -> list[dict[str, Any]]:
    """What screenings show and nobody has confirmed or refuted yet."""
    asked = [key.partition("/")[2] for key in facts.of("screening")]
    return [{"screening": id, "id": each.id, **each.fields} for id in asked for each in findings.waiting(site.repository, id)]


def plan_of(facts: Facts) -> tuple[str, Fields]:
    """The plan in force or being drafted, else the last one, with its reference."""
    found = plan_in_hand(facts)
    return found if found[0] else newest(facts.of("plan"), "created_at")


def going(plan: Fields) -> bool:
    """Whether the plan is in force or about to be: where it is not, a new one can be begun."""
    return plan.get("status") in ("draft", "active")


def _room(site: Site, kept: Kept) -> list[str]:
    """Who else could take the case, who has the most room first."""
    desk = site.desk()
    needed = rules(models(kept.fields, desk.now())).places
    return [who for who in cases.with_room(desk, needed, kept.fields.get("tier")) if who != kept.fields.get("case_manager")]


def of_plan(facts: Facts, plan: Fields, name: str, concept: str) -> dict[str, Fields]:
    """The goals or services of a plan; mere proposals are left out."""
    known = facts.of(concept)
    return {key: known[key] for key in plan.get(name, []) if key in known and known[key].get("intent") != "proposal"}


def timeline(site: Site, id: str) -> Any:
    """All that happened in the case, the newest first (S-03)."""
    desk = site.desk()
    kept = read(site.repository, "case", id)
    facts = facts_of(desk, kept.reference, kept.fields)
    return flask.render_template("timeline.html", **head(site, kept, facts), happenings=_happenings(facts))


def head(site: Site, kept: Kept, facts: Facts) -> dict[str, Any]:
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


def confirm(site: Site, id: str, screening: str, finding: str) -> Any:
    """The visitor's word on what a screening shows, and back to the case."""
    word = answer_of(flask.request.form, "word", "holds", "no")
    findings.decide(site.desk(), screening, finding, holds=word == "holds")
    return flask.redirect(flask.url_for("console.case-show", id=id), 303)


def follow(site: Site, id: str) -> Any:
    """Other models of case management, the first of them leading, and back to the case."""
    form = flask.request.form
    assigned = {"assigned_by": form["assigned_by"]} if form.get("assigned_by") else {}
    chosen = dict.fromkeys((form.get("leading", ""), *form.getlist("models")))
    wanted = [{"model": model, "primary": model == form.get("leading"), **assigned} for model in chosen]
    cases.follow_models(site.desk(), id, wanted, reason=form.get("reason") or None)
    return flask.redirect(flask.url_for("console.case-show", id=id), 303)


def assign(site: Site, id: str) -> Any:
    """Another case manager, and back to the case."""
    cases.assign(site.desk(), id, flask.request.form.get("case_manager", ""), reason=flask.request.form.get("reason") or None)
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
        assigners=choices(site, Facts())(Case.field("models.assigned_by").types, False),
        types=sorted(words["case_type"]),
        models=sorted(words["models.model"]),
    )


def open_(site: Site) -> Any:
    """A new case, and on to its page."""
    form = flask.request.form
    assigned = {"assigned_by": form["assigned_by"]} if form.get("assigned_by") else {}
    fields: Fields = {
        "client": form.get("client", ""),
        "case_number": form.get("case_number", "").strip(),
        "case_type": form.get("case_type", "general"),
        "models": [{"model": form.get("model", "brokerage"), "primary": True, **assigned}],
        "case_manager": form.get("case_manager", ""),
    }
    try:
        made = cases.open_case(site.desk(), fields, reason=form.get("reason") or None)
    except (Invalid, RuleViolated) as refused:
        return new(site, refused), refused.status
    return flask.redirect(flask.url_for("console.case-show", id=made.id), 303)
