"""`$validate` finds what is wrong and says what it did not look at."""

import json
from pathlib import Path

import pytest

from adapter.config import CS

from ..fhir import assert_outcome, patient

PAIRS = sorted(Path(__file__).parents[3].glob("fixtures/pairs/*/full.fhir.json"))
GOAL = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "Kanarifugl"}, "subject": {"reference": "Patient/1"}}


def issues(answer):
    assert answer.status_code == 200, answer.text
    assert answer.json["resourceType"] == "OperationOutcome"
    assert "kanarifugl" not in answer.text.casefold()
    return [(issue["severity"], issue["code"]) for issue in answer.json["issue"]]


def judged(fhir, raw, query=""):
    return issues(fhir.send("POST", f"{raw['resourceType']}/$validate{query}", raw))


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.parent.name)
def test_our_own_examples_have_no_error(fhir, path):
    found = json.loads(path.read_text())
    for raw in found if isinstance(found, list) else [found]:
        assert not [issue for issue in judged(fhir, raw) if issue[0] == "error"]


def test_a_sound_resource_has_only_what_was_not_checked(fhir):
    assert judged(fhir, patient()) == [("information", "informational")]


def test_the_resource_may_come_bare_in_parameters_or_from_the_store(fhir, operations):
    id = fhir.create(patient())["id"]
    wrapped = operations.ask("Patient/$validate", ("resource", "resource", patient()))
    assert issues(wrapped) == issues(fhir.send("GET", f"Patient/{id}/$validate")) == [("information", "informational")]


def test_a_broken_structure_is_an_error_and_not_a_failure_of_the_request(fhir, operations):
    broken = patient(birthDate=["Kanarifugl"])
    assert judged(fhir, broken)[0] == ("error", "structure")
    assert issues(operations.ask("Patient/$validate", ("resource", "resource", broken)))[0] == ("error", "structure")


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("per-1", patient(address=[{"period": {"start": "2025-05", "end": "2025-04"}}])),
        ("pat-1", patient(contact=[{"gender": "female"}])),
        ("gol-1", {**GOAL, "target": [{"detailString": "x"}]}),
        ("obs-6", {"valueString": "x", "dataAbsentReason": {"text": "x"}}),
        ("obs-7", {"valueString": "x", "component": [{"code": {"coding": [{"system": "s", "code": "c"}]}}]}),
        ("app-2", {"status": "proposed", "start": "2025-04-22T09:00:00Z"}),
        ("app-3", {"status": "booked"}),
        ("app-4", {"status": "proposed", "cancelationReason": {"text": "x"}}),
        ("cpl-3", {"activity": [{"reference": {"reference": "Task/1"}, "detail": {"status": "scheduled"}}]}),
        ("con-4", {"abatementDateTime": "2025"}),
        ("qrs-1", {"item": [{"linkId": "1", "answer": [{"valueBoolean": True}], "item": [{"linkId": "2"}]}]}),
        ("inv-1", {"authoredOn": "2025-05-02", "lastModified": "2025-05-01"}),
    ],
)
def test_a_rule_of_r4_that_is_broken_is_named(fhir, key, raw):
    subject = {"reference": "Patient/1"}
    bases = {
        "obs": {"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "s", "code": "c"}]}, "subject": subject},
        "app": {"resourceType": "Appointment", "participant": [{"status": "accepted", "actor": subject}]},
        "cpl": {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": subject},
        "con": {"resourceType": "Condition", "subject": subject},
        "qrs": {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": subject},
        "inv": {"resourceType": "Task", "status": "requested", "intent": "order"},
    }
    raw = {**bases.get(key[:3], {}), **raw}
    answer = fhir.send("POST", f"{raw['resourceType']}/$validate", raw)
    assert ("error", "invariant") in issues(answer)
    [text] = [issue["diagnostics"] for issue in answer.json["issue"] if issue["code"] == "invariant"]
    assert text.startswith(f"{key}: ")


def test_a_code_that_is_not_in_a_code_system_of_ours_is_a_warning(fhir):
    raw = {**GOAL, "category": [{"coding": [{"system": f"{CS}/goal-kind", "code": "no-such-kind"}]}]}
    assert ("warning", "code-invalid") in judged(fhir, raw)


def test_a_rule_of_our_records_that_is_broken_is_a_warning(fhir):
    raw = {"resourceType": "EpisodeOfCare", "status": "active", "patient": {"reference": "Patient/1"}}
    assert ("warning", "business-rule") in judged(fhir, raw)


def test_a_profile_is_said_to_be_unchecked(fhir):
    profile = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"
    assert ("warning", "not-supported") in judged(fhir, patient(meta={"profile": [profile]}))
    assert ("warning", "not-supported") in judged(fhir, patient(), f"?profile={profile}")


def test_an_update_needs_its_id_and_the_one_in_the_url(fhir, operations):
    id = fhir.create(patient())["id"]
    path = f"Patient/{id}/$validate?mode=update"
    assert ("error", "required") in issues(fhir.send("POST", path, patient()))
    assert ("error", "invalid") in issues(fhir.send("POST", path, patient(id="other")))
    assert issues(fhir.send("POST", path, patient(id=id))) == [("information", "informational")]


def test_what_cannot_be_asked_is_refused(fhir):
    assert_outcome(fhir.send("POST", "Patient/$validate"), 400, "invalid")
    assert_outcome(fhir.send("POST", "Patient/$validate?mode=other", patient()), 400, "invalid")
    assert_outcome(fhir.send("GET", "Patient/none/$validate"), 404, "not-found")
