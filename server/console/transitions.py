"""The transitions of care of a case on its page: made ready, sent, the receiver's word kept, each by a small form."""

from collections.abc import Callable
from typing import Any

import flask

from adapter.cases.facts import Facts
from adapter.cases.transitions import handovers, open_items
from adapter.casework import transitions
from adapter.casework.desk import Desk
from adapter.errors import Invalid
from server.console.site import Site

Form = dict[str, str]
_OVER = ("stopped", "entered_in_error")


def section(facts: Facts) -> list[dict[str, Any]]:
    """What the page of a case shows of each transition that is not over: the plan, what is open, and what the receiver was asked."""
    plans = {key: plan for key, plan in facts.of("transition_plan").items() if plan["status"] not in _OVER}
    return [
        {"reference": key, "plan": plan, "open": list(open_items(plan)), "asked": list(handovers(key, facts).values())}
        for key, plan in plans.items()
    ]


_STEPS: dict[str, Callable[[Desk, str, Form], Any]] = {
    "prepare": lambda desk, of, _: transitions.prepare(desk, of),
    "send": lambda desk, of, _: transitions.send(desk, of),
    "answer": lambda desk, of, form: transitions.answer(desk, of, form.get("status", ""), reason=form.get("reason")),
}


def act(site: Site, id: str) -> Any:
    """The step that was asked for, and back to the case."""
    form = {name: value.strip() for name, value in flask.request.form.items() if value.strip()}
    step = _STEPS.get(form.get("step", ""))
    if step is None:
        raise Invalid("There is no such step.", expression=["step"])
    step(site.desk(), form.get("of", "").rpartition("/")[2], form)
    return flask.redirect(flask.url_for("console.case-show", id=id, _anchor="transitions"), 303)
