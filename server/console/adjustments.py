"""A plan that is in force, changed: proposed, answered by the client, carried out as its next version or drafted as a new plan."""

from typing import Any

import flask

from adapter.cases.plan import Plan
from adapter.cases.record import Fields
from adapter.casework import plans
from adapter.casework.facts import facts_of
from adapter.casework.records import read
from adapter.errors import CasebridgeError, Invalid, RuleViolated
from server.console import form
from server.console.around import choices
from server.console.case import head
from server.console.site import Site

_ADJUSTED = ("goals", "services", "period", "title", "resources", "social_situation", "medical_necessity", "problems")
"""What of a plan a minor adjustment changes; goals and services are written before, by their own forms."""


def propose(site: Site, id: str, plan: str) -> Any:
    """The plan with an adjustment that the visitor proposes, and back to it."""
    asked = flask.request.form
    plans.propose(site.desk(), plan, reason=asked.get("reason", ""), severity=asked.get("severity", ""))
    return _back(id)


def answer(site: Site, id: str, plan: str) -> Any:
    """The client's word on an adjustment, and back to the plan."""
    asked = flask.request.form
    plans.accept(site.desk(), plan, asked.get("proposed_at", ""), accepted=asked.get("word") == "accepted")
    return _back(id)


def redraft(site: Site, id: str, plan: str) -> Any:
    """The draft of the plan that is to replace this one, for a major adjustment; on to the form of the case's way back to planning."""
    plans.redraft(site.desk(), plan, flask.request.form.get("proposed_at", ""), {})
    return _back(id)


def show(site: Site, id: str, plan: str, refused: CasebridgeError | None = None, typed: Fields | None = None) -> Any:
    """The form by which a minor adjustment is carried out: the plan's goals, services and words, as they are to be."""
    desk = site.desk()
    kept = read(site.repository, "case", id)
    facts = facts_of(desk, kept.reference, kept.fields)
    now = read(site.repository, "plan", plan)
    errors = dict.fromkeys(getattr(refused, "expression", ()), refused.text) if refused else {}
    return flask.render_template(
        "adjustment.html",
        **head(site, kept, facts),
        plan=now.fields,
        plan_id=plan,
        version=now.version,
        asked=form.widgets(Plan, _ADJUSTED, typed or now.fields, choices(site, facts, plan), errors),
        proposed_at=flask.request.values.get("proposed_at", ""),
        refused=refused,
    )


def carry_out(site: Site, id: str, plan: str) -> Any:
    """The plan's next version, and back to it; the form again with what is wrong."""
    desk, sent = site.desk(), form.Sent(flask.request.form.to_dict(flat=False))
    now = read(site.repository, "plan", plan)
    if sent.text("version") != str(now.version):
        return show(site, id, plan, Invalid("Somebody changed the plan meanwhile; this is how it is now.")), 412
    wanted = form.filled(Plan, _ADJUSTED, sent, now.fields)
    updates = {name: wanted[name] for name in _ADJUSTED if name in wanted and wanted[name] != now.fields.get(name)}
    try:
        plans.carry_out(desk, plan, sent.text("proposed_at"), updates, reason=sent.text("reason") or None)
    except (Invalid, RuleViolated) as refused:
        return show(site, id, plan, refused, wanted), refused.status
    return _back(id)


def _back(id: str) -> Any:
    return flask.redirect(flask.url_for("console.plan-show", id=id), 303)
