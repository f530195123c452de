"""Findings of a screening: proposed, and conditions only once a person confirmed them (C-19)."""

from typing import Any

import pytest

from adapter.care.need import CATEGORIES
from adapter.care.questionnaire import canonical
from adapter.cases.registry import RECORDS
from adapter.errors import RuleViolated
from adapter.mapping.claims import profiles
from adapter.mapping.derived import computed, derived
from adapter.mapping.findings import confirmed, findings, refuted
from adapter.mapping.registry import mapping_for

ID = "7f7f2a3e-0d53-4c39-9c68-5f1f4f4b6f10"
LOINC = "http://loinc.org"
BEST = {
    **{"71802-3": "LA31993-1", "96778-6": "LA9-3", "88122-7": "LA28398-8", "88123-5": "LA28398-8", "93030-5": "LA32-8"},
    **{"96779-4": "LA32-8", "95618-5": "LA6270-8", "95617-7": "LA6270-8", "95616-9": "LA6270-8", "95615-1": "LA6270-8"},
}


def screening(**changes: str | list[str]) -> dict[str, Any]:
    """An AHC-HRSN screening with the best answers but these, by linkId with _ for -."""
    answers = BEST | {link_id.lstrip("_").replace("_", "-"): codes for link_id, codes in changes.items()}
    listed = {link_id: codes if isinstance(codes, list) else [codes] for link_id, codes in answers.items()}
    return {
        "client": "Patient/1",
        "case": "EpisodeOfCare/1",
        "instrument": f"{canonical('ahc_hrsn')}|1.0.0",
        "status": "completed",
        "completed_at": "2025-04-15T09:00:00Z",
        "answers": [
            {"link_id": link_id, "values": [{"code": {"system": LOINC, "code": code}} for code in codes]}
            for link_id, codes in listed.items()
        ],
    }


HUNGRY = screening(_88122_7="LA28397-0")


def found(fields: dict[str, Any]) -> list[Any]:
    return findings(ID, "QuestionnaireResponse", fields)


def test_c19_a_positive_answer_becomes_an_observation_and_a_proposed_condition_that_are_linked():
    (finding,) = found(HUNGRY)
    observations = [raw for raw in derived("screening", ID, "QuestionnaireResponse", HUNGRY) if "valueCodeableConcept" in raw]
    (observation,) = observations
    codes = [each["coding"][0]["code"] for each in observation["category"]]
    assert codes == ["survey", "sdoh", "food-insecurity"]
    assert observation["code"]["coding"] == [{"system": LOINC, "code": "88122-7"}]
    assert observation["valueCodeableConcept"]["coding"][0]["code"] == "LA28397-0"
    assert observation["derivedFrom"] == [{"reference": f"QuestionnaireResponse/{ID}"}]
    assert finding.link_ids == ("88122-7",)
    assert finding.fields["verification_status"] == "unconfirmed"
    assert {"system": CATEGORIES, "code": "food-insecurity"} in finding.fields["categories"]
    assert finding.fields["evidence"] == [f"Observation/{observation['id']}", f"QuestionnaireResponse/{ID}"]


@pytest.mark.parametrize(
    ("changes", "categories"),
    [
        ({}, []),
        ({"_71802_3": "LA31994-9"}, ["housing-instability"]),
        ({"_71802_3": "LA31995-6"}, ["homelessness"]),
        ({"_96778_6": ["LA31996-4", "LA28580-1"]}, ["inadequate-housing"]),
        ({"_71802_3": "LA31994-9", "_96778_6": "LA31998-0"}, ["housing-instability", "inadequate-housing"]),
        ({"_88122_7": "LA6729-3", "_88123_5": "LA6729-3"}, ["food-insecurity"]),
        ({"_93030_5": "LA33-6"}, ["transportation-insecurity"]),
        ({"_96779_4": "LA32002-0"}, ["utility-insecurity"]),
        ({"_76513_1": "LA22683-9"}, ["financial-insecurity"]),
        ({"_96780_2": "LA31982-4", "_96782_8": "LA33-6"}, ["employment-status", "educational-attainment"]),
        (dict.fromkeys(("_95618_5", "_95617_7", "_95616_9"), "LA10082-8") | {"_95615_1": "LA10066-1"}, ["sdoh-category-unspecified"]),
    ],
)
def test_each_domain_is_found_under_its_category(changes, categories):
    given = screening(**changes)
    codes = [each["code"] for finding in found(given) for each in finding.fields["categories"] if each["system"] == CATEGORIES]
    assert codes == categories


def test_who_wants_help_with_work_is_not_called_unemployed():
    (finding,) = found(screening(_96780_2="LA31982-4"))
    assert finding.fields["code"] == {"text": "Wants help finding or keeping work"}


def test_several_answers_to_one_item_are_an_observation_each():
    (finding,) = found(screening(_96778_6=["LA31996-4", "LA28580-1"]))
    assert len(finding.fields["evidence"]) == 3
    made = [raw["id"] for raw in derived("screening", ID, "QuestionnaireResponse", screening(_96778_6=["LA31996-4", "LA28580-1"]))]
    assert {reference.partition("/")[2] for reference in finding.fields["evidence"][:2]} <= set(made)


@pytest.mark.parametrize("changes", [{"_88122_7": "LA28397-0"}, {"_96779_4": "LA32002-0"}, {"_76513_1": "LA22683-9"}])
def test_a_proposal_is_a_whole_condition_that_fhir_takes(changes):
    (finding,) = found(screening(**changes))
    assert not RECORDS["condition"].of(finding.fields).problems()
    mapping = mapping_for({"resourceType": "Condition"})
    assert mapping.extract(mapping.overlay(None, finding.fields)).fields == finding.fields


def test_the_answer_and_the_condition_claim_the_profiles_of_sdoh_clinical_care():
    base = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC"
    (finding,) = found(HUNGRY)
    condition = mapping_for({"resourceType": "Condition"}).overlay(None, finding.fields)
    (observation,) = [raw for raw in derived("screening", ID, "QuestionnaireResponse", HUNGRY) if "valueCodeableConcept" in raw]
    assert f"{base}-Condition" in profiles(condition)
    assert f"{base}-ObservationScreeningResponse" in profiles(observation)
    assert f"{base}-Condition" not in profiles({**condition, "stage": [{"summary": {"text": "early"}}]})
    assert f"{base}-ObservationScreeningResponse" not in profiles(
        {name: value for name, value in observation.items() if name != "effectiveDateTime"}
    )


def test_asked_again_the_same_is_proposed_under_the_same_id():
    assert found(HUNGRY) == found(dict(HUNGRY))
    assert found(HUNGRY)[0].id != findings("another", "QuestionnaireResponse", HUNGRY)[0].id


@pytest.mark.parametrize("status", ["in_progress", "stopped", "entered_in_error"])
def test_a_screening_that_is_not_finished_proposes_nothing(status):
    assert found({**HUNGRY, "status": status}) == []


def test_an_instrument_that_is_not_known_proposes_nothing():
    assert found({**HUNGRY, "instrument": "https://other.example/Questionnaire/x"}) == []


def test_a_confirmation_makes_the_condition_the_case_manager_s_word():
    (finding,) = found(HUNGRY)
    fields = confirmed(finding.fields, "Practitioner/dana")
    assert (fields["verification_status"], fields["asserter"]) == ("confirmed", "Practitioner/dana")
    assert fields["evidence"] == finding.fields["evidence"]
    assert refuted(finding.fields, "Practitioner/dana")["verification_status"] == "refuted"
    assert finding.fields["verification_status"] == "unconfirmed"


def test_what_was_decided_once_is_not_decided_again_in_silence():
    fields = confirmed(found(HUNGRY)[0].fields, "Practitioner/dana")
    for decide in (confirmed, refuted):
        with pytest.raises(RuleViolated):
            decide(fields, "Practitioner/pat")


def test_a_screening_keeps_the_items_that_show_each_need():
    (need,) = computed("screening", HUNGRY)["positive_needs"]
    assert need == {"domain": "food", "evidence_link_ids": ["88122-7"]}


def test_a_domain_that_a_record_has_no_word_for_is_another_need():
    given = screening(**{"_69858_9": "LA33-6", "_69861_3": "LA33-6"})
    needs = computed("screening", given)["positive_needs"]
    assert needs == [{"domain": "other", "evidence_link_ids": ["69858-9", "69861-3"]}]
    assert not [
        problem for problem in RECORDS["screening"].of({**given, "positive_needs": needs}).problems() if "positive_needs" in problem
    ]
