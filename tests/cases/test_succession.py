"""Case managers and models, one after the other; what follows from a transition beside the case."""

import pytest

from adapter.cases.alerts import alerts
from adapter.cases.consequences import consequences, reviewed
from adapter.cases.eligibility import markers
from adapter.cases.facts import Facts, Situation, covers
from adapter.cases.succession import ROLE, handed_over, models_changed
from adapter.cases.workflow import phase6
from tests.cases.stories import situation

AT = "2025-05-01T12:00:00Z"


def now(case=None, **records) -> Situation:
    return Situation({"client": "Patient/1", **(case or {})}, Facts(records), AT, "Practitioner/dana", "x")


@pytest.mark.parametrize(
    ("period", "at", "inside"),
    [
        ({"end": "2025-05-01T12:00:00Z"}, "2025-05-01T12:00:00Z", False),
        ({"start": "2025-05-01T12:00:00Z"}, "2025-05-01T08:00:00-04:00", True),
        ({"end": "2025-05-01"}, "2025-05-01T23:00:00Z", True),
        ({"start": "2025-05-01T12:00:00Z"}, "2025-05-01", True),
        ({"start": "2025-05-02"}, "2025-05-01T23:59:00Z", False),
        (None, "2025-05-01", True),
    ],
)
def test_the_end_of_one_stretch_is_the_start_of_the_next(period, at, inside):
    assert covers(period, at) is inside


def test_a_former_case_manager_without_a_seat_gets_one_that_is_over():
    """C-09"""
    team = handed_over({"status": "active"}, "Practitioner/dana", "Practitioner/sam", AT, "2025-01-01")
    assert [(seat["member"], seat["period"]) for seat in team["participants"]] == [
        ("Practitioner/dana", {"start": "2025-01-01", "end": AT}),
        ("Practitioner/sam", {"start": AT}),
    ]
    assert all(seat["roles"] == [ROLE] for seat in team["participants"])
    first = handed_over({}, None, "Practitioner/sam", AT, AT)
    assert [seat["member"] for seat in first["participants"]] == ["Practitioner/sam"]


def test_a_model_that_goes_on_keeps_its_period_and_one_that_becomes_primary_begins_anew():
    """M-05"""
    models = [{"model": "brokerage", "primary": True, "period": {"start": "2025-01-01"}}, {"model": "clinical", "primary": False}]
    same = models_changed(models, [{"model": "clinical"}, {"model": "brokerage", "primary": True}], AT)
    assert same == models
    changed = models_changed(models, [{"model": "clinical", "primary": True}], AT)
    assert changed == [
        {"model": "brokerage", "primary": True, "period": {"start": "2025-01-01", "end": AT}},
        {"model": "clinical", "primary": False, "period": {"end": AT}},
        {"model": "clinical", "primary": True, "period": {"start": AT}},
    ]


def test_a_plan_that_is_put_into_force_revokes_the_one_it_replaces():
    """P-19, TR-08, TR-14"""
    told = situation("alma", "TR-14")
    old = next(iter(told.facts.of("plan")))
    new = {"CarePlan/2": {"status": "draft", "intent": "plan", "replaces": [old], "created_at": "2025-02-27"}}
    plans = {**told.facts.of("plan"), **new}
    effects = consequences("TR-08", Situation(told.case, Facts({"plan": plans}), AT, told.by, None))
    states = {reference: fields["status"] for _, reference, fields in effects}
    assert states == {"CarePlan/2": "active", old: "revoked"}
    [adjustment] = effects[1][2]["adjustments"]
    assert (adjustment["applied_at"], adjustment["resulting_plan_version"]) == (AT, 1)
    assert plans[old]["status"] == "active"


def test_a_client_who_declines_has_no_plan_in_force():
    """TR-21"""
    plans = {"CarePlan/1": {"status": "active", "intent": "plan"}, "CarePlan/2": {"status": "active", "intent": "option"}}
    assert [(reference, fields["status"]) for _, reference, fields in consequences("TR-21", now(plan=plans))] == [("CarePlan/1", "revoked")]
    assert [fields["status"] for *_, fields in consequences("TR-17", now(plan=plans))] == ["completed"]
    assert consequences("TR-12", now(plan=plans)) == []


def test_a_contact_says_how_far_the_goals_are():
    """P-17"""
    goals = {"Goal/1": {"lifecycle": "active"}, "Goal/2": {"achievement": "improving", "achievement_at": "2025-05-02"}, "Goal/3": {}}
    words = {"Goal/1": "improving", "Goal/2": "worsening", "Goal/3": "not_reviewed", "Goal/4": "achieved"}
    reviews = [{"goal": goal, "achievement": word} for goal, word in words.items()]
    contact = {"status": "completed", "occurred_at": "2025-05-01T15:00:00Z", "goal_reviews": reviews}
    found = {"lifecycle": "active", "achievement": "improving", "achievement_at": "2025-05-01"}
    assert reviewed(contact, goals) == [("goal", "Goal/1", found)]
    assert reviewed(contact | {"status": "planned"}, goals) == []


def test_markers_are_shown_by_the_record_and_those_set_by_people_stay():
    """C-05"""
    listed = {"categories": [{"code": "problem-list-item"}], "clinical_status": "active"}
    conditions = {"a": listed | {"code": {"text": "diabetes"}}, "b": listed | {"code": {"text": "diabetes"}}}
    assert markers(now(condition=conditions)) == ["chronic"]
    conditions["c"] = listed | {"code": {"text": "COPD"}, "verification_status": "refuted"}
    conditions["d"] = listed | {"code": {"text": "asthma"}, "clinical_status": "resolved"}
    assert markers(now(condition=conditions)) == ["chronic"]
    conditions["e"] = listed | {"code": {"text": "COPD"}}
    assert markers(now(condition=conditions)) == ["chronic", "multi_chronic"]
    for born, elderly in (("1960-05-01", ["elderly"]), ("1960-05-02", []), ("1950", ["elderly"])):
        assert markers(now(client={"Patient/1": {"birth_date": born}})) == elderly
    stay = {"encounter_class": {"code": "IMP"}, "status": "finished", "period": {"start": "2025-03-01", "end": "2025-04-01"}}
    assert markers(now({"eligibility_markers": ["complex"]}, encounter={"a": stay})) == ["complex", "transitioning"]
    assert markers(now(encounter={"a": stay | {"period": {"start": "2025-03-01", "end": "2025-03-31"}}})) == []
    assert markers(now(risk_evaluation={"a": {"tier": "complex"}})) == ["complex", "high_risk"]


@pytest.mark.parametrize(("step", "phase"), [("screening", 1), ("assessment", 1), ("planning", 3), ("referred", None), ("closed", None)])
def test_the_seven_steps_are_seen_as_six_phases(step, phase):
    """X1"""
    assert phase6({"step": step}) == phase
    if phase:
        assert phase6({"step": "on_hold", "status_history": [{"step": step}, {"step": "on_hold"}]}) == phase


def test_a_rehabilitation_without_mental_health_is_worth_a_warning():
    """A-12"""
    told = situation("river", "TR-10")
    assert "W-REHAB-MH" not in [alert.code for alert in alerts(told)]
    others = {key: fields | {"kind": "therapist"} for key, fields in told.facts.of("stakeholder").items()}
    without = Situation(told.case, Facts({**told.facts.records, "stakeholder": others}), told.at, told.by, None)
    assert "W-REHAB-MH" in [alert.code for alert in alerts(without)]


def test_the_same_service_twice_at_the_same_time_is_worth_a_warning():
    """O-03"""
    one = {"intent": "order", "status": "scheduled", "code": {"code": "91251008"}, "timing": {"start": "2025-05-01", "end": "2025-06-01"}}

    def about(**fields) -> list[tuple[str, ...]]:
        found = alerts(now(planned_service={"ServiceRequest/1": one, "ServiceRequest/2": one | fields}))
        return [alert.about for alert in found if alert.code == "duplicate_service"]

    assert about() == about(timing={"start": "2025-05-20"}) == [("ServiceRequest/1", "ServiceRequest/2")]
    assert (
        about(timing={"start": "2025-06-02"})
        == about(code={"code": "84478008"})
        == about(status="cancelled")
        == about(intent="proposal")
        == []
    )


def test_a_cycle_of_follow_up_tells_whom_nobody_spoke_with():
    """P-18"""
    case = {"step": "follow_up", "status_history": [{"step": "follow_up", "period": {"start": "2025-04-20T08:00:00Z"}}]}
    contacts = {
        "a": {"source": "provider", "status": "completed", "occurred_at": "2025-04-21T08:00:00Z"},
        "b": {"source": "support_network", "status": "completed", "occurred_at": "2025-04-19T08:00:00Z"},
    }
    assert ["support_network" in alert.text for alert in alerts(now(case, follow_up=contacts))] == [True]


def test_a_transition_behind_its_target_date_is_worth_a_warning():
    """P-23"""
    plan = {"status": "in_progress", "target_date": "2025-04-30"}
    assert [alert.code for alert in alerts(now(transition_plan={"a": plan}))] == ["discharge_delayed"]
    for over in ({"actual_date": "2025-04-30"}, {"target_date": "2025-05-01"}, {"status": "completed"}):
        assert alerts(now(transition_plan={"a": plan | over})) == []


def test_a_late_first_service_of_an_intensive_case_is_worth_a_warning():
    """M-04"""
    case = {"models": [{"model": "intensive", "primary": True}], "opened_at": "2025-04-28T12:00:00Z"}
    assert [alert.code for alert in alerts(now(case))] == ["late_start"]
    soon = {"a": {"status": "fulfilled", "start": "2025-04-30T10:00:00Z"}}
    assert alerts(now(case, appointment=soon)) == []


def test_a_contact_that_is_overdue_is_worth_a_warning_for_each_who_should_have_been_heard():
    """V-13, P-26"""
    history = [{"step": "implementation", "period": {"start": "2025-04-01T08:00:00Z"}}]
    case = {"step": "implementation", "tier": "high", "models": [{"model": "strengths_based"}], "status_history": history}
    heard = {"a": {"source": "client", "status": "completed", "occurred_at": "2025-04-24T10:00:00Z"}}
    told = [alert.text for alert in alerts(now(case, follow_up=heard)) if alert.code == "contact_overdue"]
    assert told == ["Since 2025-04-08 a contact is due with: support_network."]
    heard["a"]["occurred_at"] = "2025-04-23T10:00:00Z"
    assert len([alert for alert in alerts(now(case, follow_up=heard)) if alert.code == "contact_overdue"]) == 2
