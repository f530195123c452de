"""What must hold before a case may go on: named checks over the case's records.

The names are those of DOMAIN §3.3 and §3.5. The rules of a single record are in `adapter.cases.rules`, what is worth a warning in
`adapter.cases.alerts`.
"""

from adapter.cases.facts import Situation
from adapter.cases.guards import again, asking, closing, doing, opening, planning, understanding
from adapter.cases.guards.findings import Check

GUARDS: dict[str, tuple[str, Check]] = {
    "start": ("step_incomplete", opening.ready_to_start),
    "V-01": ("caseload_exceeded", opening.caseload),
    "V-02": ("credential_invalid", opening.credential),
    "V-03": ("continuity_violation", opening.continuity),
    "V-04": ("duplicate_case", opening.alone),
    "V-05": ("meeting_missing", understanding.met),
    "V-08": ("clinical_role_invalid", opening.clinical_role),
    "V-08 licence": ("clinical_role_invalid", opening.licensed),
    "V-09": ("plan_incomplete", planning.plan_complete),
    "V-10": ("plan_balance", planning.plan_balanced),
    "V-11 necessity": ("service_unjustified", planning.services_justified),
    "V-11 authorisation": ("authorisation_missing", planning.services_authorised),
    "V-12": ("goal_target_invalid", planning.targets_valid),
    "V-14": ("outcome_incomplete", closing.outcome_complete),
    "V-17": ("case_type_ineligible", opening.type_eligible),
    "V-19": ("urgency_unanswered", understanding.urgency_answered),
    "reason": ("reason_missing", asking.reason_given),
    "screened": ("step_incomplete", understanding.screened),
    "not eligible": ("step_incomplete", understanding.not_eligible),
    "re-screen": ("step_incomplete", understanding.rescreen_planned),
    "no active plan": ("plan_active", doing.no_active_plan),
    "assessed": ("step_incomplete", understanding.assessed),
    "risk": ("step_incomplete", understanding.risk_known),
    "risk moved": ("risk_unchanged", understanding.risk_moved),
    "finances": ("plan_incomplete", planning.finances_answered),
    "accepted": ("plan_not_accepted", planning.plan_accepted),
    "option": ("option_open", planning.option_chosen),
    "direct care": ("model_forbids_direct_care", planning.direct_care),
    "model": ("model_rule", planning.model_rules),
    "under way": ("step_incomplete", doing.under_way),
    "contact": ("step_incomplete", doing.contact_reviewed),
    "ready to close": ("step_incomplete", doing.ready_to_close),
    "major": ("adjustment_missing", doing.major_adjustment),
    "minor": ("adjustment_missing", doing.minor_adjustment),
    "transition": ("transition_open", closing.transition_done),
    "responsible": ("not_responsible", asking.responsible),
    "supervisor": ("not_responsible", asking.supervisor),
    "window": ("window_closed", closing.window_open),
    "recent": ("too_late", opening.recently_closed),
    "close reason": ("reason_missing", closing.close_reason_given),
    "screened again": (
        "not_renewed",
        again.made("screening", "completed_at", "screening", "A screening since the case was reopened is needed."),
    ),
    "assessed again": (
        "not_renewed",
        again.made("assessment", "effective_at", "screening", "An assessment since the case was reopened is needed."),
    ),
    "risk again": (
        "not_renewed",
        again.made("risk_evaluation", "at", "risk_evaluation", "A risk evaluation since the case came back is needed."),
    ),
    "planned again": ("not_renewed", again.planned),
    "adjusted again": ("not_renewed", again.adjusted),
    "heard again": ("not_renewed", again.heard),
    "reviewed again": (
        "not_renewed",
        again.made("outcome", "reviewed_at", "planning", "A review of outcomes since the case came back is needed."),
    ),
}
"""By name: the stable code of the rule, and its check."""

OPENING = ("V-02", "V-08 licence", "V-17")
"""The guards of a case that is opened, besides V-01 and V-04, which are asked for together with what is possible instead."""
OPENING_ALONE = ("V-17",)
"""The same of a case that has no case manager yet."""
TAKING_ON = ("V-02", "V-08 licence")
"""The guards of a case that is given to a case manager, besides V-01."""


def violations(names: tuple[str, ...], now: Situation) -> list[tuple[str, str]]:
    """The code and text of each guard that does not hold, in order."""
    return [(code, text) for code, check in (GUARDS[name] for name in names) if (text := check(now))]
