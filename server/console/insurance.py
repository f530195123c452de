"""The insurance of a case on its page: eligibility and authorisations asked for, answered, appealed and withdrawn, each by a small form."""

from typing import Any

from adapter.cases.insurance_answers import DECIDED
from adapter.cases.record import Fields
from adapter.casework import insurance
from adapter.casework.desk import Desk
from adapter.errors import Invalid
from server.console.form import answer_of
from server.console.site import Site
from server.console.steps import Form, Steps, id_of, take

_ANSWERS = (*DECIDED, "requested")


def _found(desk: Desk, of: str, form: Form) -> None:
    """What the insurer says of the kind of a service, or of all that the question names."""
    benefits = [{"category": {"text": form.get("kind", "")}, "authorization_required": answer_of(form, "required", "yes", "no") == "yes"}]
    insurance.answer_eligibility(desk, id_of(of), {"outcome": "complete", "in_force": True, "benefits": benefits})


def _decided(desk: Desk, of: str, form: Form) -> None:
    if form.get("status") not in _ANSWERS:
        raise Invalid(f"What the insurer said is one of: {', '.join(_ANSWERS)}.", expression=["status"])
    told: Fields = {name: form[name] for name in ("status", "number", "denial_reason") if form.get(name)}
    validity = {name: form[name] for name in ("start", "end") if form.get(name)}
    insurance.answer_authorisation(desk, id_of(of), told | ({"validity": validity} if validity else {}))


def _appealed(desk: Desk, of: str, form: Form) -> None:
    told = {name: form.get(name, "") for name in ("issue", "action", "due")}
    insurance.appeal(desk, id_of(of), **told, reason=form.get("reason"))


_STEPS: Steps = {
    "ask_eligibility": ("planned_service", lambda desk, of, form: insurance.ask_eligibility(desk, [of], reason=form.get("reason"))),
    "answer_eligibility": ("eligibility_request", _found),
    "ask_authorisation": ("planned_service", lambda desk, of, form: insurance.ask_authorisation(desk, of, reason=form.get("reason"))),
    "answer_authorisation": ("authorisation", _decided),
    "appeal": ("authorisation", _appealed),
    "withdraw": ("authorisation", lambda desk, of, form: insurance.withdraw(desk, id_of(of), reason=form.get("reason"))),
}


def act(site: Site, id: str) -> Any:
    """The step that was asked for, and back to the case."""
    return take(site, id, _STEPS, "insurance")
