"""Counting many searches at once, with remotes that answer a batch and remotes that do not."""

import json
from typing import Any

import pytest
import requests
from responses import matchers

from adapter.errors import RemoteFatal, RemoteUnauthorised
from adapter.fhir.client import FhirClient
from tests.fhir.remote import BASE, OUTCOME, Remote, add, searchset

SEARCHES = {"Patient": {"_lastUpdated": "ge2025-04-22T09:00:00+02:00"}, "Goal": {}}


def answers(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "batch-response", "entry": list(entries)}


def counted(total: int) -> dict[str, Any]:
    return {"resource": searchset(total=total), "response": {"status": "200 OK"}}


def singly(remote: Remote, type: str, total: int) -> None:
    add(remote, "GET", type, searchset(total=total), match=[matchers.query_param_matcher({**SEARCHES[type], "_summary": "count"})])


def test_searches_are_counted_in_one_request_past_the_remotes_cache(remote: Remote, client: FhirClient) -> None:
    fresh = matchers.header_matcher({"Cache-Control": "no-cache"})
    add(remote, "POST", BASE, answers(counted(3), counted(0)), match=[fresh])
    assert client.counts(SEARCHES) == {"Patient": 3, "Goal": 0}
    sent = json.loads(remote.calls[0].request.body or "")
    assert [entry["request"]["method"] for entry in sent["entry"]] == ["GET", "GET"]
    asked = [entry["request"]["url"] for entry in sent["entry"]]
    assert asked == ["Patient?_lastUpdated=ge2025-04-22T09%3A00%3A00%2B02%3A00&_summary=count", "Goal?_summary=count"]


def test_many_searches_are_counted_in_several_requests(remote: Remote, client: FhirClient) -> None:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        return 200, {}, json.dumps(answers(*(counted(7) for _ in json.loads(request.body or "")["entry"])))

    remote.add_callback("POST", BASE, answer, content_type="application/fhir+json")
    assert client.counts({f"Type{number}": {} for number in range(120)}) == {f"Type{number}": 7 for number in range(120)}
    assert len(remote.calls) == 3


@pytest.mark.parametrize("body", [answers(counted(3)), answers(), OUTCOME])
def test_a_remote_that_answers_no_batch_is_asked_one_by_one(remote: Remote, client: FhirClient, body: dict[str, Any]) -> None:
    add(remote, "POST", BASE, body, 200 if body is not OUTCOME else 405)
    singly(remote, "Patient", 3)
    singly(remote, "Goal", 0)
    assert client.counts(SEARCHES) == {"Patient": 3, "Goal": 0}


def test_a_search_that_failed_in_the_batch_is_asked_again_by_itself(remote: Remote, client: FhirClient) -> None:
    add(remote, "POST", BASE, answers(counted(3), {"response": {"status": "500 Internal Server Error", "outcome": OUTCOME}}))
    singly(remote, "Goal", 4)
    assert client.counts(SEARCHES) == {"Patient": 3, "Goal": 4}


def test_a_refused_login_is_not_tried_again_search_by_search(remote: Remote, client: FhirClient) -> None:
    add(remote, "POST", BASE, OUTCOME, 401)
    with pytest.raises(RemoteUnauthorised):
        client.counts(SEARCHES)
    assert len(remote.calls) == 1


def test_a_search_without_a_total_in_the_end_is_an_error(remote: Remote, client: FhirClient) -> None:
    add(remote, "POST", BASE, answers(counted(3), {"resource": searchset(), "response": {"status": "200"}}))
    add(remote, "GET", "Goal", searchset())
    with pytest.raises(RemoteFatal, match="no total"):
        client.counts(SEARCHES)
