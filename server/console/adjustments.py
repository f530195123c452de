"""A plan that is in force, changed: proposed, answered by the client, carried out as its next version or drafted as a new plan."""

from typing import Any

import flask

from adapter.cases.plan import Plan
from adapter.cases.record import Fields
from adapter.casework import plans
from adapter.casework.facts import facts_of
from adapter.casework.past import at
from adapter.casework.records import read
from adapter.errors import CasebridgeError, Invalid, RuleViolated, StaleRecord
from server.console import form
from server.console.around import choices
from server.console.case import head
from server.console.site import Site

_ADJUSTED = ("goals", "services", "period", "title", "resources", "social_situation", "medical_necessity", "problems")
"""What of a plan a minor adjustment changes; goals and services are written before, by their own forms."""


def propose(site: Site, id: str, plan: str) -> Any:
    """The plan with an adjustment that the visitor proposes, and back to it."""
    asked = flask.request.form
    reason, severity = asked.get("reason", ""), asked.get("severity", "")
    plans.propose(site.desk(), plan, reason=reason, severity=severity, request_id=asked.get("request_id"))
    return _back(id)


def answer(site: Site, id: str, plan: str) -> Any:
    """The client's word on an adjustment, and back to the plan."""
    asked = flask.request.form
    word = form.answer_of(asked, "word", "accepted", "declined")
    plans.accept(site.desk(), plan, asked.get("proposed_at", ""), accepted=word == "accepted")
    return _back(id)


def redraft(site: Site, id: str, plan: str) -> Any:
    """The draft of the plan that is to replace this one, for a major adjustment, and back to the plan's page, which shows the draft."""
    plans.redraft(site.desk(), plan, flask.request.form.get("proposed_at", ""), {})
    return _back(id)


def show(site: Site, id: str, plan: str, refused: CasebridgeError | None = None, typed: Fields | None = None) -> Any:
    """The form by which a minor adjustment is carried out: the plan's goals, services and words, as they are to be.

    `typed` is what a form that was refused has otherwise than the plan; all else is shown as the plan is now.
    """
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
        asked=form.widgets(Plan, _ADJUSTED, {**now.fields, **(typed or {})}, choices(site, facts, plan), errors),
        reason=flask.request.form.get("reason", ""),
        proposed_at=flask.request.values.get("proposed_at", ""),
        refused=refused,
    )


def carry_out(site: Site, id: str, plan: str) -> Any:
    """The plan's next version, and back to it; the form again with what is wrong, or with what others changed meanwhile."""
    desk, sent = site.desk(), form.Sent(flask.request.form.to_dict(flat=False))
    opened = at(site.repository, "plan", plan, form.whole(sent.text("version")))
    wanted = form.filled(Plan, _ADJUSTED, sent, opened.fields)
    updates = {name: wanted.get(name) for name in _ADJUSTED if wanted.get(name) != opened.fields.get(name)}
    reason = sent.text("reason") or None
    try:
        plans.carry_out(desk, plan, sent.text("proposed_at"), updates, reason=reason, expect=opened.version)
    except (Invalid, RuleViolated, StaleRecord) as refused:
        return show(site, id, plan, refused, updates), refused.status
    return _back(id)


def _back(id: str) -> Any:
    return flask.redirect(flask.url_for("console.plan-show", id=id), 303)
