"""The insurance of a case on its page: eligibility and authorisations asked for, answered, appealed and withdrawn, each by a small form."""

from collections.abc import Callable
from typing import Any

import flask

from adapter.cases.record import Fields
from adapter.casework import insurance
from adapter.casework.desk import Desk
from adapter.errors import Invalid
from server.console.site import Site

Form = dict[str, str]


def _found(desk: Desk, of: str, form: Form) -> None:
    """What the insurer says of the kind of a service, or of all that the question names."""
    benefits = [{"category": {"text": form.get("kind", "")}, "authorization_required": form.get("required") == "yes"}]
    insurance.answer_eligibility(desk, of.partition("/")[2], {"outcome": "complete", "in_force": True, "benefits": benefits})


def _decided(desk: Desk, of: str, form: Form) -> None:
    told: Fields = {name: form[name] for name in ("status", "number", "denial_reason") if form.get(name)}
    validity = {name: form[name] for name in ("start", "end") if form.get(name)}
    insurance.answer_authorisation(desk, of.partition("/")[2], told | ({"validity": validity} if validity else {}))


def _appealed(desk: Desk, of: str, form: Form) -> None:
    told = {name: form.get(name, "") for name in ("issue", "action", "due")}
    insurance.appeal(desk, of.partition("/")[2], **told, reason=form.get("reason"))


_STEPS: dict[str, Callable[[Desk, str, Form], Any]] = {
    "ask_eligibility": lambda desk, of, form: insurance.ask_eligibility(desk, [of], reason=form.get("reason")),
    "answer_eligibility": _found,
    "ask_authorisation": lambda desk, of, form: insurance.ask_authorisation(desk, of, reason=form.get("reason")),
    "answer_authorisation": _decided,
    "appeal": _appealed,
    "withdraw": lambda desk, of, form: insurance.withdraw(desk, of.partition("/")[2], reason=form.get("reason")),
}


def act(site: Site, id: str) -> Any:
    """The step that was asked for, and back to the case."""
    form = {name: value.strip() for name, value in flask.request.form.items() if value.strip()}
    step = _STEPS.get(form.get("step", ""))
    if step is None:
        raise Invalid("There is no such step.", expression=["step"])
    step(site.desk(), form.get("of", ""), form)
    return flask.redirect(flask.url_for("console.case-show", id=id, _anchor="insurance"), 303)
