"""P-21 … P-32: outcomes, transitions, advocacy, and what is watched over all the time."""

import pytest

from tests.server.api.conftest import BOSS, DANA, problem

from .test_implementation import READY, contact, missing, tasks

PAIN = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "5640", "display": "ibuprofen"}


@pytest.mark.parametrize("part", ["well_being", "finances", "care_appropriateness"])
def test_a_case_does_not_close_without_each_part_of_its_outcome(office, api, ending, part):
    """P-21"""
    outcome = office.work(ending)["outcome"]
    assert missing(api, ending, "TR-17") == []
    office.amend("outcome", outcome, **{part: None})
    told = problem(api.as_(BOSS).send("POST", f"cases/{ending['id']}/transitions", {"transition": "TR-17"}), 422)
    assert told["rule"] == "outcome_incomplete"
    assert part in told["detail"]


@pytest.fixture(scope="module")
def ending(office):
    """A case whose outcome is evaluated."""
    return office.case("outcome_evaluation")


@pytest.mark.parametrize(("days", "within"), [(29, True), (31, False)])
def test_a_stay_within_thirty_days_of_a_discharge_is_a_readmission(office, api, fhir, time, watch, days, within):
    """P-22"""
    case = office.case()
    about = {**office.of(case), "status": "finished", "encounter_class": {"code": "IMP"}}
    office.new("encounter", **about, period={"start": f"{time.now.date()}", "end": f"{time.now.date()}"})
    time.pass_(days=days)
    later = {"resourceType": "Encounter", "status": "in-progress", "class": {"code": "IMP"}, "subject": {"reference": case["client"]}}
    again = fhir.create({**later, "period": {"start": f"{time.now.date()}"}})
    watch()
    found = tasks(api, case).get("readmission")
    assert (found is not None) == within
    assert found is None or found["focus"] == f"Encounter/{again['id']}"


def leaving(office, case, **fields):
    """A client's way from hospital to a home, with all that must be ready."""
    stay = office.new("encounter", **office.of(case), status="in_progress", encounter_class={"code": "IMP"}, period={"start": "2026-02-20"})
    lessons = {f"education_{name}": {"status": "done", "reason": "Kanarifugl learned it"} for name in ("lifestyle", "medication", "return")}
    ready = {item: {"status": "done"} for item in READY} | lessons
    return {**office.of(case), "encounter": stay["meta"]["reference"], "status": "in_progress", "to_setting": "home", "readiness": ready} | fields


@pytest.mark.parametrize("item", ["transport", "medication_reconciliation"])
def test_a_discharge_is_not_ready_while_something_is_open(office, api, item):
    """P-23"""
    plan = leaving(office, office.case())
    made = api.create("transition-plans", plan | {"readiness": plan["readiness"] | {item: {"status": "open"}}})
    told = problem(api.put(f"transition-plans/{made['id']}", {**made, "status": "completed"}), 422)
    assert told["rule"] == "readiness_open"
    assert office.amend("transition_plan", made, readiness=plan["readiness"], status="completed")["status"] == "completed"


def test_a_discharge_that_is_late_is_told_and_needs_its_reason(office, api, time):
    """P-23"""
    case = office.case()
    target = f"{time.now.date()}"
    made = api.create("transition-plans", leaving(office, case, target_date=target))
    delayed = [alert["code"] for alert in api.get(f"cases/{case['id']}/alerts")["items"]]
    assert "discharge_delayed" not in delayed
    time.pass_(days=2)
    [alert] = [each for each in api.get(f"cases/{case['id']}/alerts")["items"] if each["code"] == "discharge_delayed"]
    assert alert["about"] == [made["meta"]["reference"]]
    left = {**made, "status": "completed", "actual_date": f"{time.now.date()}"}
    assert problem(api.put(f"transition-plans/{made['id']}", left), 422)["rule"] == "reason_missing"
    assert office.amend("transition_plan", left, delay_reason="Kanarifugl had no bed")["status"] == "completed"


@pytest.mark.parametrize("taken", [True, False])
def test_who_takes_over_says_so_or_a_supervisor_is_told(office, api, time, watch, taken):
    """P-24"""
    case = office.case()
    home = office.organization()
    plan = api.create("transition-plans", leaving(office, case, receiver=home))
    asked = {**office.of(case), "status": "requested", "intent": "order", "priority": "urgent", "owner": home, "due": f"{time.now.date()}"}
    handed = api.create("tasks", asked | {"focus": plan["meta"]["reference"]})
    if taken:
        office.amend("task", handed, status="accepted")
    watch()
    time.pass_(days=7)
    watch()
    found = tasks(api, case).get("task-escalated")
    assert (found is None) == taken
    assert found is None or (found["focus"], found["owner"]) == (handed["meta"]["reference"], BOSS)


def test_a_denied_authorisation_is_appealed_and_its_result_is_kept(office, api, fhir, time, watch):
    """P-25"""
    case = office.case()
    insurer = office.organization("insurer")
    denial = {**office.of(case), "insurer": insurer, "request": "preauthorisation", "status": "denied", "denial_reason": "Kanarifugl"}
    denied = api.create("authorisations", denial | {"decided_at": f"{time.now.date()}"})
    watch()
    assert tasks(api, case)["authorisation-denied"]["focus"] == denied["meta"]["reference"]
    word = {**office.of(case), "kind": "advocacy", "issue": "Kanarifugl needs therapy", "addressed_to": [insurer], "status": "in_progress"}
    appeal = api.create("advocacy", word | {"about": [denied["meta"]["reference"]], "action": "Kanarifugl's appeal"})
    office.amend("advocacy", appeal, status="completed", result="Kanarifugl's therapy is paid")
    raw = fhir.send("GET", f"Communication/{appeal['id']}").json
    assert raw["about"] == [{"reference": denied["meta"]["reference"]}]
    assert "Kanarifugl's therapy is paid" in [each.get("valueString") for each in raw["extension"]]
    assert fhir.send("GET", denied["meta"]["reference"]).json["resourceType"] == "ClaimResponse"


def test_a_client_who_was_not_spoken_to_in_time_is_overdue(office, api, time, watch):
    """P-26"""
    who = office.manager()
    models = [{"model": "strengths_based", "primary": True}]
    case = office.case("planning", case_manager=who)
    case = api.send("POST", f"cases/{case['id']}/models", {"models": models}).json
    assert (case["step"], case["models"][-1]["model"]) == ("planning", "strengths_based")
