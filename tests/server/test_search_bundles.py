"""A search as the caller sees it: the Bundle, its links and entries."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from adapter.fhir.resource import check_structure

from .fhir import SYSTEM, assert_outcome, patient


def links(bundle):
    return {link["relation"]: link["url"] for link in bundle["link"]}


def test_a_search_answers_a_valid_searchset_bundle(fhir):
    id = fhir.create(patient())["id"]
    bundle = fhir.send("GET", f"Patient?identifier={SYSTEM}|1").json
    check_structure(bundle)
    assert (bundle["type"], bundle["total"]) == ("searchset", 1)
    assert bundle["entry"][0]["fullUrl"] == f"http://localhost/fhir/Patient/{id}"
    assert bundle["entry"][0]["search"] == {"mode": "match"}


def test_a_search_that_finds_nothing_has_no_entries(fhir):
    bundle = fhir.send("GET", "Goal").json
    assert bundle["total"] == 0
    assert "entry" not in bundle


def test_the_self_link_says_what_was_understood(fhir):
    answer = fhir.send("GET", "Patient?name=Kanarifugl&bird=1&_count=3", Prefer="handling=lenient")
    url = urlsplit(links(answer.json)["self"])
    assert (url.netloc, url.path) == ("localhost", "/fhir/Patient")
    assert parse_qsl(url.query) == [("name", "Kanarifugl"), ("_count", "3")]
    [entry] = answer.json["entry"]
    assert entry["search"]["mode"] == "outcome"
    assert "bird" in entry["resource"]["issue"][0]["diagnostics"]
    check_structure(answer.json)


def test_links_use_the_host_that_the_caller_used(fhir):
    fhir.create(patient())
    fhir.create(patient())
    bundle = fhir.send("GET", "Patient?_count=1", Host="127.0.0.1:8080").json
    assert all(url.startswith("http://127.0.0.1:8080/fhir/Patient") for url in links(bundle).values())


def test_an_unknown_parameter_is_refused_unless_the_caller_is_lenient(fhir):
    issue = assert_outcome(fhir.send("GET", "Patient?bird=Kanarifugl"), 400, "invalid")
    assert issue["expression"] == ["bird"]
    assert_outcome(fhir.send("GET", "Patient?bird=1", Prefer="handling=strict"), 400, "invalid")


def test_a_search_by_post_finds_the_same(fhir):
    id = fhir.create(patient())["id"]
    answer = fhir.send("POST", "Patient/_search?_count=5", "family=kanarifugl", Content_Type="application/x-www-form-urlencoded")
    assert [entry["resource"]["id"] for entry in answer.json["entry"]] == [id]
    link = links(answer.json)["self"]
    assert "kanarifugl" not in link, "who posts keeps names out of URLs"
    assert fhir.send("GET", link.partition("/fhir/")[2]).json == answer.json


def test_an_absolute_reference_to_this_server_is_one_to_a_resource_here(fhir):
    id = fhir.create(patient())["id"]
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "Kanarifugl"}, "subject": {"reference": f"Patient/{id}"}}
    expected = {fhir.create(flag)["id"]}
    for text in (id, f"Patient/{id}", f"http://localhost/fhir/Patient/{id}"):
        assert fhir.ids(f"Flag?patient={text}") == expected


def test_included_resources_are_marked(fhir):
    id = fhir.create(patient())["id"]
    fhir.create({"resourceType": "Flag", "status": "active", "code": {"text": "Kanarifugl"}, "subject": {"reference": f"Patient/{id}"}})
    bundle = fhir.send("GET", "Flag?_include=Flag:subject").json
    assert [(entry["resource"]["resourceType"], entry["search"]["mode"]) for entry in bundle["entry"]] == [
        ("Flag", "match"),
        ("Patient", "include"),
    ]
    assert bundle["total"] == 1


@pytest.mark.parametrize("query", ["_summary=count", "_count=0"])
def test_a_count_alone_has_no_entries(fhir, query):
    fhir.create(patient())
    bundle = fhir.send("GET", f"Patient?{query}").json
    assert bundle["total"] == 1
    assert "entry" not in bundle
    assert "next" not in links(bundle)
