"""Whatever goes wrong under /fhir is told in an OperationOutcome that quotes nothing of the request."""

import pytest

from adapter.store.repository import Repository
from server import create_app

from .fhir import Fhir, assert_outcome, entry, patient


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [
        ("GET", "Patient/none", None, {}, 404, "not-found"),
        ("GET", "Kanarifugl/1", None, {}, 404, "not-found"),
        ("GET", "Kanarifugl", None, {}, 404, "not-found"),
        ("GET", "Kanarifugl/_history", None, {}, 404, "not-found"),
        ("POST", "Kanarifugl", {"resourceType": "Kanarifugl"}, {}, 404, "not-found"),
        ("DELETE", "Kanarifugl/1", None, {}, 404, "not-found"),
        ("GET", "Patient/1/2/3/4", None, {}, 404, "not-found"),
        ("PUT", "", None, {}, 405, "not-supported"),
        ("POST", "Patient/1", patient(), {}, 405, "not-supported"),
        ("PATCH", "Patient/1", [], {}, 400, "invalid"),
        ("PATCH", "Patient/1", "<diff/>", {"Content_Type": "application/xml-patch+xml"}, 415, "not-supported"),
        ("PATCH", "Patient", [], {}, 405, "not-supported"),
        ("PUT", "Patient", patient(), {}, 405, "not-supported"),
        ("PUT", "Patient/1?name=Kanarifugl", patient(id="1"), {}, 400, "invalid"),
        ("PUT", "Patient?bird=Kanarifugl", patient(), {}, 400, "invalid"),
        ("DELETE", "Patient?_count=1", None, {}, 400, "invalid"),
        ("DELETE", "Patient?_format=json", None, {}, 400, "invalid"),
        ("DELETE", "Patient", None, {}, 405, "not-supported"),
        ("POST", "Patient", '{"resourceType":"Patient","name":[{"family":"Kanarifugl}', {}, 400, "invalid"),
        ("POST", "Patient", b"\xff\xfeKanarifugl", {}, 400, "invalid"),
        ("POST", "Patient", "[" * 100_000, {}, 400, "invalid"),
        ("POST", "Patient", "[1]", {}, 400, "invalid"),
        ("POST", "Patient", "", {}, 400, "invalid"),
        ("POST", "Patient", {"name": "Kanarifugl"}, {}, 400, "invalid"),
        ("POST", "Patient", {"resourceType": "Observation"}, {}, 400, "invalid"),
        ("POST", "Patient", {"resourceType": "Patient", "meta": "Kanarifugl"}, {}, 400, "invalid"),
        ("POST", "Patient", "<Patient>Kanarifugl</Patient>", {"Content_Type": "application/fhir+xml"}, 415, "not-supported"),
        ("POST", "Patient", "{}", {"Content_Type": "text/plain"}, 415, "not-supported"),
        ("POST", "Patient/_search", "{}", {"Content_Type": "text/plain"}, 415, "not-supported"),
        ("GET", "Patient", None, {"Accept": "application/fhir+xml"}, 406, "not-supported"),
        ("GET", "Patient", None, {"Accept": "application/json;q=0"}, 406, "not-supported"),
        ("GET", "metadata?_format=xml", None, {}, 406, "not-supported"),
        ("GET", "Patient", None, {"Accept": "application/fhir+json; fhirVersion=5.0"}, 406, "not-supported"),
        ("POST", "Patient", patient(), {"Content_Type": "application/fhir+json; fhirVersion=3.0"}, 415, "not-supported"),
        ("GET", "_history?_at=Kanarifugl", None, {}, 400, "invalid"),
        ("GET", "Patient/_history?name=Kanarifugl", None, {}, 400, "invalid"),
        ("GET", "_history?_since=Kanarifugl", None, {}, 400, "invalid"),
        ("GET", "_history?_count=-1", None, {}, 400, "invalid"),
        ("GET", "_history?_cursor=Kanarifugl", None, {}, 400, "invalid"),
        ("GET", "Patient?_cursor=Kanarifugl", None, {}, 400, "invalid"),
        ("POST", "", {"resourceType": "Patient"}, {}, 400, "invalid"),
        ("POST", "", {"resourceType": "Bundle", "type": "history"}, {}, 400, "invalid"),
        ("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": "Kanarifugl"}, {}, 400, "invalid"),
    ],
)
def test_a_wrong_request_gets_an_outcome(fhir, method, path, body, headers, status, code):
    assert_outcome(fhir.send(method, path, body, **headers), status, code)


def test_an_unknown_element_is_refused_with_its_path(fhir):
    issue = assert_outcome(fhir.send("POST", "Patient", patient(favouriteBird="Kanarifugl")), 400, "invalid")
    assert issue["expression"] == ["Patient.favouriteBird"]


@pytest.mark.parametrize("depth", [20, 200, 400, 700, 900, 2000])
def test_what_is_nested_too_deep_is_refused(fhir, depth):
    extension = '{"url":"https://h.example/x","extension":[' * depth + '{"url":"https://h.example/x","valueCode":"x"}' + "]}" * depth
    text = f'{{"resourceType":"Patient","id":"p","extension":[{extension}]}}'
    item = f'{{"request":{{"method":"PUT","url":"Patient/p"}},"resource":{text}}}'
    wrapped = f'{{"resourceType":"Bundle","type":"transaction","entry":[{item}]}}'
    for answer in (fhir.send("PUT", "Patient/p", text), fhir.send("POST", "", wrapped)):
        if depth > 20:
            assert_outcome(answer, 400, "invalid")
        assert answer.status_code < 500
    patch = f'[{{"op":"add","path":"/extension","value":[{extension}]}}]'
    fhir.put(patient(id="q"))
    assert fhir.send("PATCH", "Patient/q", patch, Content_Type="application/json-patch+json").status_code == (200 if depth == 20 else 400)


def test_a_code_that_r4_does_not_have_is_refused_with_its_path(fhir):
    issue = assert_outcome(fhir.send("POST", "Patient", patient(gender="Kanarifugl", contact=[{"gender": "Kanarifugl"}])), 400, "invalid")
    assert issue["expression"] == ["Patient.gender", "Patient.contact.gender"]


def test_a_method_that_a_path_does_not_take_is_told_with_those_it_takes(fhir):
    assert fhir.send("POST", "Patient/1", {}).headers["Allow"] == "DELETE, GET, HEAD, PATCH, PUT"
    assert fhir.send("DELETE", "Patient").headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+json",
        "application/json",
        "*/*",
        "application/fhir+json;fhirVersion=4.0;q=0.5",
        "text/html,*/*;q=0.8",
        "application/fhir+xml, application/fhir+json;q=0.5",
    ],
)
def test_whoever_takes_json_gets_it(fhir, accept):
    assert fhir.send("GET", "Patient", Accept=accept).status_code == 200


def test_the_format_parameter_goes_before_the_accept_header(fhir):
    assert fhir.send("GET", "Patient?_format=application/fhir%2Bjson", Accept="application/fhir+xml").status_code == 200
    assert fhir.send("GET", "Patient?_format=application/fhir+json", Accept="application/fhir+xml").status_code == 200


def test_a_body_over_the_limit_is_refused(repository):
    small = Fhir(create_app(repository, max_body=1000).test_client())
    assert_outcome(small.send("POST", "Patient", patient(text={"status": "additional", "div": "Kanarifugl" * 200})), 413, "too-long")


def test_a_resource_that_mongodb_cannot_keep_is_refused(fhir):
    big = {"resourceType": "Basic", "code": {"text": "Kanarifugl" * 1_700_000}}
    assert_outcome(fhir.send("POST", "Basic", big), 413, "too-long")
    assert fhir.put({**big, "id": "b", "code": {"text": "Kanarifugl"}}).status_code == 201
    assert_outcome(fhir.put({**big, "id": "b"}), 413, "too-long")
    grown = [{"op": "replace", "path": "/code", "value": big["code"]}]
    assert_outcome(fhir.send("PATCH", "Basic/b", grown, Content_Type="application/json-patch+json"), 413, "too-long")
    many = {"resourceType": "Bundle", "type": "transaction", "entry": [entry("POST", "Patient", patient()), entry("POST", "Basic", big)]}
    assert_outcome(fhir.send("POST", "", many), 413, "too-long")
    assert (fhir.ids("Patient"), fhir.send("GET", "Basic/b").json["meta"]["versionId"]) == (set(), "1")


def test_a_host_that_is_not_ours_is_refused(client):
    answer = client.get("/fhir/Patient", headers={"Host": "attacker.example"})
    assert_outcome(answer, 400, "invalid")


def test_what_nobody_expected_gets_a_number_that_the_log_has(database, monkeypatch, caplog):
    repository = Repository(database)
    monkeypatch.setattr(repository, "row", lambda type, id: {}["Kanarifugl"])
    issue = assert_outcome(Fhir(create_app(repository).test_client()).send("GET", "Patient/1"), 500, "exception")
    number = issue["diagnostics"].split()[-1].rstrip(".")
    assert len(number) == 32


def test_outside_fhir_a_problem_is_told_as_problem_json(client):
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert answer.json == {"title": "Not Found", "status": 404, "detail": "There is nothing at this path.", "code": "not-found"}


def test_health_is_told(client):
    assert client.get("/health").json == {"status": "ok"}
