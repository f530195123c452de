"""Referential integrity, where the setting asks for it: docs/decisions/006"""

import pytest

from server import create_app

from .fhir import SYSTEM, Fhir, assert_outcome, entry, patient, transaction

ONE = "urn:uuid:11111111-1111-4111-8111-111111111111"


@pytest.fixture
def strict(repository):
    return Fhir(create_app(repository, integrity=True).test_client())


def condition(subject, **more):
    return {"resourceType": "Condition", "code": {"text": "Kanarifugl"}, "subject": {"reference": subject}, **more}


def test_by_default_a_reference_may_be_to_what_is_not_here(fhir):
    assert fhir.send("POST", "Condition", condition("Patient/none")).status_code == 201


@pytest.mark.parametrize("reference", ["Patient/none", "http://localhost/fhir/Patient/none", "Patient/gone", "Patient/none/_history/1"])
def test_a_write_that_refers_to_what_is_not_here_is_refused(strict, reference):
    strict.put({**patient(), "id": "gone"})
    strict.send("DELETE", "Patient/gone")
    assert_outcome(strict.send("POST", "Condition", condition(reference)), 422, "processing")
    assert_outcome(strict.put(condition(reference, id="c")), 422, "processing")
    assert_outcome(strict.send("POST", "", transaction(entry("POST", "Condition", condition(reference)))), 422, "processing")
    assert strict.ids("Condition") == set()


@pytest.mark.parametrize(
    "reference", ["Patient/p", "http://localhost/fhir/Patient/p", "http://elsewhere.example/Patient/1", "urn:uuid:1", "#c"]
)
def test_what_is_here_or_elsewhere_may_be_referred_to(strict, reference):
    strict.put({**patient(), "id": "p"})
    contained = [{"resourceType": "Patient", "id": "c"}] if reference == "#c" else []
    body = condition(reference) | ({"contained": contained} if contained else {})
    assert strict.send("POST", "Condition", body).status_code == 201


def test_entries_of_a_transaction_may_refer_to_each_other(strict):
    made = transaction(entry("POST", "Condition", condition(ONE)), entry("POST", "Patient", patient(), full_url=ONE))
    assert strict.send("POST", "", made).status_code == 200
    [person] = strict.ids("Patient")
    [found] = strict.ids("Condition")
    assert_outcome(strict.send("DELETE", f"Patient/{person}"), 409, "conflict")
    both = transaction(entry("DELETE", f"Patient/{person}"), entry("DELETE", f"Condition/{found}"))
    assert strict.send("POST", "", both).status_code == 200


def test_what_is_referred_to_is_not_deleted(strict):
    strict.put({**patient(), "id": "p"})
    strict.put(condition("Patient/p", id="c"))
    assert_outcome(strict.send("DELETE", "Patient/p"), 409, "conflict")
    assert_outcome(strict.send("DELETE", f"Patient?identifier={SYSTEM}|1"), 409, "conflict")
    moved = transaction(entry("DELETE", "Patient/p"), entry("PUT", "Condition/c", condition("Patient/p", id="c", onsetString="x")))
    assert_outcome(strict.send("POST", "", moved), 422, "processing")
    strict.send("DELETE", "Condition/c")
    assert strict.send("DELETE", "Patient/p").status_code == 204


def test_of_hundreds_of_references_each_is_looked_at(strict):
    numbers = range(230)
    strict.send("POST", "", transaction(*(entry("PUT", f"Patient/p{number}", {**patient(), "id": f"p{number}"}) for number in numbers)))
    group = {"resourceType": "Group", "type": "person", "actual": True}

    def make(*extra):
        members = [{"entity": {"reference": reference}} for reference in (*(f"Patient/p{number}" for number in numbers), *extra)]
        return strict.send("POST", "Group", {**group, "member": members})

    assert make().status_code == 201
    assert_outcome(make("Patient/none"), 422, "processing")
    assert_outcome(make("Patient/p230"), 422, "processing")
