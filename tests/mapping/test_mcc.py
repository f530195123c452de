"""The profiles of MCC eCare Plan: claimed beside US Core's where what they demand beyond is there, too."""

import re
from pathlib import Path
from typing import Any

import pytest

from adapter.mapping.claims import CLAIMS, Claim, claimed, profiles
from adapter.mapping.derived import derived

MCC = "http://hl7.org/fhir/us/mcc/StructureDefinition/"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
SNOMED = "http://snomed.info/sct"
CATEGORIES = "http://terminology.hl7.org/CodeSystem/"
SUBJECT = {"subject": {"reference": "Patient/1"}}


def coded(system: str, code: str, **more: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, **more}]}


def seat(code: str, display: str, member: str) -> dict[str, Any]:
    return {"role": [coded(SNOMED, code, display=display)], "member": {"reference": member}}


PATIENT, CAREGIVER = seat("116154003", "Patient (person)", "Patient/1"), seat("133932002", "Caregiver (person)", "RelatedPerson/1")
TEAM = {"resourceType": "CareTeam", **SUBJECT, "participant": [PATIENT, CAREGIVER, seat("224571005", "Nurse", "Practitioner/1")]}
PLAN = {
    "resourceType": "CarePlan",
    **SUBJECT,
    "category": [coded("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan")],
    "activity": [{"reference": {"reference": "ServiceRequest/1"}}],
}
CUSTODIAN = {"url": f"{MCC}custodian", "valueReference": {"reference": "Organization/1"}}
PATTERN = {"url": f"{MCC}changePattern", "valueCodeableConcept": coded(SNOMED, "260388006")}
IMPRESSION = {"resourceType": "ClinicalImpression", **SUBJECT, "problem": [{"reference": "Condition/1"}]}
STRAIN = {
    "resourceType": "Observation",
    **SUBJECT,
    "category": [coded(f"{CATEGORIES}observation-category", "social-history"), coded(SNOMED, "405193005")],
    "focus": [{"reference": "RelatedPerson/1"}],
    "valueCodeableConcept": {"text": "some"},
}
ANSWER = {
    "resourceType": "Observation",
    **SUBJECT,
    "category": [
        coded(f"{CATEGORIES}observation-category", "survey"),
        coded("http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "sdoh"),
    ],
    "valueString": "Kanarifugl has no food",
}


def of_mcc(raw: dict[str, Any]) -> list[str]:
    return [profile.removeprefix(MCC) for profile in profiles(raw) if profile.startswith(MCC)]


@pytest.mark.parametrize(
    ("raw", "held", "lacking"),
    [
        (
            TEAM,
            "MCCCareTeam",
            [
                {"participant": [PATIENT]},
                {"participant": [CAREGIVER]},
                {"participant": [PATIENT, PATIENT, CAREGIVER]},
                {"participant": [seat("116154003", "Patient", "Patient/1"), CAREGIVER]},
                {"participant": [PATIENT, CAREGIVER, seat("224571005", "Nurse", "RelatedPerson/2")]},
                {"participant": [PATIENT, seat("133932002", "Caregiver (person)", "Practitioner/1")]},
            ],
        ),
        (
            PLAN | {"extension": [CUSTODIAN]},
            "mccCarePlan",
            [{"activity": [{"detail": {"status": "scheduled"}}]}, {"extension": [CUSTODIAN] * 2}],
        ),
        (
            IMPRESSION | {"extension": [PATTERN]},
            "MCCClinicalImpression",
            [{"problem": None}, {"subject": {"reference": "Group/1"}}, {"extension": [PATTERN] * 2}],
        ),
        (ANSWER, "MCCObservationSDOHAssessment", [{"category": ANSWER["category"][:1]}]),
    ],
    ids=["CareTeam", "CarePlan", "ClinicalImpression", "Observation"],
)
def test_what_mcc_demands_beyond_us_core_is_held_to(raw: Any, held: str, lacking: list[Any]) -> None:
    assert of_mcc(raw) == [held]
    for change in lacking:
        without = {name: value for name, value in (raw | change).items() if value is not None}
        assert of_mcc(without) == [], change
        assert [profile for profile in profiles(without) if profile.startswith(US_CORE)] == [
            profile for profile in profiles(raw) if profile.startswith(US_CORE)
        ]


def test_where_mcc_demands_no_more_than_us_core_whatever_is_the_one_is_the_other() -> None:
    concern = {
        "resourceType": "Condition",
        "category": [coded(f"{CATEGORIES}condition-category", "problem-list-item")],
        "code": {"text": "Kanarifugl is in pain"},
    }
    assert [profile.rpartition("/")[2] for profile in profiles(concern)] == [
        "us-core-condition-problems-health-concerns",
        "MCCChronCondHealthConcern",
    ]
    assert profiles(concern | {"code": None}) == []


def test_a_diagnosis_of_an_encounter_is_one_that_a_plan_of_mcc_may_address() -> None:
    diagnosis = {
        "resourceType": "Condition",
        "category": [coded(f"{CATEGORIES}condition-category", "encounter-diagnosis")],
        "code": {"text": "Kanarifugl fell"},
    }
    assert profiles(diagnosis) == [f"{US_CORE}condition-encounter-diagnosis"]
    assert profiles(diagnosis | {"category": diagnosis["category"] * 2}) == []


@pytest.mark.parametrize(
    "change",
    [
        {"category": STRAIN["category"][:1]},
        {"focus": [{"reference": "Patient/1"}]},
        {"focus": [*STRAIN["focus"], {"reference": "RelatedPerson/2"}]},
        {"valueCodeableConcept": None, "valueString": "Kanarifugl is tired"},
    ],
)
def test_an_observation_that_is_of_no_caregiver_is_a_simple_one(change: Any) -> None:
    assert of_mcc(STRAIN) == ["MCCCaregiverConsiderationsObservation"]
    assert of_mcc({name: value for name, value in (STRAIN | change).items() if value is not None}) == ["MCCSimpleObservation"]


def test_the_strain_of_a_support_person_is_an_observation_about_that_person() -> None:
    [raw] = derived("support_person", "sam", "RelatedPerson", {"client": "Patient/river", "caregiver_strain": "severe"})
    assert (raw["subject"], raw["focus"]) == ({"reference": "Patient/river"}, [{"reference": "RelatedPerson/sam"}])
    assert of_mcc(raw) == ["MCCCaregiverConsiderationsObservation"]


def test_what_was_written_when_fewer_profiles_were_known_claims_the_rest_when_it_is_written_again() -> None:
    before = PLAN | {"meta": {"profile": [f"{US_CORE}careplan"]}}
    assert claimed(before)["meta"]["profile"] == [f"{US_CORE}careplan", f"{MCC}mccCarePlan"]


def test_the_document_names_what_is_claimed_of_mcc_and_nothing_else() -> None:
    text = (Path(__file__).parents[2] / "docs" / "validation.md").read_text("utf-8")
    section = text.partition("## MCC eCare Plan")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", section.partition("Not claimed")[0], re.MULTILINE)

    def names(claims: tuple[Claim, ...]) -> list[str]:
        return [name for claim in claims for name in (claim.profile, *names(claim.refined))]

    known = [name.removeprefix(MCC) for claims in CLAIMS.values() for name in names(claims) if name.startswith(MCC)]
    assert sorted(rows) == sorted(known)
