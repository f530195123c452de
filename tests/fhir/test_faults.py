"""What the client makes of faults: each a typed error with a safe text, or a request sent again."""

from typing import Any

import pytest
import requests
from responses import matchers

from adapter.errors import (
    CasebridgeError,
    MultipleMatches,
    RemoteConflict,
    RemoteFatal,
    RemoteGone,
    RemoteTemporary,
    RemoteUnauthorised,
)
from adapter.fhir import bundle
from adapter.fhir.client import FhirClient
from adapter.fhir.retry import RetryPolicy
from tests.fhir.remote import BASE, OUTCOME, PATIENT, Remote, add, searchset


def test_a_remote_that_is_down_is_tried_five_times_with_growing_waits(remote: Remote, client: FhirClient, waits: list[float]) -> None:
    down = add(remote, "GET", "Patient/1", requests.ConnectionError("https://ehr.example/fhir/Patient?name=Kanarifugl"))
    with pytest.raises(RemoteTemporary, match="cannot be reached") as caught:
        client.read("Patient", "1")
    assert down.call_count == 5
    assert [low <= wait <= 2 * low for low, wait in zip((0.25, 0.5, 1, 2), waits, strict=True)] == [True] * 4
    assert caught.value.__cause__ is None
    assert "Kanarifugl" not in str(caught.value)


def test_a_remote_that_is_too_slow_is_temporary(remote: Remote, client: FhirClient) -> None:
    add(remote, "GET", "Patient/1", requests.ReadTimeout("Kanarifugl"))
    with pytest.raises(RemoteTemporary, match="did not answer in time"):
        client.read("Patient", "1")


def test_a_certificate_that_is_not_accepted_is_fatal_and_not_tried_again(remote: Remote, client: FhirClient) -> None:
    refused = add(remote, "GET", "Patient/1", requests.exceptions.SSLError("no"))
    with pytest.raises(RemoteFatal, match="SSLError"):
        client.read("Patient", "1")
    assert refused.call_count == 1


def test_a_web_page_hints_at_a_wrong_base_url(remote: Remote, client: FhirClient) -> None:
    add(remote, "GET", "metadata", "<html>Kanarifugl</html>", content_type="text/html; charset=utf-8")
    with pytest.raises(RemoteFatal, match=r"GET metadata at .*: the answer is text/html.*base URL right") as caught:
        client.capability()
    assert "Kanarifugl" not in caught.value.text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RemoteFatal),
        (401, RemoteUnauthorised),
        (403, RemoteUnauthorised),
        (404, RemoteGone),
        (405, RemoteFatal),
        (409, RemoteConflict),
        (410, RemoteGone),
        (412, RemoteConflict),
        (422, RemoteFatal),
        (501, RemoteFatal),
    ],
)
def test_a_refusal_has_a_type_and_is_not_tried_again(remote: Remote, client: FhirClient, status: int, kind: type[CasebridgeError]) -> None:
    add(remote, "PUT", "Patient/1", OUTCOME, status)
    with pytest.raises(CasebridgeError) as caught:
        client.update(PATIENT, if_match="3")
    assert type(caught.value) is kind
    assert len(remote.calls) == 1
    assert caught.value.expression == ("Patient.name[0].family",)
    text = f"PUT Patient/1 at {BASE}/Patient/1: the remote answered {status} (error invalid Patient.name[0].family)"
    login = "; it does not accept who we say we are: look at `auth` in its settings"
    assert caught.value.text == text + (login if status == 401 else "")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_temporary_status_is_tried_again_and_then_raised(remote: Remote, client: FhirClient, status: int) -> None:
    answer = add(remote, "GET", "Patient/1", "<html>Bad gateway</html>", status, content_type="text/html")
    with pytest.raises(RemoteTemporary) as caught:
        client.read("Patient", "1")
    assert (answer.call_count, caught.value.http_status) == (5, status)


def test_a_proxy_s_404_does_not_look_like_a_deletion(remote: Remote, client: FhirClient) -> None:
    add(remote, "GET", "Patient/1", "<html>Not found</html>", 404, content_type="text/html")
    add(remote, "DELETE", "Patient/1", "<html>Not found</html>", 404, content_type="text/html")
    with pytest.raises(RemoteFatal) as caught:
        client.read("Patient", "1")
    assert type(caught.value) is RemoteFatal
    with pytest.raises(RemoteFatal):
        client.delete("Patient", "1")


def test_a_search_of_an_unknown_type_is_not_gone(remote: Remote, client: FhirClient) -> None:
    add(remote, "GET", "Patients", OUTCOME, 404)
    with pytest.raises(RemoteFatal) as caught:
        next(client.search("Patients", {}))
    assert type(caught.value) is RemoteFatal


@pytest.mark.parametrize("after", ["7", "Tue, 22 Apr 2025 12:00:07 GMT"])
def test_retry_after_is_obeyed_in_seconds_and_as_a_date(remote: Remote, client: FhirClient, waits: list[float], after: str) -> None:
    add(remote, "GET", "Patient/1", OUTCOME, 429, headers={"Retry-After": after})
    add(remote, "GET", "Patient/1", PATIENT)
    assert client.read("Patient", "1").version == "3"
    assert waits == [7.0]


def test_a_retry_date_is_read_by_the_server_s_own_clock(remote: Remote, client: FhirClient, waits: list[float]) -> None:
    skewed = {"Retry-After": "Wed, 23 Apr 2025 12:00:09 GMT", "Date": "Wed, 23 Apr 2025 12:00:00 GMT"}
    add(remote, "GET", "Patient/1", OUTCOME, 503, headers=skewed)
    add(remote, "GET", "Patient/1", PATIENT)
    client.read("Patient", "1")
    assert waits == [9.0]


def test_a_wait_over_the_budget_is_left_to_the_caller(remote: Remote, client: FhirClient, waits: list[float]) -> None:
    add(remote, "GET", "Patient/1", OUTCOME, 429, headers={"Retry-After": "3600"})
    with pytest.raises(RemoteTemporary) as caught:
        client.read("Patient", "1")
    assert (caught.value.retry_after, waits) == (3600.0, [])


def test_only_what_is_safe_to_repeat_is_repeated(remote: Remote, client: FhirClient) -> None:
    for method, path in (("POST", "Patient"), ("POST", ""), ("PUT", "Patient/1")):
        add(remote, method, path.rstrip("/") if path else BASE, OUTCOME, 503)
    entry = bundle.create(PATIENT, if_none_exist="identifier=a")

    def calls(action: Any) -> int:
        before = len(remote.calls)
        with pytest.raises(RemoteTemporary):
            action()
        return len(remote.calls) - before

    assert calls(lambda: client.create(PATIENT)) == 1
    assert calls(lambda: client.create(PATIENT, if_none_exist="identifier=a")) == 5
    assert calls(lambda: client.update(PATIENT, if_match="3")) == 5
    assert calls(lambda: client.transaction(bundle.transaction([entry, bundle.create(PATIENT)]))) == 1
    assert calls(lambda: client.transaction(bundle.transaction([entry, bundle.update(PATIENT, if_match="3")]))) == 5


def test_a_412_on_several_matches_is_not_a_conflict(remote: Remote, client: FhirClient) -> None:
    add(remote, "POST", "Patient", OUTCOME, 412)
    with pytest.raises(MultipleMatches):
        client.create(PATIENT, if_none_exist="identifier=a")
    add(remote, "POST", BASE, OUTCOME, 412)
    both = [bundle.create(PATIENT, if_none_exist="identifier=a"), bundle.update(PATIENT, if_match="3")]
    with pytest.raises(RemoteConflict):
        client.transaction(bundle.transaction(both))


def test_a_read_that_answers_with_another_type_is_refused(remote: Remote, client: FhirClient) -> None:
    add(remote, "GET", "Patient/1", {"resourceType": "Device", "id": "1"})
    with pytest.raises(RemoteFatal, match="answered with Device, not Patient"):
        client.read("Patient", "1")


@pytest.mark.parametrize("body", ["", "{}", '{"resourceType": "Bundle", "entry": "x"}', '{"resourceType": "Bundle", "entry": [1]}'])
def test_a_search_that_answers_with_no_bundle_is_refused(remote: Remote, client: FhirClient, body: str) -> None:
    add(remote, "GET", "Patient", body, headers={"Date": "Tue, 22 Apr 2025 12:00:07 GMT"})
    with pytest.raises(RemoteFatal):
        list(client.search("Patient", {}))


def test_a_remote_that_dies_midway_gives_what_it_gave_and_then_a_temporary_error(remote: Remote, client: FhirClient) -> None:
    add(remote, "GET", "Patient", searchset(PATIENT, next="?page=2"), match=[matchers.query_param_matcher({"_count": "200"})])
    add(remote, "GET", "Patient?page=2", requests.ConnectionError("reset"))
    pages = client.search("Patient", {})
    assert len(next(pages).entries) == 1
    with pytest.raises(RemoteTemporary):
        next(pages)


def test_a_text_that_ends_too_soon_is_temporary_and_a_broken_one_fatal(remote: Remote, client: FhirClient) -> None:
    add(remote, "GET", "Patient/1", '{"resourceType": "Patient", "name": [{"family": "Kanarif')
    add(remote, "GET", "Patient/2", '{"resourceType": Kanarifugl}')
    with pytest.raises(RemoteTemporary, match="cut off"):
        client.read("Patient", "1")
    with pytest.raises(RemoteFatal, match="broken") as caught:
        client.read("Patient", "2")
    assert "Kanarifugl" not in caught.value.text


def test_an_answer_over_the_limit_is_refused(remote: Remote) -> None:
    add(remote, "GET", "Patient/1", PATIENT)
    with FhirClient(BASE, max_bytes=50) as client, pytest.raises(RemoteFatal, match="over 50 bytes"):
        client.read("Patient", "1")


def test_a_header_that_cannot_be_sent_is_refused_without_its_value(client: FhirClient) -> None:
    with pytest.raises(RemoteFatal, match="InvalidHeader") as caught:
        client.create(PATIENT, if_none_exist="name=Kanarifugl\r\nX-Other: 1")
    assert "Kanarifugl" not in caught.value.text


def test_a_policy_of_one_attempt_never_waits(remote: Remote) -> None:
    waits: list[float] = []
    add(remote, "GET", "Patient/1", OUTCOME, 503)
    with FhirClient(BASE, retry=RetryPolicy(attempts=1), sleep=waits.append) as client, pytest.raises(RemoteTemporary):
        client.read("Patient", "1")
    assert (len(remote.calls), waits) == (1, [])
