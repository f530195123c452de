"""M and T: how a case is led, and of which type it is."""

import pytest

from tests.server.api.conftest import BOSS, DANA, problem
from tests.server.fhir import assert_outcome

THERAPY = {"system": "http://snomed.info/sct", "code": "91251008", "display": "Physical therapy procedure"}
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def led_by(*models):
    """The models that a case follows; the first leads."""
    return {"models": [{"model": model, "primary": not place} for place, model in enumerate(models)]}


def to_implementation(api, case):
    return api.send("POST", f"cases/{case['id']}/transitions", {"to": "implementation"})


def opened(office, api, **fields):
    """The answer to a case that is to be opened."""
    whole = {"case_number": f"T-{next(office.numbers)}", "case_manager": DANA, **led_by("brokerage")}
    return api.send("POST", "cases", whole | fields)


def test_a_broker_does_not_treat_but_one_who_treats_besides_does(office, api):
    """M-01"""
    case = office.case("planning")
    service = office.work(case)["planned_service"]
    own = service | {"kind": "therapy", "performers": [DANA]}
    assert problem(api.put(f"planned-services/{service['id']}", own), 409)["rule"] == "model_forbids_direct_care"
    both = {"models": [{"model": "brokerage", "primary": True}, {"model": "clinical", "assigned_by": BOSS}]}
    assert api.send("POST", f"cases/{case['id']}/models", both).status_code == 200
    assert api.put(f"planned-services/{service['id']}", own).json["performers"] == [DANA]


def sessions(case, service):
    """What a case manager would write of a session in which they treat: by the case API an appointment and an encounter."""
    role = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "PPRF"}
    own = {"client": case["client"], "case": case["meta"]["reference"]}
    when = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T08:30:00Z"}
    booked = {"status": "booked", "client_attendance": "accepted", "services": [service], **when}
    held = {"status": "finished", "encounter_class": {"code": "AMB"}, "period": when, "types": [THERAPY]}
    return {
        "appointments": own | booked | {"participants": [{"actor": DANA, "status": "accepted"}]},
        "encounters": own | held | {"participants": [{"individual": DANA, "role": role}]},
    }


def test_a_broker_does_not_hold_the_sessions_either_and_who_treats_besides_does(office, api, fhir):
    """M-01, M-02"""
    case = office.case("planning")
    service = office.amend("planned_service", office.work(case)["planned_service"], kind="therapy", code=THERAPY)["meta"]["reference"]
    procedure = {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": case["client"]},
        "basedOn": [{"reference": service}],
        "performer": [{"actor": {"reference": DANA}}],
    }
    written = sessions(case, service)
    for path, fields in written.items():
        assert problem(api.send("POST", path, fields), 409)["rule"] == "model_forbids_direct_care", path
    issue = assert_outcome(fhir.send("POST", "Procedure", procedure), 409, "conflict")
    assert issue["details"]["coding"][0]["code"] == "model_forbids_direct_care"
    assert fhir.send("POST", "Procedure", procedure | {"performer": [{"actor": {"reference": BOSS}}]}).status_code == 201
    both = {"models": [{"model": "brokerage", "primary": True}, {"model": "clinical", "assigned_by": BOSS}]}
    assert api.send("POST", f"cases/{case['id']}/models", both).status_code == 200
    encounter = [api.create(path, fields) for path, fields in written.items()][-1]["meta"]["reference"]
    done = fhir.create(procedure | {"encounter": {"reference": encounter}})
    assert done["performer"][0]["actor"]["reference"] == DANA
    [participant] = fhir.send("GET", encounter).json["participant"]
    assert (participant["individual"]["reference"], participant["type"][0]["coding"][0]["code"]) == (DANA, "PPRF")


def test_a_broker_s_plan_names_who_watches_each_service(office, api, fhir):
    """M-01"""
    case = office.case("planning")
    service = office.work(case)["planned_service"]
    bare = office.amend("planned_service", service, outcome_monitor=None)
    told = problem(to_implementation(api, case), 422)
    assert (told["rule"], "who monitors each service" in told["detail"]) == ("model_rule", True)
    office.amend("planned_service", bare, outcome_monitor=service["outcome_monitor"])
    assert to_implementation(api, case).json["step"] == "implementation"
    assert service["outcome_monitor"] in fhir.send("GET", service["meta"]["reference"]).text


def test_a_strengths_based_plan_rests_on_three_strengths_and_each_goal_on_one(office, api, fhir):
    """M-03"""
    case = office.case("planning", **led_by("strengths_based"))
    made = office.work(case)
    office.amend("planned_service", made["planned_service"], intervention_kind="narrative_reframing")
    strengths = []
    for domain in ("personal", "relational", "skill"):
        told = problem(to_implementation(api, case), 422)
        assert (told["rule"], "more strengths" in told["detail"]) == ("model_rule", True)
        fields = {"domain": domain, "description": "Kanarifugl paints", "source": case["client"]}
        strengths.append(api.create("strengths", office.of(case) | fields)["meta"]["reference"])
    told = problem(to_implementation(api, case), 422)
    assert (told["rule"], "a strength for each goal" in told["detail"]) == ("model_rule", True)
    goals = [reference.partition("/")[2] for reference in office.goals(case)]
    for goal, strength in zip(goals, strengths, strict=False):
        office.amend("goal", api.get(f"goals/{goal}"), addresses=[strength])
    assert to_implementation(api, case).json["step"] == "implementation"
    for goal, strength in zip(goals, strengths, strict=False):
        assert {"reference": strength} in fhir.send("GET", f"Goal/{goal}").json["addresses"]


def test_an_intensive_case_says_of_each_appointment_whether_the_manager_came_along(office, api, fhir):
    """M-04"""
    case = office.case(**led_by("intensive"))
    when = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T08:30:00Z"}
    held = office.of(case) | {"status": "fulfilled", "client_attendance": "accepted", **when}
    told = problem(api.send("POST", "appointments", held), 422)
    assert (told["rule"], told["errors"][0]["path"]) == ("accompaniment_missing", "accompanied")
    made = api.create("appointments", held | {"accompanied": True})
    assert fhir.send("GET", f"Appointment/{made['id']}").json["status"] == "fulfilled"
    assert api.get(f"appointments/{made['id']}")["accompanied"] is True


def test_an_intensive_case_without_a_service_within_two_days_is_flagged(office, api, time):
    """M-04"""
    case = office.case(**led_by("intensive"))
    path = f"cases/{case['id']}/alerts"
    time.pass_(hours=47)
    assert "late_start" not in [alert["code"] for alert in api.get(path)["items"]]
    time.pass_(hours=2)
    assert "late_start" in [alert["code"] for alert in api.get(path)["items"]]


def test_a_focused_case_names_a_condition_that_needs_continuing_care(office, api, fhir):
    """T-01"""
    client = office.client()
    assert problem(opened(office, api, client=client, case_type="focused"), 422)["rule"] == "case_type_ineligible"
    condition = {"client": client, "clinical_status": "active", "code": {"text": "a chronic illness"}}
    reference = api.create("conditions", condition)["meta"]["reference"]
    made = opened(office, api, client=client, case_type="focused", diagnoses=[{"condition": reference}])
    assert made.status_code == 201, made.text
    episode = fhir.send("GET", made.json["meta"]["reference"]).json
    assert [each["condition"]["reference"] for each in episode["diagnosis"]] == [reference]


def test_a_targeted_case_is_of_a_member_of_its_group(office, api):
    """T-02"""
    inside, outside = office.client(), office.client()
    group = {"actual": True, "active": True, "name": "Those who are meant", "authority": "cms"}
    reference = office.new("target_group", **group, members=[{"client": inside}])["meta"]["reference"]
    for more in ({}, {"target_group": reference}):
        assert problem(opened(office, api, client=outside, case_type="targeted", **more), 422)["rule"] == "case_type_ineligible"
    made = opened(office, api, client=inside, case_type="targeted", target_group=reference)
    assert (made.status_code, made.json["target_group"]) == (201, reference)


@pytest.mark.parametrize(("kind", "status"), [("AMB", 422), ("IMP", 201)])
def test_a_hospital_case_has_its_inpatient_stay(office, api, kind, status):
    """T-03"""
    client = office.client()
    stay = {"status": "in_progress", "encounter_class": {"system": ACT, "code": kind}, "period": {"start": "2026-02-27"}}
    api.create("encounters", {"client": client, **stay})
    answer = opened(office, api, client=client, case_type="hospital")
    assert answer.status_code == status, answer.text
    assert status == 201 or problem(answer, 422)["rule"] == "case_type_ineligible"
