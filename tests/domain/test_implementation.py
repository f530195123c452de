"""P-11 … P-20: appointments, education, applications, follow-up and adjustment."""

import pytest

from tests.server.api.conftest import DANA, problem


@pytest.fixture(scope="module")
def followed(office):
    """A case in follow-up, with a plan of two active goals."""
    return office.case("follow_up")


def test_who_did_not_come_is_asked_about_within_a_business_day(office, api, fhir, time, watch):
    """P-11"""
    case = office.case("implementation")
    booking = {**office.of(case), "client_attendance": "accepted", "status": "booked", "start": f"{time.now.date()}T15:00:00Z"}
    booked = api.create("appointments", booking)
    kept = api.create("appointments", booking | {"start": f"{time.now.date()}T16:00:00Z"})
    office.amend("appointment", kept, status="arrived", start=f"{time.now.date()}T08:00:00Z")
    time.pass_(days=1)
    watch()
    assert fhir.send("GET", f"Appointment/{booked['id']}").json["status"] == "noshow"
    assert api.get(f"appointments/{kept['id']}")["status"] == "arrived"
    task = office.tasks(case)["missed-appointment"]
    assert (task["focus"], task["owner"], task["due"]) == (booked["meta"]["reference"], DANA, "2026-03-04")


def test_nobody_is_ready_to_leave_before_three_lessons_or_a_reason(office, api):
    """P-12"""
    leaving = office.departure(office.case(), status="completed")
    told = problem(api.send("POST", "transition-plans", leaving), 422)
    assert told["rule"] == "readiness_open"
    lesson = {name: leaving[name] for name in ("client", "case")} | {"status": "completed", "teach_back": "understood"}
    for topic in ("lifestyle", "medication_administration"):
        api.create("education", lesson | {"topic": topic})
    assert problem(api.send("POST", "transition-plans", leaving), 422)["rule"] == "readiness_open"
    excused = leaving["readiness"] | {"education_return": {"status": "not_applicable", "reason": "Kanarifugl is a nurse"}}
    assert api.create("transition-plans", leaving | {"readiness": excused})["status"] == "completed"
    api.create("education", lesson | {"topic": "when_to_return"})
    assert api.create("transition-plans", leaving)["status"] == "completed"


def test_an_application_that_a_programme_approves_is_an_enrolment_with_its_date(office, api, fhir):
    """P-13"""
    case = office.case()
    fields = {**office.of(case), "programme": "Kanarifugl's heating aid", "status": "submitted", "submitted_at": "2026-02-01"}
    sent = api.create("programme-applications", fields)
    undated = api.put(f"programme-applications/{sent['id']}", {**sent, "status": "enrolled"})
    assert problem(undated, 422)["rule"] == "decision_undated"
    office.amend("programme_application", sent, status="enrolled", decided_at="2026-02-20")
    raw = fhir.send("GET", f"Task/{sent['id']}").json
    assert (raw["status"], raw["executionPeriod"]) == ("completed", {"start": "2026-02-01", "end": "2026-02-20"})


def test_a_document_to_review_is_work_until_it_is_decided_on(office, api, fhir, time):
    """P-14"""
    case = office.case()
    who = {"reference": case["client"]}
    letter = fhir.create(
        {"resourceType": "DocumentReference", "status": "current", "subject": who, "content": [{"attachment": {"title": "Kanarifugl"}}]}
    )
    document = {"type": {"text": "document"}, "valueReference": {"reference": f"DocumentReference/{letter['id']}"}}
    due = {"period": {"end": str(time.now.date())}}
    review = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "for": who,
        "owner": {"reference": DANA},
        "restriction": due,
    }
    made = fhir.create({**review, "code": {"text": "review"}, "input": [document]})
    path = f"worklists/due?case_manager={DANA}"
    reference = f"Task/{made['id']}"
    assert [row["about"]["client"] for row in api.get(path)["items"] if row["reference"] == reference] == [case["client"]]
    decision = [{"type": {"text": "decision"}, "valueString": "Kanarifugl's letter is filed"}]
    assert fhir.put({**made, "status": "completed", "output": decision}).status_code == 200
    assert reference not in [row["reference"] for row in api.get(path)["items"]]
    after = office.amend("task", api.get(f"tasks/{made['id']}"), description="Kanarifugl")
    raw = fhir.send("GET", reference).json
    assert (after["status"], raw["output"], raw["input"]) == ("completed", decision, [document])


def test_a_contact_says_of_each_goal_how_far_it_is(office, api, fhir, followed):
    """P-17"""
    first, second = office.goals(followed)
    told = problem(
        api.send("POST", "follow-ups", office.contact(followed, goal_reviews=[{"goal": first, "achievement": "improving"}])), 422
    )
    assert told["rule"] == "goals_unreviewed"
    reviews = [{"goal": first, "achievement": "worsening"}, {"goal": second, "achievement": "not_reviewed"}]
    before = fhir.send("GET", second).json
    made = api.create("follow-ups", office.contact(followed, goal_reviews=reviews))
    reviewed = fhir.send("GET", first).json
    assert reviewed["achievementStatus"]["coding"][0]["code"] == "worsening"
    assert reviewed["statusDate"] == made["occurred_at"][:10]
    assert fhir.send("GET", second).json == before


def test_a_cycle_of_follow_up_hears_the_client_and_misses_who_was_not_heard(office, api):
    """P-18"""
    case = office.case("follow_up")
    for goal in office.goals(case):
        office.amend("goal", api.get(f"goals/{goal.partition('/')[2]}"), achievement="achieved")
    assert office.missing(case, "TR-13") == ["A completed contact with the client is needed."]
    api.create("follow-ups", office.contact(case))
    assert office.missing(case, "TR-13") == []
    assert unheard(api, case) == ["provider", "support_network"]
    api.create("follow-ups", office.contact(case, source="provider"))
    assert unheard(api, case) == ["support_network"]
    api.create("follow-ups", office.contact(case, source="support_network"))
    assert unheard(api, case) == []


def unheard(api, case):
    """The sources that the case's warnings name."""
    alerts = [alert["text"] for alert in api.get(f"cases/{case['id']}/alerts")["items"] if alert["code"] == "source_missing"]
    return [source for source in ("provider", "support_network") if any(source in text for text in alerts)]


@pytest.mark.parametrize("trouble", ["treatment_working", "barriers"])
def test_a_barrier_or_failing_treatment_asks_for_a_decision_on_the_plan(office, api, followed, trouble):
    """P-20"""
    barrier = api.create("barriers", {**office.of(followed), "kind": "transport", "status": "open", "description": "Kanarifugl's bus"})
    found = {"treatment_working": "no", "barriers": [barrier["meta"]["reference"]]}[trouble]
    told = problem(api.send("POST", "follow-ups", office.contact(followed, **{trouble: found})), 422)
    assert told["rule"] == "decision_missing"
    for decision in ({"decision": "proposed"}, {"decision": "none_needed", "reason": "Kanarifugl walks"}):
        fields = office.contact(followed, adjustment_decision=decision, **{trouble: found})
        assert api.create("follow-ups", fields)["adjustment_decision"] == decision


def adjusted(office, api, case, severity, end):
    """The answer to an adjustment of the case's plan that is proposed, accepted, and carried out as `end` says."""
    [plan] = api.get(f"plans?client={case['client']}")["items"]
    proposed = api.send("POST", f"plans/{plan['id']}/adjustments", {"reason": "not_working", "severity": severity}).json
    at = proposed["adjustments"][0]["proposed_at"]
    step = {"proposed_at": at, "updates": {"title": "Kanarifugl swims"}}
    assert problem(api.send("POST", f"plans/{plan['id']}/adjustments/{end}", step), 422)["rule"] == "plan_not_accepted"
    api.send("POST", f"plans/{plan['id']}/adjustments/acceptance", {"proposed_at": at, "accepted": True})
    return plan, api.send("POST", f"plans/{plan['id']}/adjustments/{end}", step)


def test_a_small_adjustment_makes_a_version_and_leads_back_to_implementation(office, api, fhir):
    """P-19"""
    case = office.case("follow_up")
    assert office.missing(case, "TR-15")
    plan, after = adjusted(office, api, case, "minor", "application")
    assert after.json["title"] == "Kanarifugl swims"
    assert "title" not in fhir.send("GET", f"CarePlan/{plan['id']}/_history/{plan['meta']['version']}").json
    [newest, *_] = api.get(f"plans/{plan['id']}/history")["items"]
    assert newest["adjustments"][0]["reason"] == "not_working"
    assert office.transit(case, "TR-15")["step"] == "implementation"


def test_a_large_adjustment_makes_a_new_plan_and_leads_back_to_planning(office, api):
    """P-19"""
    case = office.case("follow_up")
    plan, after = adjusted(office, api, case, "major", "redraft")
    assert (after.status_code, after.json["replaces"], after.json["status"]) == (201, [plan["meta"]["reference"]], "draft")
    assert office.transit(case, "TR-14")["step"] == "planning"
    assert api.get(f"plans/{plan['id']}")["status"] == "active"
