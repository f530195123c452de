"""What a field says is a resource for others: made with the field, and gone with it."""

from typing import Any

import pytest

from adapter.casework.records import save
from adapter.fhir.resource import check_structure
from adapter.mapping.derived import derived, is_derived, unfounded
from adapter.mapping.readings import READINGS
from adapter.store.repository import Repository

FOLLOW_UP = {
    "client": "Patient/c1",
    "case": "EpisodeOfCare/k1",
    "type": "call",
    "source": "client",
    "status": "completed",
    "performer": "Practitioner/cm1",
    "occurred_at": "2025-05-01T10:00:00-04:00",
    "treatment_working": "partly",
}
SAYING = {
    "assessment": {
        "effective_at": "2025-04-20",
        "assessor": "Practitioner/cm1",
        "support_systems": {"adequacy": "partial"},
        "client_preferences": [
            {"kind": "care_experience", "text": "Kanarifugl wants to be called in the morning", "source": "Patient/c1"},
            {"kind": "treatment_intervention", "text": "Kanarifugl wants no surgery"},
        ],
    },
    "support_person": {"caregiver_strain": "some"},
    "follow_up": {"treatment_working": "partly"},
    "outcome": {"well_being": {"final": "Kanarifugl walks alone"}, "finances": {"final": "Kanarifugl pays the rent"}},
    "risk_evaluation": {"tier": "complex", "at": "2025-04-21"},
    "client": {"pronouns": {"text": "they/them"}},
    "programme_application": {"programme": "Kanarifugl's meals", "status": "enrolled", "decided_at": "2025-05-02"},
}


def test_every_reading_is_a_resource_of_r4_that_says_it_is_derived() -> None:
    assert SAYING.keys() == READINGS.keys()
    for concept, fields in SAYING.items():
        made = derived(concept, "r1", "", {"client": "Patient/c1", "status": "completed", **fields})
        assert [raw["resourceType"] for raw in made] == [reading.type for reading in READINGS[concept]]
        for raw in made:
            check_structure(raw)
            assert is_derived(raw)


def test_a_field_that_says_nothing_makes_nothing() -> None:
    for concept, readings in READINGS.items():
        assert derived(concept, "r1", "", {"client": "Patient/c1", "status": "completed"}) == []
        assert len(unfounded(concept, "r1", {"client": "Patient/c1", "status": "completed"})) == len(readings)


def test_the_pronouns_of_a_client_are_an_observation_of_that_client() -> None:
    """S-04"""
    coded = {"system": "http://loinc.org", "code": "LA29520-6"}
    [raw] = derived("client", "river", "Patient", {"pronouns": coded | {"text": "they/them"}})
    assert (raw["subject"], raw["code"]["coding"][0]["code"]) == ({"reference": "Patient/river"}, "90778-2")
    assert raw["valueCodeableConcept"] == {"coding": [coded], "text": "they/them"}
    assert unfounded("client", "river", {"names": []}) == [("Observation", raw["id"])]


@pytest.mark.parametrize(
    ("status", "code"), [("enrolled", "enrolled"), ("not_enrolled", "not-enrolled"), ("waitlist", "not-enrolled-on-waitlist")]
)
def test_a_programme_s_answer_is_an_observation_of_the_enrolment(status: str, code: str) -> None:
    """P-13"""
    fields = {"client": "Patient/c1", "programme": "Kanarifugl's meals", "status": status, "decided_at": "2025-05-02"}
    [raw] = derived("programme_application", "a1", "Task", fields)
    assert raw["valueCodeableConcept"]["coding"][0]["code"] == code
    assert (raw["code"], raw["effectiveDateTime"]) == ({"text": "Kanarifugl's meals"}, "2025-05-02")
    assert [each["coding"][0]["code"] for each in raw["category"]] == ["sdoh", "program-enrollment"]
    for waiting in ("preparing", "submitted", "cancelled", "entered_in_error"):
        assert derived("programme_application", "a1", "Task", fields | {"status": waiting}) == []


def test_a_low_tier_flags_nobody() -> None:
    assert derived("risk_evaluation", "r1", "", {"client": "Patient/c1", "status": "final", "tier": "rising"}) == []


def test_a_record_entered_in_error_says_nothing() -> None:
    assert derived("follow_up", "f1", "", {**FOLLOW_UP, "status": "entered_in_error"}) == []


def test_a_reading_goes_with_its_field(database: Any) -> None:
    repository = Repository(database)
    save(repository, "follow_up", "f1", FOLLOW_UP)
    [stored] = repository.scan("Observation")
    assert stored.raw["valueCodeableConcept"]["coding"][0]["code"] == "partly"
    save(repository, "follow_up", "f1", {**FOLLOW_UP, "treatment_working": "yes"})
    assert repository.read("Observation", stored.id).raw["valueCodeableConcept"]["coding"][0]["code"] == "yes"
    save(repository, "follow_up", "f1", {name: value for name, value in FOLLOW_UP.items() if name != "treatment_working"})
    assert [each.deleted for each in repository.scan("Observation")] == [True]
