import copy

import pytest

from adapter.cases.case import STATUSES, STEPS
from adapter.cases.facts import Facts
from adapter.cases.guards import GUARDS
from adapter.cases.workflow import PHASE_OF_STEP, PROCESS, STATUS_OF_STEP, TRANSITIONS, advance, allowed, opened, openings
from adapter.errors import RuleViolated
from tests.cases.stories import situation

AT = "2025-04-15T09:00:00-04:00"
NEW = {"client": "Patient/1", "case_number": "1", "case_type": "general", "case_manager": "Practitioner/1"}
SUPERVISOR = Facts(supervisor=True)


def in_step(step: str, *before: str) -> dict:
    history = [
        {"step": name, "status": STATUS_OF_STEP[name], "period": {"start": f"2025-01-{day:02}"}}
        for day, name in enumerate((*before, step), 1)
    ]
    return {**NEW, "step": step, "status": STATUS_OF_STEP[step], "status_history": history}


def code(*arguments: object, **options: object) -> str:
    with pytest.raises(RuleViolated) as refused:
        advance(*arguments, **options)  # type: ignore[arg-type]
    return refused.value.code


def test_the_table_has_all_25_transitions_between_known_steps():
    assert {row.id for row in TRANSITIONS} == {f"TR-{number:02}" for number in range(1, 26)}
    assert len(TRANSITIONS) == 26  # holding and resuming are both TR-20
    for row in TRANSITIONS:
        assert row.sources <= set(STEPS)
        assert row.target in {*STEPS, "the step that was held"}
        assert set(row.guards) <= set(GUARDS)
    assert all(row.guards for row in TRANSITIONS)


def test_every_step_has_a_status_and_the_seven_make_six_phases():
    assert STATUS_OF_STEP.keys() == set(STEPS)
    assert set(STATUS_OF_STEP.values()) == set(STATUSES) - {"waitlist"}
    assert [PHASE_OF_STEP[step] for step in PROCESS] == [1, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("step", "targets"),
    [
        ("referred", ["screening", "declined", "cancelled", "entered_in_error"]),
        (
            "screening",
            ["screening", "assessment", "outcome_evaluation", "on_hold", "not_eligible", "declined", "cancelled", "entered_in_error"],
        ),
        (
            "follow_up",
            [
                "risk_evaluation",
                "planning",
                "implementation",
                "follow_up",
                "outcome_evaluation",
                "on_hold",
                "cancelled",
                "entered_in_error",
            ],
        ),
        ("outcome_evaluation", ["planning", "follow_up", "closed", "on_hold", "cancelled", "entered_in_error"]),
        ("on_hold", [*PROCESS, "cancelled", "entered_in_error"]),
        ("closed", ["screening", "entered_in_error"]),
        ("declined", ["entered_in_error"]),
        ("entered_in_error", []),
    ],
)
def test_from_a_step_a_case_may_go_where_the_table_says(step: str, targets: list[str]):
    assert allowed(step) == targets


def test_a_way_that_is_not_in_the_table_is_refused_with_those_that_are():
    with pytest.raises(RuleViolated) as refused:
        advance(in_step("referred"), "TR-08", Facts(), AT, "Practitioner/1")
    assert refused.value.code == "transition_not_allowed"
    assert "TR-01 to screening" in refused.value.text
    assert code(in_step("closed"), "TR-99", Facts(), AT, "Practitioner/1") == "transition_not_allowed"
    assert code({**NEW, "status": "active"}, "TR-01", Facts(), AT, "Practitioner/1") == "transition_not_allowed"


def test_a_transition_closes_one_stretch_opens_the_next_and_leaves_the_old_fields_alone():
    now = situation("river", "TR-01")
    before = copy.deepcopy(now.case)
    after = advance(now.case, "TR-01", now.facts, AT, now.by, "why", "request-1")
    assert now.case == before
    assert (after["step"], after["status"]) == ("screening", "active")
    assert after["status_history"] == [
        {"step": "referred", "status": "planned", "period": {"start": "2025-04-14T08:30:00-04:00", "end": AT}},
        {"step": "screening", "status": "active", "period": {"start": AT}, "reason": "why"},
    ]
    assert after["requests"] == [{"id": "request-1", "transition": "TR-01", "at": AT, "by": now.by}]
    assert {"client", "case_number", "models"} <= after.keys()


def test_the_same_request_again_changes_nothing_and_its_id_is_good_for_one_transition():
    now = situation("river", "TR-01")
    once = advance(now.case, "TR-01", now.facts, AT, now.by, request_id="request-1")
    assert advance(once, "TR-01", now.facts, "2025-04-16T09:00:00Z", now.by, request_id="request-1") == once
    assert code(once, "TR-02", now.facts, "2025-04-16T09:00:00Z", now.by, request_id="request-1") == "request_reused"


def test_a_transition_is_after_the_one_before_whatever_the_zone():
    held = in_step("planning")
    held["status_history"][-1]["period"]["start"] = "2025-04-15T09:00:00-04:00"
    assert code(held, "TR-09", Facts(), "2025-04-15T13:00:00Z", "Practitioner/1", "why") == "date_invalid"
    assert advance(held, "TR-09", Facts(), "2025-04-15T13:00:01Z", "Practitioner/1", "why")["step"] == "risk_evaluation"


def test_a_guard_that_does_not_hold_gives_its_code_and_all_that_is_missing():
    with pytest.raises(RuleViolated) as refused:
        advance(in_step("planning"), "TR-08", Facts(), AT, "Practitioner/1")
    assert refused.value.code == "plan_incomplete"
    assert "A plan is needed." in refused.value.text
    assert "The client must accept the plan first." in refused.value.text


@pytest.mark.parametrize("step", PROCESS)
def test_a_held_case_resumes_in_the_step_that_was_held(step: str):
    held = advance(in_step(step), "TR-20", Facts(), AT, "Practitioner/1", "hospital stay")
    assert (held["step"], held["status"]) == ("on_hold", "onhold")
    resumed = advance(held, "TR-20", Facts(), "2025-04-16T09:00:00Z", "Practitioner/1", "back")
    assert (resumed["step"], resumed["status"]) == (step, "active")


def test_a_case_that_ends_says_when_and_why():
    declined = advance(in_step("planning"), "TR-21", Facts(), AT, "Practitioner/1", "moved away")
    assert (declined["step"], declined["status"], declined["close_reason"], declined["closed_at"]) == (
        "declined",
        "cancelled",
        "client_declined",
        AT,
    )
    wrong = advance(in_step("closed"), "TR-24", SUPERVISOR, AT, "Practitioner/2")
    assert (wrong["step"], wrong["status"]) == ("entered_in_error", "entered_in_error")


def test_a_reopened_case_is_open_again_and_another_cycle_is_counted():
    closed = {**in_step("closed"), "closed_at": "2025-03-01", "close_reason": "goals_met"}
    again = advance(closed, "TR-23", Facts({"case_manager": {"Practitioner/1": {}}}), AT, "Practitioner/1")
    assert (again["step"], again["status"]) == ("screening", "active")
    assert not {"closed_at", "close_reason"} & again.keys()
    assert [openings({}), openings(closed), openings(again)] == [1, 1, 2]
    assert advance(in_step("outcome_evaluation"), "TR-18", Facts(), AT, "Practitioner/1", "more can change")["cycle"] == 2


def test_finalising_the_risk_copies_tier_and_priority_to_the_case():
    now = situation("alma", "TR-06")
    after = advance(now.case, "TR-06", now.facts, now.at, now.by)
    assert (after["tier"], after["priority_score"]) == ("high", 30)


def test_a_new_case_begins_as_referred_and_an_opened_one_stays():
    new = opened(NEW, AT)
    assert (new["step"], new["status"], new["opened_at"]) == ("referred", "planned", AT)
    assert opened(new, "2026-01-01T00:00:00Z") == new
