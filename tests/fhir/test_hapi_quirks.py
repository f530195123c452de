"""What a real HAPI 8.8 does that a reader of the specification would not expect, and what the client makes of it."""

from dataclasses import dataclass, field

import pytest
from requests import PreparedRequest
from requests.auth import AuthBase

from adapter.errors import MultipleMatches, RemoteConflict, RemoteFatal, RemoteGone, RemoteTemporary
from adapter.fhir import bundle, references
from adapter.fhir.outcome import codes
from adapter.fhir.resource import Raw
from tests.fhir.conftest import Recorded


@dataclass(frozen=True)
class Sent(AuthBase):
    """Sends the request otherwise than the client would: another header, or a next link that the server has forgotten."""

    headers: dict[str, str] = field(default_factory=dict)
    forget: bool = False

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers.update(self.headers)
        if self.forget:
            request.url = (request.url or "").replace("_getpages=", "_getpages=00000000-0000-0000-0000-000000000000&was=")
        return request


def goal(patient: str) -> Raw:
    return {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "description": {"text": "Kanarifugl"},
        "subject": {"reference": patient},
    }


def test_a_stale_if_match_is_a_conflict_though_hapi_says_409(recorded: Recorded) -> None:
    first = recorded.client.create(recorded.patient())
    changed = {**recorded.patient(), "id": first.id, "active": True}
    assert recorded.client.update(changed, if_match=first.version).version == "2"
    with pytest.raises(RemoteConflict) as caught:
        recorded.client.update({**changed, "active": False}, if_match=first.version)
    assert caught.value.http_status == 409
    with pytest.raises(RemoteConflict):
        recorded.client.transaction(bundle.transaction([bundle.update({**changed, "active": False}, if_match="1")]))


def test_a_deletion_checks_the_version_though_hapi_does_not(recorded: Recorded) -> None:
    first = recorded.client.create(recorded.patient())
    recorded.client.update({**recorded.patient(active=True), "id": first.id}, if_match="1")
    with pytest.raises(RemoteConflict):
        recorded.client.delete("Patient", first.id, if_match="1")
    assert recorded.client.read("Patient", first.id).version == "2"
    recorded.client.delete("Patient", first.id, if_match="2")
    recorded.client.delete("Patient", first.id, if_match="2")
    ignored = recorded.client.create(recorded.patient("b"))
    recorded.client.update({**recorded.patient("b", active=True), "id": ignored.id}, if_match="1")
    stale = recorded.session.delete(f"{recorded.base}/Patient/{ignored.id}", headers={"If-Match": 'W/"1"'}, timeout=60)
    assert stale.status_code == 200


def test_a_condition_that_finds_several_is_told_apart_from_a_conflict(recorded: Recorded) -> None:
    for _ in range(2):
        recorded.client.create(recorded.patient())
    with pytest.raises(MultipleMatches):
        recorded.client.create(recorded.patient(), if_none_exist=recorded.only())
    with pytest.raises(MultipleMatches):
        recorded.client.transaction(
            bundle.transaction([bundle.create(recorded.patient(), if_none_exist=recorded.only(), full_url="urn:uuid:1")])
        )


def test_a_conditional_create_makes_one_and_then_finds_it(recorded: Recorded) -> None:
    first = recorded.client.create(recorded.patient(), if_none_exist=recorded.only())
    again = recorded.client.create(recorded.patient(), if_none_exist=recorded.only())
    assert (first.created, first.version, again.created) == (True, "1", False)
    assert (again.id, again.version) == (first.id, first.version)
    assert again.raw is not None
    assert again.raw["name"] == [{"family": "Kanarifugl"}]


def test_an_identical_update_makes_no_new_version(recorded: Recorded) -> None:
    first = recorded.client.create(recorded.patient())
    again = recorded.client.update({**recorded.patient(), "id": first.id}, if_match=first.version)
    assert (again.version, again.created) == ("1", False)


def test_an_update_of_what_the_remote_never_had_says_that_it_created(recorded: Recorded) -> None:
    written = recorded.client.update({**recorded.patient(), "id": f"k{recorded.run}"}, if_match="7")
    assert (written.created, written.id, written.version) == (True, f"k{recorded.run}", "1")


def test_the_remote_chooses_the_id_and_refuses_numbers_of_ours(recorded: Recorded) -> None:
    written = recorded.client.create({**recorded.patient(), "id": "ours"})
    assert written.id != "ours"
    with pytest.raises(RemoteFatal) as caught:
        recorded.client.update({**recorded.patient(), "id": "987654321"}, if_match="1")
    assert caught.value.http_status == 400


def test_a_dangling_reference_refuses_the_whole_transaction(recorded: Recorded) -> None:
    entries = [bundle.create(recorded.patient(), full_url="urn:uuid:1"), bundle.create(goal("Patient/no-such-one"), full_url="urn:uuid:2")]
    with pytest.raises(RemoteFatal) as caught:
        recorded.client.transaction(bundle.transaction(entries))
    assert caught.value.http_status == 400
    assert recorded.client.count("Patient", {"identifier": recorded.key()}) == 0


def test_what_others_refer_to_cannot_be_deleted(recorded: Recorded) -> None:
    patient = recorded.client.create(recorded.patient())
    recorded.client.create(goal(f"Patient/{patient.id}"))
    with pytest.raises(RemoteConflict):
        recorded.client.delete("Patient", patient.id)


def test_a_transaction_tells_ids_and_bare_versions_in_the_order_asked(recorded: Recorded) -> None:
    known = recorded.client.create(recorded.patient("known"))
    own = "urn:uuid:6a3a5b52-6a50-4d8c-8f8e-5d3c2f9d1c11"
    entries = [
        bundle.create(goal(own), full_url="urn:uuid:6a3a5b52-6a50-4d8c-8f8e-5d3c2f9d1c12"),
        bundle.create(recorded.patient(), if_none_exist=recorded.only(), full_url=own),
        bundle.update({**recorded.patient("known"), "id": known.id, "active": True}, if_match=known.version),
        bundle.create(
            recorded.patient("known"), if_none_exist=recorded.only("known"), full_url="urn:uuid:6a3a5b52-6a50-4d8c-8f8e-5d3c2f9d1c13"
        ),
    ]
    made, patient, updated, found = recorded.client.transaction(bundle.transaction(entries))
    assert [(r.status, r.type, r.version) for r in (made, patient, updated, found)] == [
        (201, "Goal", "1"),
        (201, "Patient", "1"),
        (200, "Patient", "2"),
        (200, "Patient", "1"),
    ], "a transaction creates before it updates, so the condition found version 1"
    assert (updated.id, found.id) == (known.id, known.id)
    assert made.raw is not None
    assert [r["reference"] for r in references.walk(made.raw)] == [f"Patient/{patient.id}"]


def test_a_conditional_reference_without_a_match_is_refused_not_gone(recorded: Recorded) -> None:
    entry = bundle.create(goal(f"Patient?{recorded.only()}"), full_url="urn:uuid:1")
    with pytest.raises(RemoteFatal) as caught:
        recorded.client.transaction(bundle.transaction([entry]))
    assert caught.value.http_status == 404
    assert not isinstance(caught.value, RemoteGone)


def test_pages_follow_opaque_next_links_to_the_last(recorded: Recorded) -> None:
    made = [recorded.client.create(recorded.patient()).id for _ in range(5)]
    pages = list(recorded.client_with(page_size=2).search("Patient", {"identifier": recorded.key(), "_sort": "_id"}))
    assert [len(page.entries) for page in pages] == [2, 2, 1]
    assert sorted(raw["id"] for page in pages for raw in page.entries) == sorted(made)
    assert "_getpages=" in pages[1].url
    assert all(page.server_time.utcoffset() is not None for page in pages)
    assert recorded.client.count("Patient", {"identifier": recorded.key()}) == 5


def test_a_page_that_expired_asks_for_the_search_to_be_made_again(recorded: Recorded) -> None:
    for _ in range(3):
        recorded.client.create(recorded.patient())
    pages = recorded.client_with(page_size=2, auth=Sent(forget=True)).search("Patient", {"identifier": recorded.key()})
    next(pages)
    with pytest.raises(RemoteTemporary) as caught:
        next(pages)
    assert caught.value.http_status == 410


def test_a_search_made_again_at_once_sees_what_was_written_between(recorded: Recorded) -> None:
    def found() -> int:
        return sum(len(page.entries) for page in recorded.client.search("Patient", {"identifier": recorded.key()}))

    assert found() == 0
    recorded.client.create(recorded.patient())
    assert found() == 1
    assert recorded.client.count("Patient", {"identifier": recorded.key()}) == 1


def test_an_unknown_search_parameter_is_refused_with_no_value_in_the_text(recorded: Recorded) -> None:
    with pytest.raises(RemoteFatal) as caught:
        next(recorded.client.search("Patient", {"favourite-bird": "Kanarifugl"}))
    assert caught.value.http_status == 400
    assert "Kanarifugl" not in str(caught.value)


def test_a_write_tells_what_the_remote_kept_of_it(recorded: Recorded) -> None:
    written = recorded.client.create(recorded.patient(favouriteBird="canary"))
    assert written.raw is not None
    assert "favouriteBird" not in written.raw
    with pytest.raises(RemoteFatal) as caught:
        recorded.client.create(recorded.patient("b", gender="canary"))
    assert caught.value.http_status == 400


def test_a_deletion_is_done_however_often_it_is_asked(recorded: Recorded) -> None:
    written = recorded.client.create(recorded.patient())
    for id in (written.id, written.id, f"never-{recorded.run}"):
        recorded.client.delete("Patient", id)
    with pytest.raises(RemoteGone) as caught:
        recorded.client.read("Patient", written.id)
    assert caught.value.http_status == 410
    with pytest.raises(RemoteGone) as caught:
        recorded.client.read("Patient", f"never-{recorded.run}")
    assert caught.value.http_status == 404
    assert recorded.client.vread("Patient", written.id, "1").raw["name"] == [{"family": "Kanarifugl"}]


def test_history_tells_each_version_and_the_deletion_without_a_time(recorded: Recorded) -> None:
    written = recorded.client.create(recorded.patient())
    recorded.client.update({**recorded.patient(active=True), "id": written.id}, if_match="1")
    recorded.client.delete("Patient", written.id)
    entries = list(recorded.client_with(page_size=2).history("Patient", id=written.id))
    assert [(e.type, e.id, e.version, e.deleted, e.raw is None) for e in entries] == [
        ("Patient", written.id, "3", True, True),
        ("Patient", written.id, "2", False, False),
        ("Patient", written.id, "1", False, False),
    ]
    assert [e.updated is None for e in entries] == [True, False, False]


def test_a_remote_that_sends_no_body_back_still_tells_id_and_version(recorded: Recorded) -> None:
    client = recorded.client_with(auth=Sent({"Prefer": "return=minimal"}))
    written = client.create(recorded.patient())
    assert (written.raw, written.version, written.created) == (None, "1", True)
    again = client.update({**recorded.patient(active=True), "id": written.id}, if_match=written.version)
    assert (again.raw, again.id, again.version) == (None, written.id, "2")
    assert recorded.client.read("Patient", written.id).version == "2"


def test_a_remote_that_sends_an_outcome_back_still_tells_id_and_version(recorded: Recorded) -> None:
    written = recorded.client_with(auth=Sent({"Prefer": "return=OperationOutcome"})).create(recorded.patient())
    assert (written.raw, written.version) == (None, "1")
    assert recorded.client.read("Patient", written.id).updated is not None


def test_an_exported_file_read_as_fhir_is_a_binary_around_it(recorded: Recorded) -> None:
    """The bulk file itself needs `Accept: application/fhir+ndjson`; the wrapper must not be taken for the content."""
    recorded.client.create(recorded.patient())
    asked = {"_type": "Patient", "_typeFilter": f"Patient?{recorded.only()}"}
    refused = recorded.session.get(f"{recorded.base}/$export", params=asked, timeout=60)
    assert refused.status_code == 400
    start = recorded.session.get(f"{recorded.base}/$export", params=asked, headers={"Prefer": "respond-async"}, timeout=60)
    assert start.status_code == 202
    status = start.headers["Content-Location"]
    recorded.pause(10)
    done = recorded.session.get(status, timeout=60)
    for _ in range(20):
        if done.status_code == 200:
            break
        assert done.headers["Retry-After"] == "120"
        recorded.pause(3)
        done = recorded.session.get(status, timeout=60)
    file = done.json()["output"][0]["url"]
    wrapper = recorded.client.read("Binary", file.rpartition("/")[2])
    assert wrapper.raw["contentType"] == "application/fhir+ndjson"
    assert "data" in wrapper.raw


def test_a_resource_that_the_remote_changes_itself_has_moved_when_we_come_back(recorded: Recorded) -> None:
    """HAPI activates a Subscription a few seconds after it was written: version 2 is nobody's edit."""
    subscription = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "Kanarifugl",
        "criteria": f"CarePlan?{recorded.only()}",
        "channel": {"type": "rest-hook", "endpoint": "http://127.0.0.1:9/hook", "payload": "application/fhir+json"},
    }
    written = recorded.client.create(subscription)
    recorded.pause(15)
    now = recorded.client.read("Subscription", written.id)
    assert (written.version, now.version, now.raw["status"]) == ("1", "2", "active")
    with pytest.raises(RemoteConflict):
        recorded.client.update({**subscription, "id": written.id, "status": "off"}, if_match=written.version)


def test_the_two_wordings_of_a_reference_error_make_one_text(recorded: Recorded) -> None:
    with pytest.raises(RemoteFatal) as caught:
        recorded.client.create(goal("Patient/no-such-one"))
    assert caught.value.text == f"POST Goal at {recorded.base}/Goal: the remote answered 400 (error processing)"
    answer = recorded.session.post(f"{recorded.base}/Goal", json=goal("Patient/no-such-one"), timeout=60).json()
    wording = answer["issue"][0]["diagnostics"]
    assert "Goal.subject" in wording
    other = wording.replace("Goal.subject.where(resolve() is Patient)", "Goal.subject")
    assert codes(answer) == codes({**answer, "issue": [{**answer["issue"][0], "diagnostics": other}]}) == [("error", "processing", "")]


def test_a_next_link_built_from_a_proxy_s_host_is_refused_before_it_is_asked(recorded: Recorded) -> None:
    for _ in range(3):
        recorded.client.create(recorded.patient())
    behind = recorded.client_with(page_size=2, auth=Sent({"Host": "inside.example:8080"}))
    pages = behind.search("Patient", {"identifier": recorded.key()})
    assert len(next(pages).entries) == 2
    with pytest.raises(RemoteFatal, match=r"another host, http://inside\.example:8080/fhir"):
        next(pages)
