"""A plan template for a case: which there are, what one would make, and the draft made of it or brought to it."""

from datetime import date
from functools import partial
from typing import Any

import flask

from adapter.care import template
from adapter.cases.facts import Facts, models, newest
from adapter.cases.workflow import openings
from adapter.casework import plans
from adapter.casework.desk import Desk
from adapter.casework.facts import facts_of
from adapter.casework.records import Kept, proven, read
from adapter.errors import CasebridgeError, Invalid, NotNow, RuleViolated
from adapter.mapping.registry import mapping_for
from adapter.store.documents import Change
from server.console.case import head
from server.console.site import Site
from server.fhir import led, writes
from server.fhir.operations import apply, templates


def choose(site: Site, id: str) -> Any:
    """The templates that fit the case's models; those about a condition that it has come first."""
    desk, kept, facts = _case(site, id)
    followed = models(kept.fields, desk.now())
    known = {(code.get("system", ""), code.get("code", "")) for each in facts.of("condition").values() if (code := each.get("code"))}
    offered = [
        {**template.plan_definition(name), "name": name, "about": bool(found.focus & known)}
        for name in template.names()
        if (found := template.load(name)).status == "active" and (not found.models or found.models & followed)
    ]
    used = {url.partition("|")[0] for plan in facts.of("plan").values() for url in plan.get("templates", ())}
    offered.sort(key=lambda each: (not each["about"], each["title"]))
    return flask.render_template("plan_templates.html", **head(site, kept, facts), templates=offered, used=used)


def preview(site: Site, id: str, name: str, refused: CasebridgeError | None = None) -> Any:
    """What applying a template does: each goal and service that it makes, brings to its own words, or leaves."""
    desk, kept, facts = _case(site, id)
    start = flask.request.values.get("start") or _start(desk, facts)
    parts: list[dict[str, Any]] = []
    joined: str | None = None
    if refused is None:
        try:
            found = _application(desk, kept, facts, name, start)
            parts = [_part(raw, fate) for raw, fate in apply.outlook(site.repository, found)]
            joined = found.joins
        except (Invalid, RuleViolated) as wrong:
            refused = wrong
    return flask.render_template(
        "plan_template.html",
        **head(site, kept, facts),
        template=template.plan_definition(name),
        name=name,
        start=start,
        parts=parts,
        refused=refused,
        joined=facts.of("plan").get(f"CarePlan/{joined}"),
    )


def bring(site: Site, id: str, name: str) -> Any:
    """The draft, made of the template or brought to it in one transaction, under the visitor's name; and on to the plan."""
    desk, kept, facts = _case(site, id)
    start = flask.request.form.get("start") or _start(desk, facts)

    def due() -> list[writes.Write]:
        now = facts_of(desk, kept.reference, kept.fields)
        found = [*apply.needed(site.repository, _application(desk, kept, now, name, start))]
        changes = [Change(write.type, write.id, write.raw, write.expect) for write in found]
        proof = proven(site.repository, changes, desk.actor.reference, desk.now(), activity="template-applied")
        return [*found, *(writes.Write(each.type, each.id, each.raw, creates=True) for each in proof)]

    try:
        writes.settle(site.repository, due, [partial(led.guard, site.repository)])
    except (Invalid, RuleViolated) as refused:
        return preview(site, id, name, refused), refused.status
    return flask.redirect(flask.url_for("console.plan-show", id=id), 303)


def _case(site: Site, id: str) -> tuple[Desk, Kept, Facts]:
    desk = site.desk()
    kept = read(site.repository, "case", id)
    return desk, kept, facts_of(desk, kept.reference, kept.fields)


def _start(desk: Desk, facts: Facts) -> str:
    """The day on which the plan begins: that of the draft, else today."""
    plan = plans.drafted(facts)
    return str(facts.of("plan").get(plan or "", {}).get("period", {}).get("start", desk.now()))[:10]


def _application(desk: Desk, kept: Kept, facts: Facts, name: str, start: str) -> apply.Application:
    """What the template comes to in the case, from its last assessment on.

    Raises Invalid for a beginning that is no day, NotNow `plan_made_before` where its plan is no draft any more and there is no other.
    """
    try:
        date.fromisoformat(start)
    except ValueError:
        raise Invalid("The beginning of the plan is a whole date, such as 2025-04-22.", expression=["start"]) from None
    assessment = newest(facts.of("assessment"), "effective_at")[0]
    raw = desk.repository.read("ClinicalImpression", assessment.partition("/")[2]).raw if assessment else None
    opening = openings(kept.fields)
    person = templates.Person(kept.fields["client"], kept.reference, None, desk.actor.reference, start, raw, opening)
    definition = template.plan_definition(name)
    draft = (plans.drafted(facts) or "").partition("/")[2]
    own = templates.plan_id(definition, person.patient, person.episode, opening)
    if not draft and desk.repository.find("CarePlan", own):
        text = "The plan that was made of this template is no draft any more. Take another template, or write the plan."
        raise NotNow(text, code="plan_made_before", expression=["status"])
    return apply.application(desk.repository, definition, person, draft if draft not in ("", own) else None)


def _part(raw: dict[str, Any], fate: str) -> dict[str, Any]:
    """A goal or request as a record, so that the page can say it as it says those of a plan."""
    mapping = mapping_for(raw)
    return {"concept": mapping.concept if mapping else "", "fields": mapping.extract(raw).fields if mapping else {}, "fate": fate}
