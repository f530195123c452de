"""C: what case management is held to."""

from tests.server.api.conftest import BOSS, DANA, SAM, problem

from .office import NEXT

URL = "http://terminology.hl7.org/CodeSystem/"
ORDER = {"status": "not_started", "kind": "referral", "description": "Kanarifugl's referral", "setting": "community"}
FORM = "http://loinc.org"
WEEKLY = {"start": "2026-04-06", "frequency": 1, "period": 1, "period_unit": "wk", "count": 1}
HUNGRY = {
    "71802-3": "LA31993-1",
    "96778-6": "LA9-3",
    "88122-7": "LA28398-8",
    "88123-5": "LA6729-3",
    "93030-5": "LA32-8",
    "96779-4": "LA32-8",
}
SAFE = dict.fromkeys(("95618-5", "95617-7", "95616-9", "95615-1"), "LA6270-8")
PROBLEM = {"system": f"{URL}condition-category", "code": "problem-list-item"}


def test_a_referral_names_its_service_and_is_followed_to_its_end(office, api, fhir):
    """C-01"""
    case = office.case()
    offered = office.new("healthcare_service", name="Kanarifugl Therapy", organization=office.organization())["meta"]["reference"]
    assert offered in [row["reference"] for row in api.get("directory?kind=service")["items"]]
    about = office.of(case) | {"intent": "order"}
    order = api.create("planned-services", about | ORDER | {"performers": [offered]})["meta"]["reference"]
    task = api.create("tasks", about | {"status": "requested", "focus": order, "owner": offered})
    seen = []
    for status in ("requested", "accepted", "completed"):
        task = office.amend("task", task, status=status)
        raw = fhir.send("GET", f"Task/{task['id']}").json
        seen.append(raw["status"])
        assert (raw["focus"]["reference"], raw["for"]["reference"]) == (order, case["client"])
    assert seen == ["requested", "accepted", "completed"]
    assert fhir.send("GET", order).json["subject"] == {"reference": case["client"]}


def test_a_new_case_that_walks_all_steps_has_a_history_without_gaps(office, api, fhir):
    """C-02"""
    case = office.case("closed")
    episode = fhir.send("GET", f"EpisodeOfCare/{case['id']}").json
    stretches = [each["period"] for each in episode["statusHistory"]]
    assert all(before["end"] == after["start"] for before, after in zip(stretches, stretches[1:], strict=False))
    assert [stretch["step"] for stretch in case["status_history"]] == [*NEXT, "closed"]
    assert len(stretches) == len(NEXT) + 1
    made = [each["meta"]["activity"] for each in api.get(f"cases/{case['id']}/history")["items"]]
    assert [activity for activity in reversed(made) if activity in NEXT.values()] == [*NEXT.values()]
    assert episode["careManager"] == {"reference": DANA}


def test_each_version_that_two_people_saved_names_who_saved_it(office, api, fhir):
    """C-03"""
    case = office.case()
    for who, setting in ((DANA, "outpatient"), (SAM, "community")):
        case = api.as_(who).put(f"cases/{case['id']}", case | {"setting_type": setting}).json
    versions = {f"EpisodeOfCare/{case['id']}/_history/{number}" for number in (1, 2, 3)}
    bundle = fhir.send("GET", f"Provenance?target=EpisodeOfCare/{case['id']}").json
    agents = {each["target"][0]["reference"]: each["agent"][0]["who"]["reference"] for each in resources(bundle)}
    assert agents.keys() == versions
    assert [agents[version] for version in sorted(versions)] == [DANA, DANA, SAM]


def resources(bundle):
    return [entry["resource"] for entry in bundle.get("entry", [])]


def test_a_service_without_setting_or_time_keeps_its_plan_from_being_put_into_force(office, api):
    """C-04"""
    case = office.case("planning")
    service = office.work(case)["planned_service"]
    for name in ("setting", "timing"):
        bare = office.amend("planned_service", service, **{name: None})
        told = problem(api.send("POST", f"cases/{case['id']}/transitions", {"to": "implementation"}), 422)
        assert (told["rule"], f"its {name}." in told["detail"]) == ("plan_incomplete", True)
        service = office.amend("planned_service", bare, **{name: service[name]})
    assert api.send("POST", f"cases/{case['id']}/transitions", {"to": "implementation"}).json["step"] == "implementation"


def test_chronic_conditions_and_age_mark_a_case_when_it_is_screened(office, api):
    """C-05"""
    client = office.client(birth_date="1940-05-01")
    case = office.case(client=client)
    for code in ("44054006", "38341003"):
        coded = {"system": "http://snomed.info/sct", "code": code}
        api.create("conditions", {"client": client, "clinical_status": "active", "categories": [PROBLEM], "code": coded})
    assert {"multi_chronic", "elderly"} <= set(office.move(case)["eligibility_markers"])
    young = office.move(office.case(client=office.client(birth_date="1990-05-01")))
    assert not {"multi_chronic", "elderly"} & set(young.get("eligibility_markers", []))


def test_each_version_of_a_plan_that_changes_stays_readable(office, api, fhir):
    """C-07"""
    case = office.case("implementation")
    [plan] = api.get(f"plans?case={case['meta']['reference']}")["items"]
    titles = [plan.get("title")]
    for title in ("One", "Two", "Three"):
        plan = office.amend("plan", plan, title=title)
        titles.append(title)
    versions = range(plan["meta"]["version"] - 3, plan["meta"]["version"] + 1)
    read = [fhir.send("GET", f"CarePlan/{plan['id']}/_history/{version}").json for version in versions]
    assert [(raw.get("title"), raw["meta"]["versionId"]) for raw in read] == [*zip(titles, map(str, versions), strict=True)]


def test_a_plan_without_a_goal_of_the_client_s_is_not_put_into_force(office, api):
    """C-08"""
    case = office.case("planning")
    made = office.work(case)
    goals = [api.get(f"goals/{reference.partition('/')[2]}") for reference in made["plan"]["goals"]]
    for goal in goals:
        office.amend("goal", goal, expressed_by=DANA)
    assert problem(api.send("POST", f"cases/{case['id']}/transitions", {"to": "implementation"}), 422)["rule"] == "plan_balance"
    office.amend("goal", api.get(f"goals/{goals[0]['id']}"), expressed_by=case["client"])
    assert api.send("POST", f"cases/{case['id']}/transitions", {"to": "implementation"}).json["step"] == "implementation"


def test_the_former_case_manager_s_time_ends_when_the_new_one_s_begins(office, api, fhir):
    """C-09"""
    case = office.case()
    for who in (SAM, BOSS):
        assert api.send("POST", f"cases/{case['id']}/assignment", {"case_manager": who}).status_code == 200
    episode = fhir.send("GET", f"EpisodeOfCare/{case['id']}").json
    seats = [seat for team in episode["team"] for seat in fhir.send("GET", team["reference"]).json["participant"]]
    seats.sort(key=lambda seat: seat["period"]["start"])
    assert [seat["member"]["reference"] for seat in seats] == [DANA, SAM, BOSS]
    assert [seat["period"].get("end") for seat in seats] == [*(seat["period"]["start"] for seat in seats[1:]), None]
    assert episode["careManager"] == {"reference": BOSS}


def test_coordination_alone_is_not_a_case(office, api, fhir):
    """C-15"""
    client = office.client()
    order = api.create("planned-services", {"client": client, "intent": "order", **ORDER})["meta"]["reference"]
    api.create("tasks", {"client": client, "status": "requested", "intent": "order", "focus": order, "owner": DANA})
    assert api.get(f"cases?client={client}")["items"] == []
    assert fhir.ids(f"EpisodeOfCare?patient={client}") == set()
    assert client not in [row["client"] for row in api.get("case-managers/dana/caseload")["items"]]
    case = office.case(client=client)
    assert fhir.ids(f"EpisodeOfCare?patient={client}") == {case["id"]}


def test_a_target_without_what_is_measured_is_refused_by_either_door(office, api, fhir):
    """C-16"""
    case = office.case()
    goal = {**office.of(case), "lifecycle": "active", "kind": "health_objective", "description": "Kanarifugl walks"}
    target = {"value": {"quantity": {"value": 6, "unit": "min"}}, "due": "2026-06-01"}
    assert problem(api.send("POST", "goals", goal | {"targets": [target]}), 422)["rule"] == "goal_target_invalid"
    made = api.create("goals", goal | {"targets": [target | {"measure": {"text": "minutes walked"}}]})
    raw = fhir.send("GET", f"Goal/{made['id']}").json
    assert raw["target"][0]["measure"] == {"text": "minutes walked"}
    del raw["target"][0]["measure"]
    assert fhir.put(raw, If_Match=f'W/"{made["meta"]["version"]}"').status_code == 422


def test_a_plan_of_many_services_has_an_activity_for_each(office, api, fhir):
    """C-17"""
    case = office.case("planning")
    made = office.work(case)
    providers = [office.organization() for _ in range(4)]
    about = (
        office.of(case)
        | ORDER
        | {"intent": "order", "goals": made["plan"]["goals"][:1], "medical_necessity": {"determination": "necessary"}}
    )
    services = [
        api.create("planned-services", about | {"performers": [who], "timing": {"start": f"2026-04-0{day}"}})["meta"]["reference"]
        for day, who in enumerate([*providers, providers[0]], 1)
    ]
    office.amend("plan", made["plan"], services=services)
    activities = fhir.send("GET", f"CarePlan/{made['plan']['id']}").json["activity"]
    assert [activity["reference"]["reference"] for activity in activities] == services
    assert not any("detail" in activity for activity in activities)
    performers = {each["reference"] for service in services for each in fhir.send("GET", service).json["performer"]}
    assert performers == set(providers)


def test_a_caseload_has_each_open_case_with_step_tier_and_next_date(office, api):
    """C-18"""
    manager = office.manager()
    cases = [office.case(case_manager=manager) for _ in range(12)]
    task = {"status": "requested", "intent": "order", "owner": manager, "due": "2026-03-09"}
    api.create("tasks", office.of(cases[0]) | task)
    rows = api.get(f"case-managers/{manager.partition('/')[2]}/caseload")["items"]
    assert sorted(row["case"] for row in rows) == sorted(case["meta"]["reference"] for case in cases)
    assert {row["step"] for row in rows} == {"referred"}
    assert [row["next_due"] for row in rows if row["case"] == cases[0]["meta"]["reference"]] == ["2026-03-09"]


def test_a_discharge_to_rehabilitation_has_its_code_and_asks_for_a_contact(office, api, fhir, watch, time):
    """C-20"""
    case = office.case("follow_up")
    watch()
    stay = {
        "status": "finished",
        "encounter_class": {"system": f"{URL}v3-ActCode", "code": "IMP"},
        "period": {"start": "2026-02-20", "end": "2026-03-01"},
        "discharge_disposition": {"system": f"{URL}discharge-disposition", "code": "rehab"},
    }
    made = api.create("encounters", office.of(case) | stay)
    raw = fhir.send("GET", f"Encounter/{made['id']}").json
    assert raw["hospitalization"]["dischargeDisposition"]["coding"][0]["code"] == "rehab"
    time.pass_(minutes=1)
    assert watch().tasks >= 1
    due = [task["due"] for task in api.get(f"tasks?case={case['meta']['reference']}")["items"] if task["status"] == "requested"]
    assert any("2026-03-01" <= day[:10] <= "2026-03-15" for day in due)


def test_a_need_for_food_is_an_observation_and_once_confirmed_a_condition_that_names_it(office, api, fhir):
    """C-19, C-27"""
    case = office.case("screening")
    [instrument] = [row["instrument"] for row in api.get("instruments")["items"] if row["id"] == "ahc_hrsn"]
    answers = [{"link_id": item, "values": [{"code": {"system": FORM, "code": code}}]} for item, code in (HUNGRY | SAFE).items()]
    whole = office.work(case)["screening"]
    given = {name: whole[name] for name in ("client", "case", "status", "record_review", "domains", "disposition", "completed_at")}
    screening = api.create("screenings", given | {"instrument": instrument, "answers": answers})
    assert fhir.send("GET", f"QuestionnaireResponse/{screening['id']}").json["questionnaire"].rpartition("|")[2]
    [found] = api.get(f"screenings/{screening['id']}/findings")["items"]
    condition = api.create(f"screenings/{screening['id']}/findings/{found['id']}", {"holds": True})
    raw = fhir.send("GET", f"Condition/{condition['id']}").json
    assert "food-insecurity" in str(raw["category"])
    [evidence] = [each["reference"] for part in raw["evidence"] for each in part["detail"] if each["reference"].startswith("Observation/")]
    observation = fhir.send("GET", evidence).json
    assert observation["subject"]["reference"] == case["client"]
    assert "food-insecurity" in str(observation["category"])


def test_what_the_client_prefers_is_shown_with_who_said_it_and_when(office, api, fhir):
    """C-21"""
    case = office.case("assessment")
    assessment = office.work(case)["assessment"]
    stated = {"kind": "care_experience", "text": "Kanarifugl wants her sister to be there", "source": case["client"]}
    office.amend("assessment", assessment, client_preferences=[stated])
    [shown] = api.get(f"cases/{case['id']}/summary")["preferences"]
    assert shown == stated | {"assessment": assessment["meta"]["reference"], "at": assessment["effective_at"]}
    assert stated["text"] in str(fhir.send("GET", f"ClinicalImpression/{assessment['id']}").json["extension"])


def test_a_service_that_needs_an_authorisation_is_not_booked_without_one_but_for_a_reason(office, api, fhir):
    """C-22"""
    case = office.case("planning")
    made = office.work(case)["planned_service"]
    service = office.amend("planned_service", made, authorisation_required="yes", timing=WEEKLY)
    sessions = {"first": ["2026-04-06T09:00:00-04:00"], "minutes": 60}
    path = f"planned-services/{service['id']}/sessions"
    assert problem(api.send("POST", path, sessions), 409)["rule"] == "authorisation_missing"
    booked = office.of(case) | {"status": "booked", "client_attendance": "accepted", "services": [service["meta"]["reference"]]}
    assert problem(api.send("POST", "appointments", booked), 409)["rule"] == "authorisation_missing"
    [appointment] = api.send("POST", path, sessions | {"reason": "Kanarifugl pays herself"}).json["items"]
    assert appointment["status"] == "booked"
    [why] = resources(fhir.send("GET", f"Provenance?target=Appointment/{appointment['id']}").json)
    assert "Kanarifugl pays herself" in str(why)
    approved = {"request": "preauthorisation", "status": "approved", "number": "A-1", "decided_at": "2026-03-01T09:00:00Z"}
    insurer = office.organization("insurer")
    api.create("authorisations", office.of(case) | approved | {"service": service["meta"]["reference"], "insurer": insurer})
    assert api.create("appointments", booked)["status"] == "booked"
