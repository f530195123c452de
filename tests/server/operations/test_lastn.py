"""`Observation/$lastn`: the latest of each code."""

import pytest

from ..fhir import assert_outcome

LOINC = "http://loinc.org"
WEIGHT, OTHER_WEIGHT, HEIGHT = (
    {"system": LOINC, "code": "29463-7"},
    {"system": "https://hospital.example/codes", "code": "w"},
    {"system": LOINC, "code": "8302-2"},
)


@pytest.fixture
def measured(fhir):
    def measure(id, codings, when, subject="Patient/1"):
        raw = {"resourceType": "Observation", "id": id, "status": "final", "subject": {"reference": subject}}
        code = {"coding": codings} if codings else {"text": "Kanarifugl"}
        raw |= {"code": code, "category": [{"coding": [{"code": "vital-signs"}]}], "valueString": "Kanarifugl"}
        assert fhir.put({**raw, **({"effectiveDateTime": when} if when else {})}).status_code == 201

    measure("w1", [WEIGHT], "2025-01-01")
    # Later by the clock than w3, though its text sorts before it.
    measure("w2", [WEIGHT, OTHER_WEIGHT], "2025-03-01T23:30:00-05:00")
    measure("w3", [OTHER_WEIGHT], "2025-03-02T01:00:00Z")
    measure("h1", [HEIGHT], "2024")
    measure("h0", [HEIGHT], None)
    measure("t1", [], "2023-01-01")
    measure("x1", [WEIGHT], "2025-06-01", subject="Patient/2")


def latest(fhir, query):
    bundle = fhir.send("GET", f"Observation/$lastn?{query}").json
    assert bundle["total"] == len(bundle.get("entry", []))
    return [each["resource"]["id"] for each in bundle.get("entry", [])]


@pytest.mark.usefixtures("measured")
class TestLatest:
    def test_one_of_each_code_by_default(self, fhir):
        assert latest(fhir, "patient=Patient/1&category=vital-signs") == ["w2", "h1", "t1"]

    def test_max_of_each_code_latest_first(self, fhir):
        assert latest(fhir, "patient=1&category=vital-signs&max=2") == ["w2", "w3", "h1", "h0", "t1"]

    def test_codes_that_share_a_coding_are_one(self, fhir):
        assert latest(fhir, "subject=Patient/1&code=29463-7,w&max=9") == ["w2", "w3", "w1"]

    def test_it_can_be_asked_by_post(self, fhir):
        body = {"resourceType": "Parameters", "parameter": [{"name": "max", "valuePositiveInt": 3}]}
        answer = fhir.send("POST", "Observation/$lastn?patient=1&code=8302-2", body)
        assert [each["resource"]["id"] for each in answer.json["entry"]] == ["h1", "h0"]

    def test_nothing_is_an_empty_bundle(self, fhir):
        assert latest(fhir, "patient=none&category=vital-signs") == []


@pytest.mark.parametrize(
    "query", ["category=x", "patient=1", "patient=1&code=x&max=0", "patient=1&code=x&_count=5", "patient=1&code=x&nonsense=1"]
)
def test_what_it_cannot_answer_is_refused(fhir, query):
    assert_outcome(fhir.send("GET", f"Observation/$lastn?{query}"), 400, "invalid")
