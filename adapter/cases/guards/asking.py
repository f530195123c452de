"""Who may ask for a transition, and with what reason."""

from adapter.cases.facts import Situation
from adapter.cases.guards.findings import unless


def reason_given(now: Situation) -> str | None:
    return unless(now.reason, "A reason is needed.")


def responsible(now: Situation) -> str | None:
    mine = now.by == now.case.get("case_manager")
    return unless(now.facts.supervisor or mine, "Only the primary case manager or a supervisor may do this.")


def supervisor(now: Situation) -> str | None:
    return unless(now.facts.supervisor, "Only a supervisor may do this.")
