"""What casebridge publishes is read, searched and expanded as any other resource is."""

from adapter.config import BASE, CS, EXT
from adapter.ig.places import extensions
from adapter.store.published import publish


def test_definitions_are_read_and_searched(fhir, repository):
    publish(repository)
    assert fhir.send("GET", "StructureDefinition/cm-model").json["url"] == f"{EXT}/cm-model"
    assert fhir.ids("StructureDefinition?type=Extension&_count=50") == set(extensions())
    assert fhir.ids(f"CodeSystem?url={CS}/barrier-kind") == {"barrier-kind"}
    assert "case-episodeofcare" in fhir.ids("StructureDefinition?type=EpisodeOfCare")
    assert fhir.ids("NamingSystem") >= {"case-number", "id"}


def test_a_value_set_of_ours_is_expanded_though_nobody_stored_it(fhir):
    answer = fhir.send("GET", f"ValueSet/$expand?url={BASE}/ValueSet/barrier-status")
    assert answer.status_code == 200, answer.text
    assert [row["code"] for row in answer.json["expansion"]["contains"]] == ["mitigating"]


def test_the_questionnaire_of_a_screening_is_known_by_its_url(fhir):
    given = {"resourceType": "Parameters", "parameter": [{"name": "canonical", "valueUri": f"{BASE}/Questionnaire/screening-phq2"}]}
    patient = fhir.create({"resourceType": "Patient"})
    given["parameter"].append({"name": "subject", "valueReference": {"reference": f"Patient/{patient['id']}"}})
    answer = fhir.send("POST", "Questionnaire/$populate", given)
    assert answer.status_code == 200, answer.text
