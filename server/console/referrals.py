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


def _drafted(desk: Desk, of: str, form: Form) -> None:
    more = {name: form[name] for name in ("priority", "due", "note") if name in form}
    made = referrals.refer(desk, id_of(of), form.get("other") or form.get("to", ""), **more)
    if form.get("send"):
        referrals.send(desk, made.id)


_STEPS: Steps = {
    "refer": _drafted,
    "send": lambda desk, of, _: referrals.send(desk, id_of(of)),
    "answer": lambda desk, of, form: referrals.answer(
        desk, id_of(of), form.get("status", ""), reason=form.get("reason"), results=[{"text": form["result"]}] if "result" in form else ()
    ),
    "cancel": lambda desk, of, form: referrals.cancel(desk, id_of(of), form.get("reason", "")),
}


def act(site: Site, id: str) -> Any:
    """The step that was asked for, and back to the case."""
    return take(site, id, _STEPS, "referrals")
