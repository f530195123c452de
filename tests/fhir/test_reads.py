"""Reading many resources at once, with remotes that answer a batch and remotes that do not."""

import json
from typing import Any

import pytest

from adapter.errors import RemoteUnauthorised
from adapter.fhir.client import FhirClient
from tests.fhir.remote import BASE, OUTCOME, PATIENT, Remote, add


def answers(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "batch-response", "entry": list(entries)}


def refused(status: int) -> dict[str, Any]:
    return {"response": {"status": f"{status} no", "outcome": OUTCOME}}


THREE = ["Patient/1", "Patient/2", "Goal/3"]


def test_many_are_read_in_one_request_and_what_is_gone_is_none(remote: Remote, client: FhirClient) -> None:
    add(remote, "POST", BASE, answers({"resource": PATIENT, "response": {"status": "200 OK"}}, refused(404), refused(410)))
    assert client.reads(THREE) == {"Patient/1": PATIENT, "Patient/2": None, "Goal/3": None}
    sent = json.loads(remote.calls[0].request.body or "")
    assert [entry["request"] for entry in sent["entry"]] == [{"method": "GET", "url": reference} for reference in THREE]


def test_a_remote_that_answers_no_batch_is_asked_one_by_one(remote: Remote, client: FhirClient) -> None:
    add(remote, "POST", BASE, OUTCOME, 405)
    add(remote, "GET", "Patient/1", PATIENT)
    add(remote, "GET", "Patient/2", OUTCOME, 410)
    add(remote, "GET", "Goal/3", OUTCOME, 403)
    assert client.reads(THREE) == {"Patient/1": PATIENT, "Patient/2": None}


def test_what_is_answered_with_something_else_is_asked_again_by_itself(remote: Remote, client: FhirClient) -> None:
    add(remote, "POST", BASE, answers({"resource": {**PATIENT, "id": "9"}, "response": {"status": "200"}}))
    add(remote, "GET", "Patient/1", PATIENT)
    assert client.reads(["Patient/1"]) == {"Patient/1": PATIENT}


def test_a_404_that_no_fhir_server_gave_is_not_taken_for_an_absence(remote: Remote, client: FhirClient) -> None:
    add(remote, "POST", BASE, OUTCOME, 405)
    add(remote, "GET", "Patient/1", "<html>", 404, content_type="text/html")
    assert client.reads(["Patient/1"]) == {}


def test_a_refused_login_ends_it(remote: Remote, client: FhirClient) -> None:
    add(remote, "POST", BASE, OUTCOME, 405)
    add(remote, "GET", "Patient/1", OUTCOME, 401)
    with pytest.raises(RemoteUnauthorised):
        client.reads(["Patient/1"])
