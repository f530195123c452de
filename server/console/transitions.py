"""The transitions of care of a case on its page: made ready, sent, the receiver's word kept, each by a small form."""

from typing import Any

from adapter.cases.facts import Facts
from adapter.cases.transitions import handovers, open_items
from adapter.casework import transitions
from server.console.site import Site
from server.console.steps import Steps, id_of, take

_OVER = ("stopped", "entered_in_error")


def section(facts: Facts) -> list[dict[str, Any]]:
    """What the page of a case shows of each transition that is not over: the plan, what is open, and what the receiver was asked."""
    plans = {key: plan for key, plan in facts.of("transition_plan").items() if plan["status"] not in _OVER}
    return [
        {"reference": key, "plan": plan, "open": list(open_items(plan)), "asked": list(handovers(key, facts).values())}
        for key, plan in plans.items()
    ]


_STEPS: Steps = {
    "prepare": ("transition_plan", lambda desk, of, _: transitions.prepare(desk, id_of(of))),
    "send": ("transition_plan", lambda desk, of, _: transitions.send(desk, id_of(of))),
    "answer": (
        "transition_plan",
        lambda desk, of, form: transitions.answer(desk, id_of(of), form.get("status", ""), reason=form.get("reason")),
    ),
}


def act(site: Site, id: str) -> Any:
    """The step that was asked for, and back to the case."""
    return take(site, id, _STEPS, "transitions")
