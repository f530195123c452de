"""P-21 … P-33: outcomes, transitions, advocacy, and what is watched over all the time."""

import pytest

from tests.server.api.conftest import BOSS, DANA, problem

from .conftest import LICENCE


def test_a_case_closes_with_every_part_of_its_outcome_and_not_before(office, api):
    """P-21"""
    case = office.case("outcome_evaluation")
    for part in ("well_being", "finances", "care_appropriateness"):
        office.amend("outcome", office.work(case)["outcome"], **{part: None})
        told = problem(api.send("POST", f"cases/{case['id']}/transitions", {"transition": "TR-17"}), 422)
        assert told["rule"] == "outcome_incomplete"
        assert part in told["detail"]
    office.work(case)
    assert office.transit(case, "TR-17")["step"] == "closed"


def test_what_the_record_tells_of_the_outcome_need_not_be_written_by_hand(office, api, fhir, time):
    """P-21, O-01, V-14"""
    case = office.case()
    stay = {"status": "finished", "encounter_class": {"code": "IMP"}}
    office.new("encounter", **office.of(case), **stay, period={"start": f"{time.now.date()}", "end": f"{time.now.date()}"})
    while case["step"] != "outcome_evaluation":
        case = office.move(case)
    office.amend("outcome", office.work(case)["outcome"], readmission=None)
    time.pass_(days=31)
    assert [text for text in office.missing(case, "TR-17") if "outcome" in text] == []
    assert office.transit(case, "TR-17")["step"] == "closed"
    [outcome] = api.get(f"outcomes?case={case['meta']['reference']}")["items"]
    assert (outcome["readmission"]["within_30_days"], outcome["length_of_stay_days"], "plan_adherence" in outcome) == ("no", 0, False)
    raw = fhir.send("GET", outcome["meta"]["reference"]).json
    assert {"readmission", "length-of-stay-days"} <= {item["linkId"] for item in raw["item"]}
    assert raw["author"]["reference"] == DANA


def test_a_full_outcome_is_a_case_manager_s_own_review(office, api):
    """P-21, M-02"""
    models = [{"model": "clinical", "primary": True, "assigned_by": office.organization("hospital")}]
    case = office.case("outcome_evaluation", models=models)
    office.amend("outcome", office.work(case)["outcome"], reviewed_by=None)
    assert [text for text in office.missing(case, "TR-17") if "own review" in text]
    office.work(case)
    assert office.transit(case, "TR-17")["step"] == "closed"


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
    found = office.tasks(case).get("readmission")
    assert (found is not None) == within
    assert found is None or found["focus"] == f"Encounter/{again['id']}"


def taught(office):
    """A case whose client had the three lessons that a discharge needs."""
    case = office.case()
    for topic in ("lifestyle", "medication_administration", "when_to_return"):
        office.new("education", **office.of(case), status="completed", topic=topic)
    return case


@pytest.mark.parametrize("item", ["transport", "medication_reconciliation"])
def test_a_discharge_is_not_ready_while_something_is_open(office, api, item):
    """P-23"""
    plan = office.departure(taught(office))
    made = api.create("transition-plans", plan | {"readiness": plan["readiness"] | {item: {"status": "open"}}})
    told = problem(api.put(f"transition-plans/{made['id']}", {**made, "status": "completed"}), 422)
    assert told["rule"] == "readiness_open"
    assert office.amend("transition_plan", made, readiness=plan["readiness"], status="completed")["status"] == "completed"


def test_a_discharge_that_is_late_is_told_and_needs_its_reason(office, api, time):
    """P-23"""
    case = taught(office)
    made = api.create("transition-plans", office.departure(case, target_date=f"{time.now.date()}"))
    assert "discharge_delayed" not in [alert["code"] for alert in api.get(f"cases/{case['id']}/alerts")["items"]]
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
    plan = api.create("transition-plans", office.departure(case, receiver=home))
    asked = {**office.of(case), "status": "requested", "intent": "order", "priority": "urgent", "owner": home, "due": f"{time.now.date()}"}
    handed = api.create("tasks", asked | {"focus": plan["meta"]["reference"]})
    if taken:
        office.amend("task", handed, status="accepted")
    watch()
    time.pass_(days=7)
    watch()
    found = office.tasks(case).get("task-escalated")
    assert (found is None) == taken
    assert found is None or (found["focus"], found["owner"]) == (handed["meta"]["reference"], BOSS)


def test_a_denied_authorisation_is_appealed_and_its_result_is_kept(office, api, fhir, time, watch):
    """P-25"""
    case = office.case()
    insurer = office.organization("insurer")
    denial = {**office.of(case), "insurer": insurer, "request": "preauthorisation", "status": "denied", "denial_reason": "Kanarifugl"}
    denied = api.create("authorisations", denial | {"decided_at": f"{time.now.date()}"})
    watch()
    assert office.tasks(case)["authorisation-denied"]["focus"] == denied["meta"]["reference"]
    agreed = {"client": case["client"], "status": "active", "scope": "sharing_payer", "decision": "permit", "actor": insurer}
    api.create("consents", agreed | {"performers": [case["client"]]})
    word = {**office.of(case), "kind": "advocacy", "issue": "Kanarifugl needs therapy", "addressed_to": [insurer], "status": "in_progress"}
    appeal = api.create("advocacy", word | {"about": [denied["meta"]["reference"]], "action": "Kanarifugl's appeal"})
    office.amend("advocacy", appeal, status="completed", result="Kanarifugl's therapy is paid")
    raw = fhir.send("GET", f"Communication/{appeal['id']}").json
    assert raw["about"] == [{"reference": denied["meta"]["reference"]}]
    assert "Kanarifugl's therapy is paid" in [each.get("valueString") for each in raw["extension"]]
    assert fhir.send("GET", denied["meta"]["reference"]).json["resourceType"] == "ClaimResponse"


def test_a_client_who_was_not_spoken_to_in_time_is_overdue(office, api, time, watch):
    """P-26"""
    who = office.manager(credentials=[LICENCE])
    models = [{"model": "clinical", "primary": True, "assigned_by": office.organization("hospital")}]
    case = office.case("risk_evaluation", case_manager=who, models=models)
    office.amend("risk_evaluation", office.work(case)["risk_evaluation"], tier="high")
    case = office.transit(case, "TR-06")
    case = office.move(case)
    assert (case["step"], case["tier"]) == ("implementation", "high")
    path = f"worklists/overdue?case_manager={who}"
    time.pass_(days=7)
    assert [row for row in api.get(path)["items"] if row["what"] == "contact"] == []
    assert overdue(api, case) == []
    time.pass_(days=1)
    [warning] = overdue(api, case)
    assert "client" in warning
    [row] = [row for row in api.get(path)["items"] if row["what"] == "contact"]
    assert (row["reference"], row["source"], row["overdue_days"]) == (case["meta"]["reference"], "client", 1)
    watch()
    assert office.tasks(case)["contact-overdue"]["owner"] == who


def overdue(api, case):
    """The case's warnings of contacts that are overdue."""
    return [alert["text"] for alert in api.get(f"cases/{case['id']}/alerts")["items"] if alert["code"] == "contact_overdue"]


def test_a_contact_says_of_each_prescription_whether_it_is_taken(office, api, fhir):
    """P-28"""
    case = office.case("follow_up")
    ibuprofen = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "5640", "display": "ibuprofen"}
    order = {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"reference": case["client"]}}
    fhir.create(order | {"medicationCodeableConcept": {"coding": [ibuprofen]}})
    told = problem(api.send("POST", "follow-ups", office.contact(case)), 422)
    assert told["rule"] == "adherence_missing"
    for word in ("taking", "not_assessed"):
        made = api.create("follow-ups", office.contact(case, medication_adherence=[{"medication": ibuprofen, "value": word}]))
        assert made["medication_adherence"][0]["value"] == word


def test_a_plan_for_somebody_in_want_has_a_financial_goal_or_a_reason(office, api):
    """P-30"""
    case = office.case("risk_evaluation")
    risk = office.work(case)["risk_evaluation"]
    office.amend("risk_evaluation", risk, factors=[each | {"level": "moderate"} for each in risk["factors"]])
    case = office.transit(case, "TR-06")
    plan = office.work(case)["plan"]
    way = {"transition": "TR-08"}
    told = problem(api.send("POST", f"cases/{case['id']}/transitions", way), 422)
    assert told["rule"] == "plan_incomplete"
    assert "financial goal" in told["detail"]
    saving = {
        **office.of(case),
        "lifecycle": "active",
        "kind": "financial",
        "description": "Kanarifugl saves",
        "expressed_by": case["client"],
    }
    goal = api.create("goals", saving)["meta"]["reference"]
    plan = office.amend("plan", plan, goals=[*plan["goals"], goal])
    assert office.missing(case, "TR-08") == []
    office.amend("plan", plan, goals=plan["goals"][:-1])
    reasoned = api.send("POST", f"cases/{case['id']}/transitions", way | {"reason": "Kanarifugl's sister pays"})
    assert (reasoned.status_code, reasoned.json["step"]) == (200, "implementation")


def test_a_twenty_first_case_needs_a_supervisor_and_a_reason(office, api, fhir):
    """P-27"""
    who = office.manager()
    held = [office.case(case_manager=who) for _ in range(20)]
    more = {name: value for name, value in held[0].items() if name in ("case_type", "models", "case_manager")}
    more |= {"client": office.client(), "case_number": "N-21"}
    told = problem(api.send("POST", "cases", more), 409)
    assert (told["rule"], who in told["allowed"]) == ("caseload_exceeded", False)
    spare = office.case(case_manager=BOSS)
    given = {"case_manager": who, "reason": "Kanarifugl knows her"}
    problem(api.send("POST", f"cases/{spare['id']}/assignment", given), 403)
    assert problem(api.as_(BOSS).send("POST", f"cases/{spare['id']}/assignment", {"case_manager": who}), 409)["rule"] == "caseload_exceeded"
    after = api.as_(BOSS).send("POST", f"cases/{spare['id']}/assignment", given)
    assert (after.status_code, after.json["case_manager"]) == (200, who)
    audited = fhir.send("GET", f"AuditEvent?entity={spare['meta']['reference']}").json["entry"]
    assert [each for each in audited if BOSS in str(each["resource"]["agent"])]


def test_eight_weeks_of_two_sessions_are_sixteen_appointments_that_meet_nothing(office, api):
    """P-33"""
    case = office.case()
    timing = {"start": "2026-04-06", "frequency": 2, "period": 1, "period_unit": "wk", "count": 16}
    therapy = {"status": "not_started", "intent": "order", "kind": "therapy", "description": "Kanarifugl's exercises", "timing": timing}
    service = api.create("planned-services", office.of(case) | therapy)
    taken = {"status": "booked", "client_attendance": "accepted", "start": "2026-04-15T09:30:00Z", "end": "2026-04-15T10:30:00Z"}
    api.create("appointments", office.of(case) | taken)
    asked = {"first": ["2026-04-06T09:00:00Z", "2026-04-08T09:00:00Z"], "minutes": 60}
    booked = api.send("POST", f"planned-services/{service['id']}/sessions", asked)
    assert (booked.status_code, len(booked.json["items"])) == (200, 16)
    spans = sorted((each["start"], each["end"]) for each in api.get(f"appointments?client={case['client']}")["items"])
    assert len(spans) == 17
    assert all(one[1][:19] <= two[0][:19] for one, two in zip(spans, spans[1:], strict=False))


@pytest.fixture(scope="module")
def spoken_for(office):
    """A client who cannot decide alone, with a brother who may decide for them and a neighbour who may not."""
    client = office.client(capacity="impaired")
    person = {"client": client, "names": [{"family": "Kanarifugl", "given": ["Jon"]}], "relationships": [{"text": "close"}]}
    return client, *(office.new("support_person", **person, is_decision_maker=may)["meta"]["reference"] for may in (True, False))


def test_who_cannot_decide_is_spoken_for_by_somebody_who_may(api, fhir, spoken_for):
    """P-32"""
    client, brother, neighbour = spoken_for
    agreed = {"client": client, "status": "active", "scope": "sharing_support", "decision": "permit"}
    for nobody in (client, neighbour, DANA):
        told = problem(api.send("POST", "consents", agreed | {"performers": [nobody]}), 422)
        assert told["rule"] == "consent_invalid"
    kept = api.create("consents", agreed | {"performers": [brother]})
    assert fhir.send("GET", f"Consent/{kept['id']}").json["performer"] == [{"reference": brother}]


def test_in_an_emergency_a_practitioner_s_word_is_enough_to_treat(api, spoken_for):
    """P-32"""
    client, _, _ = spoken_for
    treated = {"client": client, "status": "active", "scope": "treatment", "decision": "permit", "performers": [DANA]}
    assert api.create("consents", treated)["performers"] == [DANA]
