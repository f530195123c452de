"""What the CapabilityStatement claims is what the server does."""

import pytest

from adapter.fhir.resource import check_structure
from adapter.store import search
from adapter.store.search_parameters import table

from .fhir import patient

EXAMPLES = {
    "token": "a",
    "reference": "1",
    "string": "a",
    "date": "2025",
    "uri": "http://x.example",
    "quantity": "1",
    "number": "1",
    "composite": "a$2025",
}


@pytest.fixture
def statement(fhir):
    return fhir.send("GET", "metadata").json


@pytest.fixture
def rest(statement):
    [rest] = statement["rest"]
    return rest


def test_it_is_a_valid_r4_capability_statement(statement):
    check_structure(statement)
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["implementation"]["url"] == "http://localhost/fhir"


def test_every_claimed_parameter_of_every_type_is_understood(rest):
    claimed = {(resource["type"], row["name"]): row["type"] for resource in rest["resource"] for row in resource["searchParam"]}
    assert len(claimed) > 1000
    for (type, name), kind in claimed.items():
        assert search.parse(type, [(name, EXAMPLES[kind])]).clauses


def test_every_claimed_include_is_understood(rest):
    for resource in rest["resource"]:
        for include in resource.get("searchInclude", ()):
            assert search.parse(resource["type"], [("_include", include)]).includes
        for include in resource.get("searchRevInclude", ()):
            assert search.parse(resource["type"], [("_revinclude", include)]).includes


def test_all_types_of_r4_are_there(rest):
    types = {resource["type"] for resource in rest["resource"]}
    assert types == set(table())
    assert len(types) == 145
    assert not types & {"Parameters", "Resource", "DomainResource"}


def test_every_claimed_interaction_of_a_type_is_done(fhir, rest):
    [claims] = [resource for resource in rest["resource"] if resource["type"] == "Patient"]
    id = fhir.create(patient())["id"]
    answers = {
        "read": fhir.send("GET", f"Patient/{id}"),
        "vread": fhir.send("GET", f"Patient/{id}/_history/1"),
        "update": fhir.put({**patient("2"), "id": id}),
        "patch": fhir.send("PATCH", f"Patient/{id}", [], Content_Type="application/json-patch+json"),
        "history-instance": fhir.send("GET", f"Patient/{id}/_history"),
        "history-type": fhir.send("GET", "Patient/_history"),
        "create": fhir.send("POST", "Patient", patient()),
        "search-type": fhir.send("GET", "Patient"),
        "delete": fhir.send("DELETE", f"Patient/{id}"),
    }
    assert set(answers) == {interaction["code"] for interaction in claims["interaction"]}
    assert {answer.status_code for answer in answers.values()} == {200, 201, 204}


def test_every_claimed_interaction_of_the_system_is_done(fhir, rest):
    answers = {
        "batch": fhir.send("POST", "", {"resourceType": "Bundle", "type": "batch"}),
        "transaction": fhir.send("POST", "", {"resourceType": "Bundle", "type": "transaction"}),
        "history-system": fhir.send("GET", "_history"),
        "search-system": fhir.send("GET", "?_type=Patient"),
    }
    assert set(answers) == {interaction["code"] for interaction in rest["interaction"]}
    assert {answer.status_code for answer in answers.values()} == {200}
