"""What a case that came back to an earlier step must have anew, and what it need not (adapter/cases/guards/again.py)."""

from typing import Any

import pytest

from adapter.cases.facts import Facts, Situation
from adapter.cases.guards import GUARDS, violations
from adapter.cases.guards.again import came_back
from adapter.cases.workflow import TRANSITIONS

AGAIN = ("screened again", "assessed again", "risk again", "planned again", "adjusted again", "heard again", "reviewed again")
ONCE = ("screening", "assessment", "risk_evaluation", "planning", "implementation", "follow_up", "outcome_evaluation")
BEFORE, AFTER = "2025-01-01T09:00:00Z", "2025-03-01T09:00:00Z"


def history(*steps: str) -> list[dict[str, Any]]:
    """A case's way through these steps, each begun at nine on a day of February."""
    return [{"step": step, "period": {"start": f"2025-02-{day:02}T09:00:00Z"}} for day, step in enumerate(steps, 1)]


def missing(guard: str, steps: tuple[str, ...], **records: list[dict[str, Any]]) -> list[str]:
    """The codes that the guard finds, in a case that went these steps and has these records."""
    known = {concept: {f"{concept}/{place}": fields for place, fields in enumerate(given)} for concept, given in records.items()}
    case = {"step": steps[-1], "status_history": history(*steps)}
    return [code for code, _ in violations((guard,), Situation(case, Facts(known), "2025-03-02T09:00:00Z", "Practitioner/1", None))]


def risk(at: str) -> dict[str, Any]:
    return {"at": at, "status": "final"}


def contact(at: str, **fields: str) -> dict[str, Any]:
    return {"occurred_at": at, "status": "completed", "source": "client"} | fields


def plan(**fields: Any) -> dict[str, Any]:
    return {"intent": "plan", "status": "active", "created_at": BEFORE, "acceptance": {"status": "accepted", "at": BEFORE}} | fields


def adjustment(severity: str, **fields: Any) -> dict[str, Any]:
    return {"proposed_at": BEFORE, "severity": severity, "accepted_by_client": True} | fields


STRATIFIED = (*ONCE[:6], "risk_evaluation")
RETURNS = [
    ("risk again", "risk_evaluation", risk, STRATIFIED, "TR-16"),
    ("risk again", "risk_evaluation", risk, (*ONCE[:4], "risk_evaluation"), "TR-09"),
    ("risk again", "risk_evaluation", risk, (*ONCE[:3], "assessment", "risk_evaluation"), "TR-07"),
    ("risk again", "risk_evaluation", risk, (*ONCE, "closed", *ONCE[:3]), "TR-23"),
    ("risk again", "risk_evaluation", risk, (*STRATIFIED, "on_hold", "risk_evaluation"), "TR-20"),
    ("screened again", "screening", lambda at: {"completed_at": at}, (*ONCE, "closed", "screening"), "TR-23"),
    ("assessed again", "assessment", lambda at: {"effective_at": at}, (*ONCE, "closed", *ONCE[:2]), "TR-23"),
    ("heard again", "follow_up", contact, (*ONCE[:6], *ONCE[3:6]), "TR-14"),
    ("heard again", "follow_up", contact, (*ONCE[:6], *ONCE[2:6]), "TR-16"),
    ("reviewed again", "outcome", lambda at: {"reviewed_at": at}, (*ONCE, *ONCE[3:7]), "TR-18"),
]


@pytest.mark.parametrize(("guard", "concept", "record", "steps", "way"), RETURNS)
def test_what_was_there_before_the_case_came_back_is_not_enough_afterwards(guard, concept, record, steps, way):
    assert missing(guard, steps, **{concept: [record(BEFORE)]}) == missing(guard, steps) == ["not_renewed"], way
    assert missing(guard, steps, **{concept: [record(BEFORE), record(AFTER)]}) == [], way


def test_a_review_that_was_entered_in_error_is_no_new_one():
    mistaken = {"reviewed_at": AFTER, "status": "entered_in_error"}
    assert missing("reviewed again", (*ONCE, *ONCE[3:7]), outcome=[{"reviewed_at": BEFORE}, mistaken]) == ["not_renewed"]


@pytest.mark.parametrize(("guard", "concept", "record"), [(guard, concept, record) for guard, concept, record, *_ in RETURNS])
def test_of_a_case_that_never_came_back_nothing_is_asked_anew(guard, concept, record):
    assert missing(guard, ONCE) == missing(guard, (*ONCE[:4], "on_hold", *ONCE[3:]), **{concept: [record(BEFORE)]}) == []


@pytest.mark.parametrize(
    ("guard", "steps", "way"),
    [
        ("assessed again", (*ONCE[:3], "assessment"), "TR-07"),
        ("planned again", (*ONCE[:5], "planning"), "TR-11"),
        ("planned again", (*ONCE[:4], *ONCE[2:4]), "TR-09"),
        ("planned again", (*STRATIFIED, "planning"), "TR-16"),
        ("heard again", (*ONCE, "follow_up"), "TR-19"),
        ("reviewed again", (*ONCE, *ONCE[5:]), "TR-19"),
        ("heard again", (*ONCE[:6], *ONCE[4:6]), "TR-15"),
    ],
)
def test_some_ways_back_leave_what_there_is_as_it_is(guard, steps, way):
    records = {"assessment": [{"effective_at": BEFORE}], "plan": [plan()], "follow_up": [contact(BEFORE)], "outcome": [{}]}
    assert missing(guard, steps, **records) == [], way


def test_a_date_without_a_time_is_new_on_the_day_of_the_way_back():
    assert missing("risk again", STRATIFIED, risk_evaluation=[risk("2025-02-07")]) == []
    assert missing("risk again", STRATIFIED, risk_evaluation=[risk("2025-02-06")]) == ["not_renewed"]
    assert missing("risk again", STRATIFIED, risk_evaluation=[risk("2025-02-07T08:59:59Z")]) == ["not_renewed"]


def test_a_contact_with_somebody_else_or_one_that_failed_is_no_contact_of_the_cycle():
    """P-18"""
    cycle = (*ONCE[:6], *ONCE[3:6])
    for fields in ({"source": "provider"}, {"status": "attempted"}):
        assert missing("heard again", cycle, follow_up=[contact(AFTER, **fields)]) == ["not_renewed"]


REPLANNED = (*ONCE[:6], "planning")
UNMET = (*ONCE, "planning")


def test_after_a_major_adjustment_the_plan_in_force_is_not_put_into_force_again():
    """TR-14, P-19"""
    assert missing("planned again", REPLANNED, plan=[plan(adjustments=[adjustment("major")])]) == ["not_renewed"]
    draft = plan(status="draft", replaces=["plan/0"], created_at="2025-02-20")
    assert missing("planned again", REPLANNED, plan=[plan(adjustments=[adjustment("major")]), draft]) == []
    declined = adjustment("major", accepted_by_client=False)
    assert missing("planned again", REPLANNED, plan=[plan(adjustments=[declined])]) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "draft"},
        {"created_at": AFTER},
        {"acceptance": {"status": "accepted", "at": AFTER}},
        {"adjustments": [adjustment("minor", applied_at=AFTER)]},
    ],
)
def test_a_case_whose_objectives_were_not_met_needs_a_plan_that_is_new_or_changed(changed):
    """TR-18"""
    assert missing("planned again", UNMET, plan=[plan()]) == ["not_renewed"]
    assert missing("planned again", (*UNMET, "risk_evaluation", "planning"), plan=[plan()]) == ["not_renewed"]
    assert missing("planned again", UNMET, plan=[plan(**changed)]) == []


def test_a_plan_that_was_put_into_force_since_answers_for_the_objectives():
    assert missing("planned again", (*UNMET, "implementation", "planning"), plan=[plan()]) == []


def test_each_minor_adjustment_leads_back_to_the_implementation_once():
    """TR-15"""
    applied = plan(adjustments=[adjustment("minor", applied_at="2025-02-06T12:00:00Z")])
    assert missing("adjusted again", ONCE[:6], plan=[applied]) == []
    again = (*ONCE[:6], *ONCE[4:6])
    assert missing("adjusted again", again, plan=[applied]) == ["not_renewed"]
    assert missing("adjusted again", again, plan=[plan(adjustments=[adjustment("minor", applied_at=AFTER)])]) == []


def test_a_case_came_back_where_its_history_goes_against_the_order_of_the_steps():
    case = {"status_history": history(*ONCE[:6], "planning", "implementation", "on_hold", "implementation")}
    assert came_back(case, "risk_evaluation") is None
    assert came_back(case, "planning") == came_back(case, "follow_up") == "2025-02-07T09:00:00Z"
    assert came_back({}, "closed") is None


def test_each_of_these_guards_is_asked_at_the_transition_that_it_is_about():
    asked = {guard: [row.id for row in TRANSITIONS if guard in row.guards] for guard in AGAIN}
    assert asked == dict(zip(AGAIN, [["TR-02"], ["TR-05"], ["TR-06"], ["TR-08"], ["TR-15"], ["TR-13"], ["TR-17"]], strict=True))
    assert {GUARDS[guard][0] for guard in AGAIN} == {"not_renewed"}
