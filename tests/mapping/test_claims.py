"""A profile is claimed where its demands are met, and not where one is not."""

import pytest

from adapter.mapping.claims import CLAIMS, claimed, profiles

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core"
PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": "urn:example:mrn", "value": "1"}],
    "name": [{"family": "Kanarifugl"}],
    "gender": "unknown",
}
PRESSURE = {
    "resourceType": "Observation",
    "status": "final",
    "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2025-04-22",
    "component": [
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {"value": value, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
        }
        for code, value in (("8480-6", 120), ("8462-4", 80))
    ],
}


def test_a_patient_with_all_that_us_core_demands_says_so() -> None:
    assert profiles(PATIENT) == [f"{US_CORE}-patient"]


@pytest.mark.parametrize(
    "lacking",
    [
        {name: value for name, value in PATIENT.items() if name != "gender"},
        PATIENT | {"identifier": [*PATIENT["identifier"], {"value": "of no system"}]},
        PATIENT | {"name": [{"text": "Kanarifugl"}]},
        PATIENT | {"telecom": [{"value": "+1 555 0100"}]},
    ],
    ids=["gender", "the system of an identifier", "a part of the name", "the system of a telecom"],
)
def test_a_patient_that_lacks_something_does_not(lacking: dict) -> None:
    assert profiles(lacking) == []


def test_a_telecom_need_not_be_there_but_must_be_whole() -> None:
    assert profiles(PATIENT | {"telecom": [{"system": "phone", "value": "+1 555 0100"}]}) == [f"{US_CORE}-patient"]


def test_a_blood_pressure_is_claimed_with_both_components_and_not_with_one() -> None:
    assert profiles(PRESSURE) == [f"{US_CORE}-blood-pressure"]
    assert profiles(PRESSURE | {"component": PRESSURE["component"][:1]}) == []


def test_an_identifier_with_a_check_digit_is_not_vouched_for() -> None:
    person = {"resourceType": "Practitioner", "identifier": PATIENT["identifier"], "name": PATIENT["name"]}
    npi = {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567890"}
    assert profiles(person) == [f"{US_CORE}-practitioner"]
    assert profiles(person | {"identifier": [npi]}) == []


def test_a_claim_that_no_longer_holds_goes_and_those_of_others_stay() -> None:
    of_others = "urn:example:profile"
    raw = claimed(PATIENT | {"meta": {"versionId": "1", "profile": [of_others]}})
    assert raw["meta"] == {"profile": [of_others, f"{US_CORE}-patient"], "versionId": "1"}
    less = claimed({name: value for name, value in raw.items() if name != "gender"})
    assert less["meta"] == {"profile": [of_others], "versionId": "1"}


def test_what_claims_rightly_is_left_as_it_is() -> None:
    raw = claimed(PATIENT)
    assert claimed(raw) is raw


@pytest.mark.parametrize("type", CLAIMS)
def test_an_empty_resource_claims_nothing_that_demands_something(type: str) -> None:
    assert profiles({"resourceType": type}) == []


REFERRAL = {
    "resourceType": "Task",
    "status": "requested",
    "intent": "order",
    "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
    "focus": {"reference": "ServiceRequest/1"},
    "for": {"reference": "Patient/1"},
    "authoredOn": "2025-04-22",
    "requester": {"reference": "PractitionerRole/1"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"focus": {"reference": "Encounter/1"}},
        {"requester": {"reference": "Practitioner/1"}},
        {"status": "draft"},
        {"status": "received"},
        {"intent": "plan"},
        {"statusReason": {"coding": []}},
    ],
)
def test_a_task_to_carry_out_a_request_is_a_referral_and_no_other_task_is(change: dict) -> None:
    claim = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC-TaskForReferralManagement"
    assert profiles(REFERRAL) == [claim]
    assert profiles(REFERRAL | change) == []
