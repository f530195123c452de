"""What a text seems to tell about who somebody is: what is found, what is not, and what a sandbox gets (V-20)."""

import pytest

from adapter.config import SYNTHETIC_TAG
from adapter.store.documents import Change
from adapter.sync.pushing.texts import signs_of, telling

CLIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": "urn:example:mrn", "value": "KAN-00417"}, {"value": "417"}],
    "name": [{"family": "Kanarifugl", "given": ["Alma", "M."]}, {"text": "A. K."}, {"given": ["Al"]}],
    "telecom": [{"system": "phone", "value": "0151 2345"}],
}
NAMED, OWNED = "the client's name", "an identifier of the client"
PHONE, MAIL, SSN = "a telephone number", "an e-mail address", "a social security number"


def note(text):
    return {"resourceType": "CarePlan", "status": "active", "intent": "plan", "note": [{"text": text}]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Kanarifugl, her SSN is 123-45-6789.", SSN),
        ("Kanarifugl: 912-45-6789, 000-12-3456, 123-00-4567, 123-45-0000 were never issued", None),
        ("Kanarifugl: order 0123-45-67890, key 1e23-45-6789", None),
        ("call the neighbour of Kanarifugl: (212) 556-0199", PHONE),
        ("call Kanarifugl at 212.556.0199", PHONE),
        ("call Kanarifugl at +49 30 1234567", PHONE),
        ("call Kanarifugl at 212-555-0199", None),
        ("Kanarifugl came 2025-03-11T09:00:00.000+02:00, LOINC 44249-1, 2.16.840.1.113883.6.1", None),
        ("write to kanarifugl@mail.invalid, kanarifugl@casebridge.example, kanarifugl@example.org", None),
        ("write to kanarifugl@hospital.org", MAIL),
        ("Mrs. Alma Kanarifugl walks", NAMED),
        ("KANARIFUGL, ALMA walks", NAMED),
        ("Alma Maria von Kanarifugl walks", NAMED),
        ("Kanarifugl walks, as Alma does", None),
        ("Almas Kanarifugl", None),
        ("Kanarifugl has number kan-00417 with us", OWNED),
        ("Kanarifugl has number 417 with us, and KAN-004170", None),
        ("Kanarifugl: 0151 2345", OWNED),
    ],
)
def test_a_text_that_names_the_client_or_looks_like_a_number_of_theirs_is_found(text, found):
    """V-20"""
    assert telling(note(text), signs_of(CLIENT)) == found


@pytest.mark.parametrize(
    "told",
    [
        {"resourceType": "Observation", "valueString": "kanarifugl@hospital.org"},
        {"resourceType": "Observation", "code": {"text": "kanarifugl@hospital.org"}},
        {"resourceType": "Observation", "text": {"status": "generated", "div": "<div><p>kanarifugl@hospital.org</p></div>"}},
        {"resourceType": "Observation", "subject": {"reference": "Patient/1", "display": "kanarifugl@hospital.org"}},
        {"resourceType": "Observation", "extension": [{"url": "urn:x", "valueString": "kanarifugl@hospital.org"}]},
        {"resourceType": "Observation", "_status": {"extension": [{"url": "urn:x", "valueString": "kanarifugl@hospital.org"}]}},
        {"resourceType": "Observation", "contained": [{"resourceType": "Basic", "code": {"text": "kanarifugl@hospital.org"}}]},
        {"resourceType": "Observation", "unheardOf": [{"said": ["kanarifugl@hospital.org"]}]},
    ],
)
def test_wherever_in_a_resource_the_text_is(told):
    assert telling(told) == MAIL


def test_the_places_that_are_made_for_names_and_numbers_are_not_looked_at():
    places = {
        "identifier": [{"type": {"text": "SSN"}, "value": "123-45-6789"}],
        "telecom": [{"system": "email", "value": "kanarifugl@hospital.org"}],
        "address": [{"text": "212-556-0199 Kanarifugl Street"}],
        "contact": [{"name": {"text": "Alma Kanarifugl"}, "telecom": [{"value": "212-556-0199"}]}],
    }
    assert telling({**CLIENT, **places}, signs_of(CLIENT)) is None
    assert telling({**CLIENT, "maritalStatus": {"text": "212-556-0199"}}) == PHONE


def test_a_client_whose_identifier_is_the_id_is_not_named_by_a_literal_reference():
    """As Synthea makes them."""
    id = "0f2ed4c5-4f84-4a5f-b1d5-0c5fa1f2b3c4"
    signs = signs_of(
        {"resourceType": "Patient", "id": id, "identifier": [{"system": "https://github.com/synthetichealth/synthea", "value": id}]}
    )
    subject = {"reference": f"Patient/{id}"}
    assert telling(note("Kanarifugl walks") | {"subject": subject}, signs) is None
    assert telling(note("Kanarifugl walks") | {"subject": {**subject, "display": f"Client {id}"}}, signs) == OWNED
    assert telling(note("Kanarifugl walks") | {"subject": {"reference": f"client {id}"}}, signs) == OWNED
    assert telling(note(f"Patient/{id}"), signs) == OWNED


def test_what_the_reader_has_is_no_news():
    theirs = note("ask kanarifugl@hospital.org")
    assert telling({**theirs, "title": "Kanarifugl's plan"}, said=theirs) is None
    assert telling({**theirs, "title": "kanarifugl@home.org"}, said=theirs) == MAIL


def test_who_has_no_name_and_no_number_is_looked_for_by_none():
    assert signs_of({"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "identifier": [{"value": "417"}]}) == ()


@pytest.mark.parametrize("sandbox", [True, False])
def test_a_sandbox_does_not_get_what_names_the_client_in_a_note_and_is_told_why_without_it(world, sandbox):
    """V-20"""
    world.remote = world.bridge.remotes.change("hospital", {"sandbox": sandbox})
    tag, subject = {"meta": {"tag": [SYNTHETIC_TAG]}}, {"subject": {"reference": "Patient/alma"}}
    plans = {"fine": note("Kanarifugl walks"), "named": note("Alma Kanarifugl walks"), "called": note("Kanarifugl: 212-556-0199")}
    made = {("Patient", "alma"): CLIENT, **{("CarePlan", id): raw | subject for id, raw in plans.items()}}
    world.bridge.repository.commit([Change(type, id, raw | tag, 0) for (type, id), raw in made.items()])
    certificate = world.sync(pull=False)
    left = {stored.id for stored in world.bridge.repository.owed("hospital")}
    assert left >= {"named", "called"} if sandbox else not left & made.keys()
    there = [raw["note"][0]["text"] for page in world.hospital.search("CarePlan", {}) for raw in page.entries if "note" in raw]
    assert set(there) & {raw["note"][0]["text"] for raw in plans.values()} == (
        {"Kanarifugl walks"} if sandbox else {raw["note"][0]["text"] for raw in plans.values()}
    )
    told = [reason for reason in certificate.pushed.reasons if "looks like" in reason]
    assert sorted(told) == (
        [f"skip: a text of it holds what looks like {what}, and the remote is a sandbox" for what in (PHONE, NAMED)] if sandbox else []
    )
    assert certificate.clean
