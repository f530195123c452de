"""`$populate` of Charlson, LACE and HOSPITAL: proposed from imported resources, with their references, in progress and never final."""

import pytest

from adapter.care.questionnaire import canonical
from adapter.fhir.resource import parse

from ..fhir import patient

SNOMED, ICD = "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm"
STAY = {
    "resourceType": "Encounter",
    "id": "stay",
    "status": "finished",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    "priority": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActPriority", "code": "EM"}]},
    "subject": {"reference": "Patient/p1"},
    "period": {"start": "2025-02-03", "end": "2025-02-09"},
}


def condition(id, code, system, person="p1"):
    return {
        "resourceType": "Condition",
        "id": id,
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": {"reference": f"Patient/{person}"},
    }


@pytest.fixture
def imported(fhir):
    fhir.put({**patient("p1"), "id": "p1", "birthDate": "1946-11-30"})
    fhir.put({**patient("p2"), "id": "p2"})
    for raw in (
        condition("stroke", "230690007", SNOMED),
        condition("diabetes", "E11.9", ICD),
        condition("other", "I50.9", ICD, "p2"),
        STAY,
        {**STAY, "id": "visit", "class": {"code": "EMER"}, "period": {"start": "2025-01-10", "end": "2025-01-10"}},
        {
            "resourceType": "Observation",
            "id": "hb",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
            "subject": {"reference": "Patient/p1"},
            "effectiveDateTime": "2025-02-08",
            "valueQuantity": {"value": 12.8, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
        },
        {
            "resourceType": "Procedure",
            "id": "scan",
            "status": "completed",
            "code": {"text": "CT"},
            "subject": {"reference": "Patient/p1"},
            "performedDateTime": "2025-02-04",
        },
    ):
        assert fhir.put(raw).status_code == 201, raw


def populate(fhir, name, person="p1", stay=None):
    items = [{"name": "canonical", "valueUri": canonical(name)}, {"name": "subject", "valueReference": {"reference": f"Patient/{person}"}}]
    if stay:
        content = {"name": "content", "valueReference": {"reference": f"Encounter/{stay}"}}
        items.append({"name": "context", "part": [{"name": "name", "valueString": "encounter"}, content]})
    return fhir.send("POST", "Questionnaire/$populate", {"resourceType": "Parameters", "parameter": items})


def populated(fhir, name, **given):
    answer = populate(fhir, name, **given)
    assert answer.status_code == 200, answer.text
    found = {each["name"]: each["resource"] for each in parse(answer.get_data())["parameter"]}
    values = {item["linkId"]: [next(iter(each.values())) for each in item.get("answer", ())] for item in found["response"]["item"]}
    issues = found.get("issues", {}).get("issue", [])
    evidence = {issue["expression"][0].split("'")[1]: issue["details"]["text"] for issue in issues if issue["severity"] == "information"}
    return found["response"], values, evidence


def codes(values):
    return [value["code"] for value in values]


@pytest.mark.usefixtures("imported")
class TestWhatIsProposed:
    def test_charlson_from_conditions_in_icd_10_and_snomed_ct(self, fhir):
        response, values, evidence = populated(fhir, "charlson")
        assert response["status"] == "in-progress"
        assert codes(values["comorbidity"]) == ["cerebrovascular", "diabetes"]
        assert set(evidence["comorbidity"].split(", ")) == {"Condition/stroke", "Condition/diabetes"}
        assert values["age"][0] >= 78

    def test_lace_from_the_stay_the_conditions_and_earlier_visits(self, fhir):
        _, values, evidence = populated(fhir, "lace")
        assert (values["length_of_stay"], values["acute_admission"], values["emergency_visits"]) == ([6], [True], [1])
        assert evidence["length_of_stay"] == "Encounter/stay"
        assert evidence["emergency_visits"] == "Encounter/visit"

    def test_the_hospital_score_from_labs_and_procedures_and_what_nobody_recorded_stays_open(self, fhir):
        _, values, evidence = populated(fhir, "hospital")
        assert [float(value) for value in values["718-7"]] == [12.8]
        assert evidence["718-7"] == "Observation/hb"
        assert (values["procedure"], evidence["procedure"]) == ([True], "Procedure/scan")
        assert (values["admissions"], evidence["admissions"]) == ([0], "nothing of the kind is recorded")
        assert (values["oncology"], values["2951-2"]) == ([], [])
        assert "oncology" not in evidence

    def test_the_stay_can_be_named(self, fhir):
        fhir.put({**STAY, "id": "before", "period": {"start": "2024-05-01", "end": "2024-05-04"}})
        assert populated(fhir, "lace", stay="before")[1]["length_of_stay"] == [3]
        assert populate(fhir, "lace", stay="visit").status_code == 400
        assert populate(fhir, "lace", person="p2", stay="stay").status_code == 404

    def test_another_client_s_records_are_not_looked_at(self, fhir):
        _, values, _ = populated(fhir, "charlson", person="p2")
        assert codes(values["comorbidity"]) == ["congestive_heart_failure"]

    def test_without_a_stay_nothing_is_proposed_for_lace(self, fhir):
        _, values, evidence = populated(fhir, "lace", person="p2")
        assert not any(values.values())
        assert not evidence

    def test_no_other_instrument_gets_proposals(self, fhir):
        _, values, evidence = populated(fhir, "phq9")
        assert not any(values.values())
        assert not evidence

    def test_nothing_is_stored(self, fhir):
        populated(fhir, "charlson")
        assert not fhir.ids("QuestionnaireResponse")
