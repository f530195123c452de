"""Batch and transaction: http://hl7.org/fhir/R4/http.html#transaction"""

import base64
import os

import pytest

from adapter.store.bounds import MOST_KEYS

from .fhir import SYSTEM, assert_outcome, entry, patient, transaction

ONE = "urn:uuid:11111111-1111-4111-8111-111111111111"
TWO = "urn:uuid:22222222-2222-4222-8222-222222222222"
GENDER = {
    "resourceType": "Binary",
    "contentType": "application/json-patch+json",
    "data": base64.b64encode(b'[{"op":"add","path":"/gender","value":"other"}]').decode(),
}


def condition(subject: str) -> dict[str, object]:
    return {"resourceType": "Condition", "code": {"text": "Kanarifugl"}, "subject": {"reference": subject}}


def count(fhir, type="Patient"):
    return fhir.send("GET", f"{type}?_summary=count").json["total"]


def statuses(answer):
    assert answer.status_code == 200, answer.text
    return [item["response"]["status"] for item in answer.json["entry"]]


def test_entries_refer_to_each_other_whatever_their_order(fhir):
    answer = fhir.send(
        "POST",
        "",
        transaction(
            entry("POST", "Condition", condition(ONE), full_url=TWO),
            entry("POST", "Patient", patient(), full_url=ONE),
        ),
        Prefer="return=representation",
    )
    assert statuses(answer) == ["201 Created", "201 Created"]
    found, person = (item["resource"] for item in answer.json["entry"])
    assert found["subject"]["reference"] == f"Patient/{person['id']}"
    assert answer.json["entry"][1]["response"]["location"] == f"Patient/{person['id']}/_history/1"
    assert answer.json["entry"][1]["response"]["etag"] == 'W/"1"'
    assert fhir.ids(f"Condition?patient={person['id']}") == {found["id"]}


def test_an_entry_that_takes_the_place_of_another_servers_resource_takes_its_references(fhir):
    elsewhere = "http://elsewhere.example/fhir/Patient/17"
    answer = fhir.send(
        "POST",
        "",
        transaction(
            entry("POST", "Patient", patient(), full_url=elsewhere),
            entry("POST", "Condition", condition(elsewhere)),
            entry("POST", "Condition", condition("Patient/17")),
        ),
    )
    id = answer.json["entry"][0]["response"]["location"].split("/")[1]
    assert len(fhir.ids(f"Condition?patient={id}")) == 2


def test_it_is_carried_out_in_the_order_of_r4_and_answered_in_its_own(fhir):
    fhir.put({**patient("old"), "id": "old"})
    fhir.put({**patient("kept"), "id": "kept"})
    answer = fhir.send(
        "POST",
        "",
        transaction(
            entry("GET", "Patient/kept"),
            entry("GET", f"Patient?identifier={SYSTEM}|old"),
            entry("PUT", "Patient/kept", {**patient("changed"), "id": "kept"}, ifMatch='W/"1"'),
            entry("POST", "Patient", patient("new")),
            entry("DELETE", "Patient/old"),
        ),
    )
    assert statuses(answer) == ["200 OK", "200 OK", "200 OK", "201 Created", "204 No Content"]
    read, search, *_ = answer.json["entry"]
    assert read["resource"]["identifier"][0]["value"] == "changed"
    assert search["resource"]["type"] == "searchset"
    assert "entry" not in search["resource"]


@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [
        (entry("POST", "Patient", patient(bird="Kanarifugl")), 400, "invalid"),
        (entry("PUT", "Patient/kept", {**patient("x"), "id": "kept"}, ifMatch='W/"9"'), 412, "conflict"),
        (entry("DELETE", "Patient/kept", ifMatch='W/"9"'), 412, "conflict"),
        (entry("PUT", "Patient/other", {**patient("x"), "id": "kept"}), 400, "invalid"),
        (entry("POST", "Kanarifugl", patient()), 404, "not-found"),
        (entry("POST", "Condition", condition(f"Patient?identifier={SYSTEM}|none")), 404, "not-found"),
        (entry("POST", "Patient", patient("x"), ifNoneExist="bird=Kanarifugl"), 400, "invalid"),
        (entry("POST", "Patient", patient("x"), ifNoneExist=""), 400, "invalid"),
        (entry("POST", "Patient", patient("x"), ifNoneExist="_count=1"), 400, "invalid"),
        (entry("PATCH", "Patient/kept"), 400, "invalid"),
        (entry("POST", "Patient"), 400, "invalid"),
        (entry("POST", "", transaction()), 404, "not-found"),
        (entry("PUT", "Patient?name=Kanarifugl", patient()), 412, "multiple-matches"),
        (entry("PUT", "Patient?bird=Kanarifugl", patient()), 400, "invalid"),
        (entry("PUT", "Patient", patient()), 400, "invalid"),
        (entry("DELETE", "Patient"), 400, "invalid"),
        (entry("PATCH", f"Patient?identifier={SYSTEM}|none", GENDER), 404, "not-found"),
        (entry("PATCH", "Patient/kept", {"resourceType": "Binary", "contentType": "text/plain", "data": ""}), 415, "not-supported"),
        (entry("PATCH", "Patient/kept", {**GENDER, "data": "Kanarifugl!"}), 400, "invalid"),
        (entry("PATCH", "Patient/kept", patient()), 400, "invalid"),
        (entry("PATCH", "Patient/kept", GENDER, ifMatch='W/"9"'), 412, "conflict"),
        (entry("POST", "Patient/kept", patient()), 400, "invalid"),
        (entry("DELETE", "http://["), 404, "not-found"),
        ({"resource": patient()}, 400, "invalid"),
        ({"request": "Kanarifugl"}, 400, "invalid"),
    ],
)
def test_one_bad_entry_is_named_and_nothing_is_done(fhir, bad, status, code):
    fhir.put({**patient("kept"), "id": "kept"})
    answer = fhir.send("POST", "", transaction(entry("POST", "Patient", patient("a")), entry("DELETE", "Patient/kept2"), bad))
    issue = assert_outcome(answer, status, code)
    assert issue["expression"][0] == "Bundle.entry[2]"
    assert count(fhir) == 1


def test_two_entries_may_not_write_one_resource(fhir):
    twice = transaction(*[entry("PUT", "Patient/p", {**patient(), "id": "p"}), entry("DELETE", "Patient/p")])
    assert_outcome(fhir.send("POST", "", twice), 400, "invalid")
    condition = f"identifier={SYSTEM}|1"
    twice = transaction(*[entry("POST", "Patient", patient(), ifNoneExist=condition)] * 2)
    assert_outcome(fhir.send("POST", "", twice), 400, "invalid")
    assert count(fhir) == 0


def test_a_conditional_create_finds_what_is_there_and_its_references_follow(fhir):
    there = fhir.create(patient())["id"]
    answer = fhir.send(
        "POST",
        "",
        transaction(
            entry("POST", "Patient", patient(), full_url=ONE, ifNoneExist=f"identifier={SYSTEM}|1"),
            entry("POST", "Condition", condition(ONE)),
        ),
    )
    assert statuses(answer) == ["200 OK", "201 Created"]
    assert answer.json["entry"][0]["response"]["location"].startswith(f"Patient/{there}/")
    assert len(fhir.ids(f"Condition?patient={there}")) == 1
    assert count(fhir) == 1


def test_a_conditional_reference_is_resolved(fhir):
    there = fhir.create(patient())["id"]
    fhir.send("POST", "", transaction(entry("POST", "Condition", condition(f"Patient?identifier={SYSTEM}|1"))))
    assert len(fhir.ids(f"Condition?subject=Patient/{there}")) == 1
    fhir.create(patient())
    answer = fhir.send("POST", "", transaction(entry("POST", "Condition", condition(f"Patient?identifier={SYSTEM}|1"))))
    assert_outcome(answer, 412, "multiple-matches")


def test_a_conditional_reference_finds_what_the_same_transaction_makes(fhir):
    answer = fhir.send(
        "POST",
        "",
        transaction(
            entry("POST", "Condition", condition(f"Patient?identifier={SYSTEM}|1&birthdate=ge1990&name:exact=Kanarifugl")),
            entry("POST", "Patient", patient(birthDate="1994-05")),
        ),
    )
    assert statuses(answer) == ["201 Created"] * 2
    id = answer.json["entry"][1]["response"]["location"].split("/")[1]
    assert len(fhir.ids(f"Condition?subject=Patient/{id}")) == 1


def test_a_condition_sees_what_the_transaction_has_deleted_or_changed_before(fhir):
    fhir.put({**patient("old"), "id": "old"})
    answer = fhir.send(
        "POST",
        "",
        transaction(
            entry("POST", "Patient", patient("old"), ifNoneExist=f"identifier={SYSTEM}|old"),
            entry("DELETE", "Patient/old"),
        ),
    )
    assert statuses(answer) == ["201 Created", "204 No Content"]
    [there] = fhir.ids(f"Patient?identifier={SYSTEM}|old")
    moved = transaction(
        entry("PUT", f"Patient/{there}", {**patient("new"), "id": there}),
        entry("POST", "Condition", condition(f"Patient?identifier={SYSTEM}|old")),
    )
    assert_outcome(fhir.send("POST", "", moved), 404, "not-found")


def test_conditional_updates_patches_and_deletions_are_done_in_a_transaction(fhir):
    for number in ("1", "2", "3"):
        fhir.put({**patient(number), "id": f"p{number}"})
    answer = fhir.send(
        "POST",
        "",
        transaction(
            entry("PUT", f"Patient?identifier={SYSTEM}|1", patient("1", gender="male"), full_url=ONE),
            entry("PATCH", f"Patient?identifier={SYSTEM}|2", GENDER),
            entry("DELETE", f"Patient?identifier={SYSTEM}|3"),
            entry("PUT", f"Patient?identifier={SYSTEM}|4", patient("4"), full_url=TWO),
            entry("POST", "Condition", condition(ONE)),
            entry("POST", "Condition", condition(TWO)),
        ),
    )
    assert [text[:3] for text in statuses(answer)] == ["200", "200", "204", "201", "201", "201"]
    assert fhir.send("GET", "Patient/p1").json["gender"] == "male"
    assert fhir.send("GET", "Patient/p2").json["gender"] == "other"
    assert fhir.send("GET", "Patient/p3").status_code == 410
    [fourth] = fhir.ids(f"Patient?identifier={SYSTEM}|4")
    assert len(fhir.ids("Condition?subject=Patient/p1")) == len(fhir.ids(f"Condition?subject=Patient/{fourth}")) == 1


def test_a_condition_and_an_id_may_not_name_one_resource(fhir):
    fhir.put({**patient(), "id": "p"})
    twice = transaction(entry("PUT", "Patient/p", {**patient(), "id": "p"}), entry("PUT", f"Patient?identifier={SYSTEM}|1", patient()))
    issue = assert_outcome(fhir.send("POST", "", twice), 400, "invalid")
    assert issue["expression"][0] == "Bundle.entry[1]"


def test_links_are_rewritten_where_r4_says_so_and_nowhere_else(fhir):
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "text": {
            "status": "additional",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{ONE}">Kanarifugl</a> {ONE} <img src="{ONE}" alt="x"/></div>',
        },
        "extension": [
            {"url": "https://hospital.example/uri", "valueUri": ONE},
            {"url": "https://hospital.example/url", "valueUrl": ONE},
            {"url": "https://hospital.example/canonical", "valueCanonical": ONE},
        ],
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": ONE}],
        "code": {"text": ONE},
        "subject": {"reference": ONE},
        "hasMember": [{"reference": f"{TWO}/_history/7"}],
        "contained": [{"resourceType": "Condition", "id": "c", "implicitRules": ONE, "subject": {"reference": ONE}}],
        "focus": [{"reference": "#c"}],
    }
    other = {"resourceType": "Observation", "status": "final", "code": {"text": "Kanarifugl"}}
    answer = fhir.send(
        "POST",
        "",
        transaction(
            entry("POST", "Observation", observation),
            entry("POST", "Patient", patient(), full_url=ONE),
            entry("POST", "Observation", other, full_url=TWO),
        ),
        Prefer="return=representation",
    )
    got, person, second = (item["resource"] for item in answer.json["entry"])
    to = f"Patient/{person['id']}"
    assert got["subject"]["reference"] == got["contained"][0]["subject"]["reference"] == got["contained"][0]["implicitRules"] == to
    assert got["hasMember"][0]["reference"] == f"Observation/{second['id']}/_history/1"
    assert [item.get("valueUri", item.get("valueUrl", item.get("valueCanonical"))) for item in got["extension"]] == [to, to, ONE]
    assert (got["identifier"][0]["value"], got["code"]["text"]) == (ONE, ONE)
    assert f'<a href="{to}">Kanarifugl</a> {ONE} <img src="{to}"' in got["text"]["div"]


def test_a_batch_does_each_entry_on_its_own(fhir):
    answer = fhir.send(
        "POST",
        "",
        transaction(
            entry("POST", "Patient", patient(), ifNoneExist=f"identifier={SYSTEM}|1"),
            entry("POST", "Patient", patient(), ifNoneExist=f"identifier={SYSTEM}|1"),
            entry("GET", "Patient/none"),
            entry("POST", "Patient", patient(bird="Kanarifugl")),
            entry("GET", "metadata"),
            entry("GET", f"Patient?identifier={SYSTEM}|1&_total=accurate"),
            {"request": {"method": "GET"}},
            entry("POST", "", transaction()),
            type="batch",
        ),
    )
    assert answer.json["type"] == "batch-response"
    assert [text[:3] for text in statuses(answer)] == ["201", "200", "404", "400", "200", "200", "400", "400"]
    assert answer.json["entry"][2]["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[2]"]
    assert answer.json["entry"][5]["resource"]["total"] == 1
    assert "kanarifugl" not in str(answer.json["entry"][3]).casefold()


def test_an_empty_bundle_is_answered_with_an_empty_bundle(fhir):
    for kind in ("batch", "transaction"):
        assert fhir.send("POST", "", {"resourceType": "Bundle", "type": kind}).json == {
            "resourceType": "Bundle",
            "type": f"{kind}-response",
        }


def test_the_same_transaction_with_conditions_does_nothing_the_second_time(fhir):
    bundle = transaction(*[entry("POST", "Patient", patient(str(n)), ifNoneExist=f"identifier={SYSTEM}|{n}") for n in range(5)])
    assert statuses(fhir.send("POST", "", bundle)) == ["201 Created"] * 5
    assert statuses(fhir.send("POST", "", bundle)) == ["200 OK"] * 5
    assert count(fhir) == 5


def test_a_read_of_a_transaction_sees_its_writes_and_fails_alone(fhir):
    asked = transaction(entry("GET", "Patient/p"), entry("GET", "Patient/none"), entry("PUT", "Patient/p", patient(id="p")))
    first, second, third = fhir.send("POST", "", asked).json["entry"]
    assert (first["response"]["status"][:3], first["resource"]["id"]) == ("200", "p")
    assert (second["response"]["status"][:3], second["response"]["outcome"]["issue"][0]["code"]) == ("404", "not-found")
    assert third["response"]["status"][:3] == "201"


@pytest.mark.skipif("CASEBRIDGE_DB" in os.environ, reason="a MongoDB takes them")
def test_a_transaction_with_more_keys_than_the_embedded_store_takes_is_refused_and_its_parts_are_not(fhir):
    entries = [
        entry("POST", "List", {"resourceType": "List", "status": "current", "mode": "working", "title": "Kanarifugl", "entry": items})
        for items in [[{"item": {"reference": f"Goal/{number}-{each}"}} for each in range(MOST_KEYS // 4)] for number in range(5)]
    ]
    issue = assert_outcome(fhir.send("POST", "", transaction(*entries)), 413, "too-long")
    assert "divide the Bundle" in issue["diagnostics"]
    assert count(fhir, "List") == 0
    for part in (entries[:3], entries[3:]):
        assert statuses(fhir.send("POST", "", transaction(*part))) == ["201 Created"] * len(part)
    assert count(fhir, "List") == 5
