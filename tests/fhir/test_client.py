"""What the client sends, what it reads, and where its credentials go."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from responses import matchers

from adapter.errors import (
    Invalid,
    RemoteFatal,
)
from adapter.fhir import bundle
from adapter.fhir.auth import Bearer, Secret
from adapter.fhir.client import FhirClient
from tests.fhir.remote import BASE, FHIR, OUTCOME, PATIENT, Remote, add, searchset


def test_writes_carry_their_conditions(remote: Remote, client: FhirClient) -> None:
    made = {"Location": f"{BASE}/Patient/1/_history/3"}
    condition = bundle.condition({"identifier": bundle.token("urn:a", "b|c")})
    none = matchers.header_matcher({"If-None-Exist": r"identifier=urn%3Aa%7Cb%5C%7Cc", "Content-Type": FHIR})
    add(remote, "POST", "Patient", PATIENT, 201, headers=made, match=[none])
    add(remote, "PUT", "Patient/1", "", 200, headers={"ETag": '"4"', **made}, match=[matchers.header_matcher({"If-Match": 'W/"3"'})])
    assert client.create(PATIENT, if_none_exist=condition).version == "3"
    assert client.update(PATIENT, if_match="3").version == "4"


@pytest.mark.parametrize(
    ("link", "second"),
    [
        ("https://ehr.example:443/fhir?_getpages=a", "https://ehr.example:443/fhir?_getpages=a"),
        ("Patient?page=2", f"{BASE}/Patient?page=2"),
        ("?page=2", f"{BASE}/Patient?page=2"),
        ("/fhir/Patient?page=2", f"{BASE}/Patient?page=2"),
    ],
)
def test_next_links_may_be_absolute_or_relative(remote: Remote, client: FhirClient, link: str, second: str) -> None:
    first = {"name": "Kanarifugl", "_count": "200"}
    fresh = matchers.header_matcher({"Cache-Control": "no-cache", "Accept": FHIR})
    add(remote, "GET", "Patient", searchset(PATIENT, next=link, total=2), match=[matchers.query_param_matcher(first), fresh])
    add(remote, "GET", second, searchset({**PATIENT, "id": "2"}), match=[fresh])
    pages = list(client.search("Patient", {"name": "Kanarifugl"}))
    assert [(raw["id"], page.total) for page in pages for raw in page.entries] == [("1", 2), ("2", None)]
    assert pages[0].server_time == datetime(2025, 4, 22, 13, tzinfo=UTC)


def test_a_next_link_seen_before_ends_in_a_clear_error(remote: Remote, client: FhirClient) -> None:
    add(remote, "GET", "Patient", searchset(PATIENT, next="?page=2"))
    with pytest.raises(RemoteFatal, match="in a circle; stopped after 2 pages"):
        list(client.search("Patient", {}))


def test_ever_new_next_links_to_the_same_page_end_in_a_clear_error(remote: Remote, client: FhirClient) -> None:
    count = iter(range(1000))

    def answer(_: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        return 200, {}, json.dumps(searchset(PATIENT, next=f"?page={next(count)}"))

    remote.add_callback("GET", f"{BASE}/Patient", callback=answer, content_type=FHIR)
    with pytest.raises(RemoteFatal, match="in a circle"):
        list(client.search("Patient", {}))


@pytest.mark.parametrize(
    "link", ["https://elsewhere.example/fhir?page=2", "http://ehr.example/fhir?page=2", "https://u:p@ehr.example:8443/x"]
)
def test_credentials_never_follow_a_next_link_to_another_host(remote: Remote, link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIRE_TOKEN", "s3cret")
    add(remote, "GET", "Patient", searchset(PATIENT, next=link), match=[matchers.header_matcher({"Authorization": "Bearer s3cret"})])
    with FhirClient(BASE, auth=Bearer(Secret(env="WIRE_TOKEN"))) as client, pytest.raises(RemoteFatal, match="another host") as caught:
        list(client.search("Patient", {}))
    assert len(remote.calls) == 1
    assert "page=2" not in caught.value.text


def test_credentials_never_follow_a_redirect(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIRE_TOKEN", "s3cret")
    add(remote, "GET", "Patient/1", "", 302, headers={"Location": "https://elsewhere.example/login?name=Kanarifugl"})
    with FhirClient(BASE, auth=Bearer(Secret(env="WIRE_TOKEN"))) as client, pytest.raises(RemoteFatal) as caught:
        client.read("Patient", "1")
    assert len(remote.calls) == 1
    assert "to https://elsewhere.example/login;" in caught.value.text


def test_a_netrc_password_is_not_sent_unasked(remote: Remote, client: FhirClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "netrc").write_text("machine ehr.example login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    add(remote, "GET", "Patient/1", PATIENT)
    client.read("Patient", "1")
    assert "Authorization" not in remote.calls[0].request.headers


def test_entries_of_another_type_are_reported_and_not_mixed_in(remote: Remote, client: FhirClient) -> None:
    page = searchset(PATIENT, {"resourceType": "Device", "id": "d"}, OUTCOME)
    page["entry"].append({"resource": {"resourceType": "Patient", "id": "mother"}, "search": {"mode": "include"}})
    add(remote, "GET", "Patient", page)
    (found,) = client.search("Patient", {})
    assert [[raw.get("id") for raw in part] for part in (found.entries, found.included, found.foreign, found.outcomes)] == [
        ["1"],
        ["mother"],
        ["d"],
        [None],
    ]


def test_the_server_s_time_comes_from_the_date_header_where_the_bundle_has_none(remote: Remote, client: FhirClient) -> None:
    page = {**searchset(PATIENT), "meta": {}}
    add(remote, "GET", "Patient", page, headers={"Date": "Tue, 22 Apr 2025 12:00:07 GMT"})
    (found,) = client.search("Patient", {})
    assert found.server_time == datetime(2025, 4, 22, 12, 0, 7, tzinfo=UTC)


def test_a_remote_without_any_time_is_refused(remote: Remote, client: FhirClient) -> None:
    add(remote, "GET", "Patient", {**searchset(PATIENT), "meta": {}})
    with pytest.raises(RemoteFatal, match="tells no time"):
        list(client.search("Patient", {}))


def test_a_write_without_id_or_version_in_the_answer_is_refused(remote: Remote, client: FhirClient) -> None:
    add(remote, "POST", "Patient", "", 201, headers={"Location": f"{BASE}/Patient/1"})
    with pytest.raises(RemoteFatal, match="does not tell the id and version"):
        client.create(PATIENT)


def test_an_update_needs_an_id(client: FhirClient) -> None:
    with pytest.raises(Invalid):
        client.update({"resourceType": "Patient"}, if_match="1")


def test_a_count_without_a_total_is_refused(remote: Remote, client: FhirClient) -> None:
    add(remote, "GET", "Patient", searchset(), match=[matchers.query_param_matcher({"_summary": "count", "name": "a"})])
    with pytest.raises(RemoteFatal, match="no total"):
        client.count("Patient", {"name": "a"})


@pytest.mark.parametrize(
    "url", ["ehr.example/fhir", "ftp://ehr.example", "https://", "https://a:b@ehr.example/fhir", f"{BASE}?a=b", "http://x:y/"]
)
def test_a_base_url_that_cannot_be_one_is_refused_without_a_secret_in_the_text(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        FhirClient(url)
    assert "a:b" not in caught.value.text


def test_history_of_a_type_since_an_instant_is_paged(remote: Remote, client: FhirClient) -> None:
    since = "2025-04-22T09:00:00.000Z"
    gone = {"request": {"method": "DELETE", "url": "Patient/9"}, "response": {"etag": 'W/"5"', "lastModified": since}}
    following = [{"relation": "next", "url": "?page=2"}]
    first = {"resourceType": "Bundle", "type": "history", "entry": [{"resource": PATIENT}], "link": following}
    query = matchers.query_param_matcher({"_since": since, "_count": "200"})
    add(remote, "GET", "Patient/_history", first, match=[query])
    add(remote, "GET", "Patient/_history?page=2", {"resourceType": "Bundle", "type": "history", "entry": [gone]})
    entries = list(client.history("Patient", since=since))
    assert [(e.type, e.id, e.version, e.deleted, e.updated) for e in entries] == [
        ("Patient", "1", "3", False, None),
        ("Patient", "9", "5", True, since),
    ]
