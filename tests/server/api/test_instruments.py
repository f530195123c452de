"""Instruments by the case API: forms, scores, what a screening shows, what imported records answer."""

import pytest

from adapter.care.instrument import names
from adapter.care.questionnaire import canonical
from tests.server.fhir import Fhir

from .conftest import DANA, case, problem


def test_every_instrument_has_a_form(api):
    listed = api.get("instruments")["items"]
    assert {row["id"] for row in listed} == set(names())
    for row in listed:
        form = api.get(f"instruments/{row['id']}")
        assert f"{form['url']}|{form['version']}" == row["instrument"]
    problem(api.send("GET", "instruments/kanarifugl"), 404)


FINDINGS = frozenset({("screening", "findings"), ("screening", "decide")})


def phq(*codes):
    items = ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8")
    answers = ("LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9")
    return [{"link_id": item, "values": [{"code": {"code": answers[code]}}]} for item, code in zip(items, codes, strict=False)]


def test_answers_are_scored_as_they_stand_and_not_kept(api):
    """V-07"""
    name = next(row["instrument"] for row in api.get("instruments")["items"] if row["id"] == "phq9")
    half = api.send("POST", "screenings/preview", {"instrument": name, "answers": phq(1, 2)}).json
    assert (half["complete"], len(half["missing"]), "value" in half) == (False, 7, False)
    whole = api.send("POST", "screenings/preview", {"instrument": name, "answers": phq(1, 0, 0, 0, 0, 0, 0, 0, 1)}).json
    assert (whole["value"], whole["band"], whole["flags"]) == (2, "minimal", ["suicide_item"])
    assert api.get("screenings")["items"] == []
    wrong = [{"link_id": "44250-9", "values": [{"code": {"code": "Kanarifugl"}}]}]
    problem(api.send("POST", "screenings/preview", {"instrument": name, "answers": wrong}), 400)
    problem(api.send("POST", "screenings/preview", {"instrument": "kanarifugl"}), 400)


def screening(case, food):
    """A finished screening by the AHC tool, with this answer to whether the food lasted."""
    best = {"71802-3": "LA31993-1", "96778-6": "LA9-3", "88122-7": "LA28398-8", "88123-5": food, "93030-5": "LA32-8", "96779-4": "LA32-8"}
    hits = dict.fromkeys(("95618-5", "95617-7", "95616-9", "95615-1"), "LA6270-8")
    answers = [
        {"link_id": item, "values": [{"code": {"system": "http://loinc.org", "code": code}}]} for item, code in (best | hits).items()
    ]
    reviewed = {"sources": ["medical_records"], "reviewed_at": "2025-04-15", "summary": "Kanarifugl"}
    domains = {name: {"status": "reviewed"} for name in ("medical", "financial", "living", "social")}
    about = {"client": "Patient/alma", "case": case, "instrument": f"{canonical('ahc_hrsn')}|1.0.0", "status": "completed"}
    step = {"record_review": reviewed, "domains": domains, "disposition": "proceed", "completed_at": "2025-04-15T15:00:00-04:00"}
    return {**about, **step, "completed_by": DANA, "answers": answers}


@pytest.fixture
def of_case(api, alma):
    return api.create("cases", case())["meta"]["reference"]


def test_what_a_screening_shows_is_a_condition_once_a_person_says_so(api, of_case):
    """C-19"""
    made = api.create("screenings", screening(of_case, "LA6729-3"))
    assert [need["domain"] for need in made["positive_needs"]] == ["food"]
    [found] = api.get(f"screenings/{made['id']}/findings")["items"]
    assert found["domain"] == "food"
    kept = api.create(f"screenings/{made['id']}/findings/{found['id']}", {"holds": True})
    assert (kept["id"], kept["verification_status"]) == (found["id"], "confirmed")
    assert api.get(f"screenings/{made['id']}/findings")["items"] == []
    again = problem(api.send("POST", f"screenings/{made['id']}/findings/{found['id']}", {"holds": False}), 422)
    assert again["rule"] == "not_proposed"
    problem(api.send("POST", f"screenings/{made['id']}/findings/none", {"holds": True}), 404)


def test_a_screening_that_shows_nothing_has_no_findings(api, of_case):
    """C-19"""
    made = api.create("screenings", screening(of_case, "LA28398-8"))
    assert "positive_needs" not in made
    assert api.get(f"screenings/{made['id']}/findings")["items"] == []


def test_imported_records_propose_answers_with_their_evidence(api, alma, client):
    code = {"system": "http://snomed.info/sct", "code": "22298006", "display": "Myocardial infarction"}
    active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
    raw = {"resourceType": "Condition", "id": "mi", "subject": {"reference": alma}, "clinicalStatus": active, "code": {"coding": [code]}}
    assert Fhir(client).put(raw).status_code == 201
    told = api.get("clients/alma/proposal?instrument=charlson")
    [item] = [each for each in told["items"] if each["evidence"]]
    assert (item["values"], item["evidence"]) == ([{"code": {"code": "myocardial_infarction"}}], ["Condition/mi"])
    ages = [each["values"] for each in told["items"] if not each["evidence"]]
    assert all(len(value) == 1 for values in ages for value in values)
    problem(api.send("GET", "clients/alma/proposal?instrument=lace"), 404)
    problem(api.send("GET", "clients/alma/proposal?instrument=phq9"), 400)
