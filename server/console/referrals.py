"""The referrals of a case on its page: a provider chosen, asked, its answer kept, each by a small form."""

from typing import Any

from adapter.cases.facts import Facts, services_of_plan
from adapter.cases.insurance import OVER
from adapter.casework import referrals
from adapter.casework.desk import Desk
from server.console.site import Site
from server.console.steps import Form, Steps, id_of, take


def section(desk: Desk, facts: Facts) -> dict[str, Any]:
    """What the page of a case shows of referrals: those that there are, and the services of its plan that nobody was asked for."""
    rows = referrals.standing(desk, facts)
    asked = {row.service for row in rows if row.leads_to}
    free = {key: each for key, each in services_of_plan(facts).items() if key not in asked and each["status"] not in OVER}
    return {"rows": rows, "free": free}


def _referred(desk: Desk, of: str, form: Form) -> None:
    more = {name: form[name] for name in ("priority", "due", "note") if name in form}
    referrals.refer(desk, id_of(of), form.get("other") or form.get("to", ""), send_too="send" in form, **more)


def _answered(desk: Desk, of: str, form: Form) -> None:
    results = [{"text": form["result"]}] if "result" in form else ()
    referrals.answer(desk, id_of(of), form.get("status", ""), reason=form.get("reason"), results=results)


_STEPS: Steps = {
    "refer": ("planned_service", _referred),
    "send": ("task", lambda desk, of, _: referrals.send(desk, id_of(of))),
    "answer": ("task", _answered),
    "cancel": ("task", lambda desk, of, form: referrals.cancel(desk, id_of(of), form.get("reason", ""))),
}


def act(site: Site, id: str) -> Any:
    """The step that was asked for, and back to the case."""
    return take(site, id, _STEPS, "referrals")
