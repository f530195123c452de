"""What is sensitive is known by codes, instruments and labels; the data say where each value set is from."""

import json
from importlib import resources

import pytest

from adapter.access.sensitive import categories, labels, of_label
from adapter.care.data import names
from adapter.care.questionnaire import canonical

ICD, LOINC, SNOMED = "http://hl7.org/fhir/sid/icd-10-cm", "http://loinc.org", "http://snomed.info/sct"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def coded(system, code):
    return {"resourceType": "Condition", "code": {"coding": [{"system": system, "code": code}]}}


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (ICD, "F32.1", {"mental-health"}),
        (ICD, "F10.20", {"substance-use"}),
        (ICD, "T74.11XA", {"domestic-violence"}),
        (ICD, "Z21", {"hiv"}),
        (ICD, "O98.711", {"hiv", "reproductive-health"}),
        (ICD, "A54.00", {"sexually-transmitted-infection"}),
        (ICD, "D57.1", {"genetic"}),
        (ICD, "I10", set()),
        (ICD, "F17.210", set()),
        (LOINC, "44261-6", {"mental-health"}),
        (SNOMED, "706893006", {"domestic-violence"}),
        ("urn:own", "F32.1", set()),
    ],
)
def test_a_code_belongs_to_its_categories(system, code, expected):
    assert labels(coded(system, code)) == expected
    assert labels({"resourceType": "CarePlan", "contained": [coded(system, code)]}) == expected


def test_a_security_label_counts_and_one_that_is_not_known_restricts():
    def labelled(system, code):
        return labels({"resourceType": "CarePlan", "meta": {"security": [{"system": system, "code": code}]}})

    assert labelled(ACT, "ETH") == {"substance-use"}
    assert labelled(ACT, "CEL") == {"restricted"}
    assert labelled("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "R") == {"restricted"}
    assert labelled("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "N") == set()
    assert labels({"resourceType": "Composition", "confidentiality": "V"}) == {"restricted"}
    assert of_label({"system": ACT, "code": "CEL"}) == set()


def test_the_answers_to_an_instrument_are_as_sensitive_as_what_it_asks():
    def answered(url):
        return labels({"resourceType": "QuestionnaireResponse", "questionnaire": url})

    assert answered(f"{canonical('phq9')}|1") == {"mental-health"}
    assert answered(canonical("audit_c").replace("/audit-c", "/screening-audit-c")) == {"substance-use"}
    assert answered(canonical("katz")) == set()


def test_the_data_name_their_sources_and_only_instruments_that_there_are():
    data = json.loads(resources.files("adapter.access").joinpath("sensitive.json").read_text("utf-8"))
    assert all(source["what"] and source["source"] and source["licence"] for source in data["sources"])
    known = {canonical(name).rpartition("/")[2] for name in names("instruments")}
    assert {id for row in data["categories"] for id in row.get("questionnaires", ())} <= known
    assert categories().keys() == {row["id"] for row in data["categories"]}
    kinds = {"id", "title", "labels", "confidentiality", "icd10", "loinc", "snomed", "questionnaires"}
    assert all(row.keys() <= kinds for row in data["categories"])
