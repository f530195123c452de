"""Web pages of other origins: https://fetch.spec.whatwg.org/#http-cors-protocol"""

import pytest

from adapter.errors import Invalid
from server import create_app

from .fhir import Fhir, assert_outcome, patient

APP = "https://app.example"


@pytest.fixture
def open_to_app(repository):
    return Fhir(create_app(repository, origins=[APP]).test_client())


def test_by_default_no_page_of_another_origin_may_read_or_write(fhir):
    assert "Access-Control-Allow-Origin" not in fhir.send("GET", "Patient", Origin=APP).headers
    assert_outcome(fhir.send("POST", "Patient", patient(), Origin=APP), 403, "forbidden")
    assert_outcome(fhir.send("DELETE", "Patient/1", Origin="null"), 403, "forbidden")
    assert fhir.ids("Patient") == set()


def test_a_page_of_our_own_origin_may_write(fhir):
    assert fhir.send("POST", "Patient", patient(), Origin="http://localhost").status_code == 201


def test_a_page_of_an_origin_that_is_named_may_do_all(open_to_app):
    answer = open_to_app.send("POST", "Patient", patient(), Origin=APP)
    assert answer.status_code == 201
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]


def test_a_browsers_question_before_a_request_is_answered(open_to_app):
    answer = open_to_app.send("OPTIONS", "Patient", Origin=APP, Access_Control_Request_Method="PUT")
    assert (answer.status_code, answer.data) == (204, b"")
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in answer.headers["Access-Control-Allow-Headers"]


def test_errors_too_can_be_read_by_a_page_that_may_ask(open_to_app):
    answer = open_to_app.send("GET", "Patient/none", Origin=APP)
    assert_outcome(answer, 404, "not-found")
    assert answer.headers["Access-Control-Allow-Origin"] == APP


def test_another_origin_than_those_named_may_nothing(open_to_app):
    other = "https://other.example"
    assert "Access-Control-Allow-Origin" not in open_to_app.send("GET", "Patient", Origin=other).headers
    assert "Access-Control-Allow-Origin" not in open_to_app.send("OPTIONS", "", Origin=other, Access_Control_Request_Method="PUT").headers
    assert_outcome(open_to_app.send("PUT", "Patient/1", patient(id="1"), Origin=other), 403, "forbidden")


@pytest.mark.parametrize("origin", ["*", "null", "app.example", "https://app.example/", "https://app.example/path"])
def test_what_is_no_origin_is_refused_at_the_start(repository, origin):
    with pytest.raises(Invalid):
        create_app(repository, origins=[origin])
