"""Operations are found by their definitions, and their parameters are checked against them."""

import pytest

from adapter.fhir.resource import check_structure
from server import create_app
from server.fhir.operations.definition import SYSTEM, definitions
from server.fhir.operations.registry import OPERATIONS

from ..fhir import Fhir, assert_outcome, patient


def test_every_definition_has_its_function_and_every_function_its_definition():
    assert set(definitions()) == set(OPERATIONS)


@pytest.mark.parametrize("id", OPERATIONS)
def test_a_definition_is_readable_and_valid(fhir, id):
    answer = fhir.send("GET", f"OperationDefinition/{id}")
    assert answer.status_code == 200
    check_structure(answer.json)
    assert answer.json["url"].endswith(f"/OperationDefinition/{id}")


def test_the_capability_statement_lists_every_operation_where_it_is_asked(fhir):
    [rest] = fhir.send("GET", "metadata").json["rest"]
    listed = {(resource["type"], row["definition"].rpartition("/")[2]) for resource in rest["resource"] for row in resource["operation"]}
    for id, definition in definitions().items():
        for type in definition.raw.get("resource", ()):
            assert ("Patient" if type == "Resource" else type, id) in listed
    assert ("Observation", "Patient-everything") not in listed
    of_server = {row["definition"].rpartition("/")[2] for row in rest["operation"]}
    assert of_server == {id for id, definition in definitions().items() if definition.raw["system"]} != set()


def test_every_listed_operation_is_answered_or_refused_for_its_parameters_never_unknown(fhir):
    id = fhir.create(patient())["id"]
    for name, definition in definitions().items():
        for type, instance in definition.places:
            on = "" if type == SYSTEM else f"{type or 'Patient'}/"
            path = f"{on}{id}/${definition.code}" if instance else f"{on}${definition.code}"
            answer = fhir.send("POST", path, {"resourceType": "Parameters"})
            assert answer.status_code in (200, 400, 404, 422), (name, answer.text)
            assert "is not offered here" not in answer.text


def test_a_definition_that_somebody_stored_is_theirs(fhir):
    mine = {**definitions()["Resource-meta"].raw, "description": "another"}
    assert fhir.put(mine).status_code == 201
    assert fhir.send("GET", "OperationDefinition/Resource-meta").json["description"] == "another"


def test_an_unknown_operation_is_refused(fhir):
    id = fhir.create(patient())["id"]
    assert_outcome(fhir.send("POST", "Patient/$no-such-operation"), 404, "not-found")
    assert_outcome(fhir.send("GET", f"Patient/{id}/$expand"), 404, "not-found")
    assert_outcome(fhir.send("GET", "Patient/$everything"), 404, "not-found")


def test_an_operation_of_a_type_that_is_none_is_not_found(fhir):
    assert_outcome(fhir.send("GET", "Kanarifugl/1/$meta"), 404, "not-found")


def test_what_changes_something_is_not_asked_by_get(fhir):
    id = fhir.create(patient())["id"]
    answer = fhir.send("GET", f"Patient/{id}/$meta-add")
    assert_outcome(answer, 405, "not-supported")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "query",
    ["_sinse=2025-01-01", "_since=2025", "_since=soon", "_count=x", "_count=1&_count=2", "_count=0", "_type=Kanarifugl", "_cursor=x"],
)
def test_parameters_that_are_not_the_definition_s_are_refused(fhir, query):
    id = fhir.create(patient())["id"]
    assert_outcome(fhir.send("GET", f"Patient/{id}/$everything?{query}"), 400, "invalid")


def test_an_unknown_parameter_is_left_out_where_the_caller_is_lenient(fhir):
    id = fhir.create(patient())["id"]
    assert fhir.send("GET", f"Patient/{id}/$everything?_sinse=2025", Prefer="handling=lenient").status_code == 200


def test_a_lenient_server_leaves_it_out_without_being_asked(repository):
    lenient = Fhir(create_app(repository, handling="lenient").test_client())
    id = lenient.create(patient())["id"]
    assert lenient.send("GET", f"Patient/{id}/$everything?_sinse=2025").status_code == 200
    assert_outcome(lenient.send("GET", f"Patient/{id}/$everything?_sinse=2025", Prefer="handling=strict"), 400, "invalid")


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Parameters"},
        {"resourceType": "Patient"},
        {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueString": "x"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"tag": "Kanarifugl"}}]},
        {"resourceType": "Parameters", "parameter": [{"valueMeta": {}}]},
        {"resourceType": "Parameters", "parameter": "Kanarifugl"},
        {"resourceType": "Parameters", "parameter": [{"name": "other", "valueString": "x"}]},
        b"{",
    ],
)
def test_a_body_that_is_not_the_definition_s_parameters_is_refused(fhir, body):
    id = fhir.create(patient())["id"]
    assert_outcome(fhir.send("POST", f"Patient/{id}/$meta-add", body), 400, "invalid")


def test_an_operation_can_be_an_entry_of_a_batch(fhir):
    id = fhir.create(patient())["id"]
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": f"Patient/{id}/$everything"}}]}
    [entry] = fhir.send("POST", "", batch).json["entry"]
    assert entry["response"]["status"].startswith("200")
    assert entry["resource"]["type"] == "searchset"
