"""Numbers, quantities, composites and modifiers: what a value finds."""

from decimal import Decimal

import pytest

from adapter.store import search
from adapter.store.search_parameters import parameters, table
from adapter.store.values import soundex

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"


def observation(code, value=None, unit="kg", **more):
    quantity = {"valueQuantity": {"value": Decimal(value), "unit": f"{unit} (text)", "system": UCUM, "code": unit}} if value else {}
    coding = {"system": LOINC, "code": code, "display": f"Kanarifugl {code}"}
    return {"status": "final", "code": {"coding": [coding]}, **quantity, **more}


@pytest.fixture
def weights(save):
    save(
        "Observation",
        light=observation("w", "5.0"),
        exact=observation("w", "5.40"),
        heavy=observation("w", "6"),
        grams=observation("w", "5.4", "g"),
        other=observation("h", "5.4"),
        parts=observation("bp", component=[observation("sys", "120", "mm"), observation("dia", "80", "mm")]),
        none=observation("w"),
    )


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("value-quantity", "5.4", ["exact", "grams", "other"]),
        ("value-quantity", "5", ["light", "exact", "grams", "other"]),
        ("value-quantity", "5.40", ["exact", "grams", "other"]),
        ("value-quantity", "5.3", []),
        ("value-quantity", f"5.4|{UCUM}|kg", ["exact", "other"]),
        ("value-quantity", "5.4||kg", ["exact", "other"]),
        ("value-quantity", "5.4||g (text)", ["grams"]),
        ("value-quantity", "5.4|http://x.example|kg", []),
        ("value-quantity", "gt5.4", ["heavy"]),
        ("value-quantity", "ge5.4||kg", ["exact", "heavy", "other"]),
        ("value-quantity", "lt5.4", ["light"]),
        ("value-quantity", "le5.4||kg", ["light", "exact", "other"]),
        ("value-quantity", "sa5.4", ["heavy"]),
        ("value-quantity", "eb5.4", ["light"]),
        ("value-quantity", "ne5.4||kg", ["light", "heavy"]),
        ("value-quantity", "ap5.5", ["light", "exact", "heavy", "grams", "other"]),
        ("value-quantity", "5.0,6", ["light", "heavy"]),
        ("value-quantity", "6e0", ["heavy"]),
        ("value-quantity:missing", "true", ["parts", "none"]),
        ("combo-value-quantity", "gt100", ["parts"]),
        ("code-value-quantity", f"{LOINC}|w$gt5.2", ["exact", "heavy", "grams"]),
        ("code-value-quantity", "w$5.4||kg,h$5.4", ["exact", "other"]),
        ("code-value-quantity", "h$6", []),
        ("component-code-value-quantity", "sys$gt100", ["parts"]),
        ("component-code-value-quantity", "dia$gt100", []),
        ("combo-code-value-quantity", "dia$80", ["parts"]),
        ("combo-code-value-quantity", "w$6", ["heavy"]),
        ("code:text", "kanarifugl h", ["other"]),
        ("code:text", "h", []),
        ("code:not", f"{LOINC}|w", ["other", "parts"]),
    ],
)
def test_a_measured_value_is_found_as_r4_says(weights, find, name, value, ids):
    assert find("Observation", (name, value)) == ids


def test_a_composite_looks_at_one_component_at_a_time(weights, find):
    assert find("Observation", ("combo-code-value-quantity", "sys$80")) == []
    assert find("Observation", ("component-code", "sys"), ("component-value-quantity", "80")) == ["parts"]


def test_ranges_and_probabilities_are_compared_as_ranges(save, find):
    save("RiskAssessment", low={"prediction": [{"probabilityDecimal": Decimal("0.1")}]}, high={"prediction": [{"probabilityDecimal": 1}]})
    assert find("RiskAssessment", ("probability", "gt0.5")) == ["high"]
    assert find("RiskAssessment", ("probability", "0.10")) == ["low"]
    save("Condition", young={"onsetRange": {"low": {"value": 20}, "high": {"value": 30}}}, any={"onsetRange": {"low": {"value": 5}}})
    assert find("Condition", ("onset-age", "gt29")) == ["young", "any"]
    assert find("Condition", ("onset-age", "eb31")) == ["young"]
    assert find("Condition", ("onset-age", "sa5")) == ["young"]


def test_an_identifier_in_a_reference_is_found_by_identifier(save, find):
    subject = {"identifier": {"system": "urn:a", "value": "7"}, "display": "Kanarifugl"}
    save("Observation", logical=observation("w", subject=subject), literal=observation("w", subject={"reference": "Patient/7"}))
    assert find("Observation", ("subject:identifier", "urn:a|7")) == ["logical"]
    assert find("Observation", ("subject:identifier", "7")) == ["logical"]
    assert find("Observation", ("subject", "7")) == ["literal"]


def test_uris_are_found_above_and_below(save, find):
    base = "http://x.example/fhir"
    save("ValueSet", root={"url": base}, one={"url": f"{base}/ValueSet/one"}, near={"url": f"{base}ical"})
    assert find("ValueSet", ("url:below", f"{base}/")) == ["one"]
    assert find("ValueSet", ("url:below", base)) == ["root", "one", "near"]
    assert find("ValueSet", ("url:above", f"{base}/ValueSet/one/two")) == ["root", "one"]
    assert find("ValueSet", ("url", f"{base}/ValueSet")) == []


def test_a_reference_in_a_composite_and_a_value_in_an_extension_are_found(save, find):
    relates = [{"code": "replaces", "target": {"reference": "DocumentReference/old"}}]
    save("DocumentReference", new={"status": "current", "relatesTo": relates})
    assert find("DocumentReference", ("relationship", "replaces$DocumentReference/old")) == ["new"]
    assert find("DocumentReference", ("relationship", "appends$DocumentReference/old")) == []
    maiden = "http://hl7.org/fhir/StructureDefinition/patient-extensions-Patient-mothersMaidenName"
    save("Patient", p={"extension": [{"url": "urn:x", "valueString": "x"}, {"url": maiden, "valueString": "Kanarifugl"}]})
    assert find("Patient", ("mothersMaidenName", "kanari")) == ["p"]
    assert find("Patient", ("mothersMaidenName", "x")) == []
    subject = {"linkId": "1", "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject"}]}
    answer = [{"valueReference": {"reference": "Patient/p"}}]
    save("QuestionnaireResponse", r={"item": [{**subject, "answer": answer}]}, s={"item": [{"linkId": "1", "answer": answer}]})
    assert find("QuestionnaireResponse", ("item-subject", "Patient/p")) == ["r"]


@pytest.mark.parametrize(
    ("word", "code"),
    [("Robert", "r163"), ("Rupert", "r163"), ("Tymczak", "t522"), ("Pfister", "p236"), ("Ashcraft", "a261"), ("Lee", "l000")],
)
def test_soundex_is_the_national_archives(word, code):
    assert soundex(word) == code


def test_a_name_is_found_by_its_sound(save, find):
    save("Patient", a={"name": [{"family": "Kanarifugl"}]}, b={"name": [{"family": "Canary"}]})
    assert find("Patient", ("phonetic", "Kanaryfukl")) == ["a"]


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        # On 2025-04-22 a tenth of the gap to 2015-04-24 is a year and a day.
        ("date", "ap2015-04-24", ["near", "day", "late"]),
        ("date", "ap2015-04-24T10:00:00Z", ["near", "day", "late"]),
        ("date", "ap2025-04-22", ["today", "open"]),
        ("date", "ap2045-04-17", ["future", "open"]),
        ("date", "ap2025", ["today", "open"]),
        ("_lastUpdated", "ap2025-04", ["near", "far", "day", "late", "today", "future", "open"]),
        ("_lastUpdated", "ap2020-04", []),
    ],
)
def test_about_a_date_is_within_a_tenth_of_the_gap_to_now(save, repository, name, value, ids):
    days = {
        "near": "2014-05-01",
        "far": "2014-04-20",
        "day": "2015-04-24",
        "late": "2016-04-20",
        "today": "2025-04-22",
        "future": "2044-01-01",
    }
    flags = {id: {"period": {"start": day, "end": day}} for id, day in days.items()}
    save("Flag", **flags, open={"period": {"start": "2025-01-01"}})
    query = search.parse("Flag", [(name, value)], clock=repository.clock)
    assert [row.id for row in search.run(repository.database, query).rows] == ids


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("status", "http://hl7.org/fhir/request-status|active", ["a"]),
        ("status", "http://hl7.org/fhir/request-status|active,http://hl7.org/fhir/request-status|revoked", ["a", "b"]),
        ("status", "http://hl7.org/fhir/event-status|active", []),
        ("status", "|active", ["a"]),
        ("status:not", "http://hl7.org/fhir/request-status|active", ["b"]),
        ("status:in", "urn:set", ["b"]),
        ("status:not-in", "urn:set", ["a"]),
        ("category", "http://hl7.org/fhir/request-status|active", []),
    ],
)
def test_a_code_is_of_the_system_that_r4_implies(save, find, name, value, ids):
    save(
        "ValueSet",
        v={"url": "urn:set", "compose": {"include": [{"system": "http://hl7.org/fhir/request-status", "concept": [{"code": "revoked"}]}]}},
    )
    save("CarePlan", a={"status": "active", "category": [{"coding": [{"code": "active"}]}]}, b={"status": "revoked"})
    assert find("CarePlan", (name, value)) == ids


def test_only_tokens_have_an_implied_system():
    rows = [row for rows in table().values() for row in rows.values()]
    assert {row.kind for row in rows if row.system} == {"token"}
    assert parameters("Patient")["gender"].system == "http://hl7.org/fhir/administrative-gender"
    assert not parameters("Condition")["clinical-status"].system
