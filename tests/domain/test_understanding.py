"""P-01 … P-10: screening, assessment, risk and planning."""

import pytest

from tests.server.api.conftest import problem


@pytest.fixture(scope="module")
def planning(office):
    """A case whose plan is to be made; `office.work` brings it back to a whole one."""
    return office.case("planning")


def bare(record, **fields):
    """What somebody would write to make another record like this one."""
    whole = {name: value for name, value in (record | fields).items() if name not in ("id", "meta")}
    return {name: value for name, value in whole.items() if value is not None}


def test_a_screening_covers_four_domains_and_names_the_records_that_were_read(office, api, fhir):
    """P-01"""
    case = office.case("screening")
    assert office.missing(case, "TR-02")
    made = office.work(case)["screening"]
    assert office.missing(case, "TR-02") == []
    raw = fhir.send("GET", f"QuestionnaireResponse/{made['id']}").json
    assert (raw["status"], raw["subject"]["reference"]) == ("completed", case["client"])
    review, domains, *_ = ({item["linkId"]: item for item in group["item"]} for group in raw["item"] if "item" in group)
    assert review["record-review/sources"]["answer"][0]["valueCoding"]["code"] == "medical-records"
    assert domains.keys() == {f"domain/{name}" for name in ("medical", "financial", "living", "social")}
    for name in ("medical", "financial", "living", "social"):
        domains = {key: value for key, value in made["domains"].items() if key != name}
        problem(api.send("POST", "screenings", bare(made, domains=domains)), 400)
    problem(api.send("POST", "screenings", bare(made, record_review=None)), 400)


def test_who_is_not_eligible_gets_no_plan_and_the_reason_is_kept(office, api, fhir):
    """P-02"""
    case = office.case("screening")
    made = office.work(case, disposition="not_eligible")["screening"]
    assert problem(api.send("POST", "screenings", bare(made, disposition_reason=None)), 422)["rule"] == "reason_missing"
    told = problem(api.send("POST", f"cases/{case['id']}/transitions", {"transition": "TR-03"}), 422)
    assert told["rule"] == "reason_missing"
    after = office.transit(case, "TR-03", reason="Kanarifugl lives elsewhere")
    assert (after["step"], after["close_reason"]) == ("not_eligible", "not_eligible")
    assert after["status_history"][-1]["reason"] == "Kanarifugl lives elsewhere"
    assert api.get(f"screenings/{made['id']}")["disposition_reason"] == made["disposition_reason"]
    assert fhir.send("GET", f"EpisodeOfCare/{case['id']}").json["status"] == "cancelled"
    assert fhir.ids(f"CarePlan?patient={case['client']}") == set()


def test_who_is_to_be_looked_at_again_stays_in_screening_with_a_date(office, api):
    """P-02"""
    case = office.case("screening")
    made = office.work(case, disposition="monitor")["screening"]
    assert office.missing(case, "TR-02")
    after = office.transit(case, "TR-04")
    assert (after["step"], made["rescreen_on"]) == ("screening", "2099-01-01")


@pytest.fixture(scope="module")
def assessed(office):
    """The records that a case in assessment needs to go on."""
    return office.work(office.case("assessment"))


def test_an_assessment_is_not_complete_before_the_client_was_met(office, api, assessed):
    """P-03"""
    planned = bare(assessed["encounter"], status="planned", period=None)
    stranger = bare(assessed["encounter"], client=office.client(), case=None)
    for meeting in (planned, stranger):
        held = api.create("encounters", meeting)["meta"]["reference"]
        told = problem(api.send("POST", "assessments", bare(assessed["assessment"], meetings=[held])), 422)
        assert told["rule"] == "meeting_missing"
    assert api.create("assessments", bare(assessed["assessment"]))["status"] == "completed"


@pytest.mark.parametrize(
    ("section", "known"),
    [
        ("insurance", {"coverages": ["Coverage/one"]}),
        ("support_systems", {"persons": ["RelatedPerson/jon"]}),
        ("treatment_history", {"items": [{"treatment": {"text": "Kanarifugl rested"}, "response": "good"}]}),
    ],
)
def test_an_assessment_has_each_section_or_says_why_it_is_not_known(api, assessed, section, known):
    """P-04"""
    problem(api.send("POST", "assessments", bare(assessed["assessment"], **{section: None})), 400)
    assert api.create("assessments", bare(assessed["assessment"], **{section: known}))[section] == known
    unknown = {"not_available_reason": "Kanarifugl does not remember"}
    assert api.create("assessments", bare(assessed["assessment"], **{section: unknown}))[section] == unknown


def test_a_section_that_says_nothing_does_not_complete_an_assessment(api, assessed):
    """P-04"""
    told = problem(api.send("POST", "assessments", bare(assessed["assessment"], support_systems={"notes": "Kanarifugl"})), 422)
    assert told["rule"] == "step_incomplete"
    assert "support_systems" in told["detail"]


def test_of_two_equally_severe_cases_the_one_that_can_change_more_comes_first(office, api):
    """P-06"""
    who = office.manager()
    order = []
    for potential, score in ((0, 4), (2, 12), (2, 12)):
        case = office.case("risk_evaluation", case_manager=who)
        risk = office.work(case)["risk_evaluation"]
        change = {"value": potential, "rationale": "Kanarifugl"}
        office.amend("risk_evaluation", risk, severity=4, potential_for_change=change, priority_score=score)
        order.append(office.transit(case, "TR-06")["meta"]["reference"])
    hopeless, first, second = order
    rows = api.get(f"case-managers/{who.partition('/')[2]}/caseload")["items"]
    assert [row["case"] for row in rows] == [first, second, hopeless]
    assert [row["priority_score"] for row in rows] == [12, 12, 4]


def refused(api, case, **body):
    """The rule and text by which the case's plan is not put into force."""
    told = problem(api.send("POST", f"cases/{case['id']}/transitions", {"transition": "TR-08", **body}), 422)
    return told["rule"], told["detail"]


@pytest.mark.parametrize(
    ("of", "without", "word"),
    [
        ("plan", lambda plan: {"goals": plan["goals"][1:]}, "health objective"),
        ("plan", lambda plan: {"goals": plan["goals"][:1]}, "self care"),
        ("plan", lambda plan: {"services": None}, "service"),
        ("planned_service", lambda service: {"timing": None}, "timing"),
        ("plan", lambda plan: {"no_resource_applicable": None}, "resource"),
    ],
)
def test_a_plan_without_one_of_its_five_parts_is_not_put_into_force(office, api, planning, of, without, word):
    """P-07"""
    record = office.work(planning)[of]
    office.amend(of, record, **without(record))
    rule, text = refused(api, planning)
    assert rule == "plan_incomplete"
    assert word in text


def test_all_parts_that_a_plan_lacks_are_told_at_once(office, api, planning):
    """P-07"""
    made = office.work(planning)
    office.amend("planned_service", made["planned_service"], timing=None)
    office.amend("plan", made["plan"], goals=made["plan"]["goals"][1:], no_resource_applicable=None)
    rule, text = refused(api, planning)
    assert rule == "plan_incomplete"
    assert all(word in text for word in ("health objective", "timing", "resource"))
    assert "self care" not in text


def test_a_plan_rests_on_a_goal_of_the_client_and_on_their_social_situation(office, api, planning):
    """P-08"""
    made = office.work(planning)
    for reference in made["plan"]["goals"]:
        office.amend("goal", api.get(f"goals/{reference.partition('/')[2]}"), expressed_by="Practitioner/dana")
    assert refused(api, planning)[0] == "plan_balance"
    made = office.work(planning)
    office.amend("plan", made["plan"], social_situation={"summary": "Kanarifugl"})
    assert refused(api, planning)[0] == "plan_balance"
    need = api.create("conditions", {"client": planning["client"], "code": {"text": "Kanarifugl is hungry"}, "clinical_status": "active"})
    plan = api.get(f"plans/{made['plan']['id']}")
    office.amend("plan", plan, social_situation={"summary": "Kanarifugl", "sdoh_needs": [need["meta"]["reference"]]})
    assert office.missing(planning, "TR-08") == []


def test_a_service_that_is_not_necessary_is_in_a_plan_only_where_the_client_pays(office, api, planning):
    """P-09"""
    service = office.work(planning)["planned_service"]
    path = f"planned-services/{service['id']}/necessity"
    word = {"determination": "not_necessary", "rationale": "Kanarifugl walks well"}
    decided = api.send("POST", path, word).json["medical_necessity"]
    assert (decided["decided_by"], decided["determination"]) == ("Practitioner/dana", "not_necessary")
    assert decided["decided_at"]
    assert refused(api, planning)[0] == "service_unjustified"
    assert api.send("POST", path, word | {"self_funded": True}).status_code == 200
    assert office.missing(planning, "TR-08") == []
