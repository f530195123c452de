"""What a real HAPI does and FHIR does not lead one to expect, and that our client lives with it.

Where a test uses `wire` it holds what the server itself does, on which our choices rest; where it uses `client`, what we make of it.
"""

import time
import uuid
from urllib.parse import urlsplit

import pytest

from adapter.errors import MultipleMatches, RemoteConflict, RemoteFatal, RemoteGone, RemoteTemporary
from adapter.fhir.bundle import condition, token
from adapter.fhir.client import FhirClient

from .conftest import Wire
from .hapi import Hapi
from .hook import Hook

SYSTEM = "https://casebridge.example/live"


def patient(mark: str, **more: object) -> dict:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": mark}], "name": [{"family": "Kanarifugl"}], **more}


def illness(subject: str, **more: object) -> dict:
    return {"resourceType": "Condition", "subject": {"reference": subject}, **more}


def transaction(*entries: tuple[str, str, dict], **request: str) -> dict:
    """A Bundle of (method, url, resource), each with its own urn:uuid and the same further request fields."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": uuid.uuid4().urn, "resource": resource, "request": {"method": method, "url": url, **request}}
            for method, url, resource in entries
        ],
    }


def found(wire: Wire, mark: str, **headers: str) -> int:
    return wire.get("Patient", params={"identifier": f"{SYSTEM}|{mark}", "_summary": "count"}, headers=headers).json()["total"]


# 1. A stale If-Match is 409 where the specification says 412.


def test_a_stale_version_is_a_conflict_although_hapi_answers_409(client: FhirClient, wire: Wire, mark: str) -> None:
    first = client.create(patient(mark))
    stale = {**first.raw, "gender": "female"}
    client.update({**first.raw, "active": True}, if_match=first.version)
    refused = wire.put(f"Patient/{first.id}", json=stale, headers={"If-Match": f'W/"{first.version}"'})
    assert refused.status_code == 409
    with pytest.raises(RemoteConflict):
        client.update(stale, if_match=first.version)
    with pytest.raises(RemoteConflict):
        client.transaction(transaction(("PUT", f"Patient/{first.id}", stale), ifMatch=f'W/"{first.version}"'))
    assert client.read("Patient", first.id).raw["active"] is True


def test_a_condition_that_matches_two_is_412_and_not_a_version_conflict(client: FhirClient, mark: str) -> None:
    client.create(patient(mark))
    client.create(patient(mark))
    with pytest.raises(MultipleMatches):
        client.create(patient(mark), if_none_exist=condition({"identifier": token(SYSTEM, mark)}))


# 2. What create and update answer with.


def test_create_tells_id_and_version_and_a_second_conditional_create_tells_those_of_the_first(client: FhirClient, mark: str) -> None:
    first, second = (client.create(patient(mark), if_none_exist=condition({"identifier": token(SYSTEM, mark)})) for _ in range(2))
    assert (first.created, first.version) == (True, "1")
    assert (second.created, second.id, second.version) == (False, first.id, "1")


def test_an_update_has_no_location_and_one_without_change_makes_no_version(client: FhirClient, wire: Wire, mark: str) -> None:
    first = client.create(patient(mark))
    answer = wire.put(f"Patient/{first.id}", json=first.raw)
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"1"')
    assert "Location" not in answer.headers
    assert answer.headers["Content-Location"].endswith(f"Patient/{first.id}/_history/1")
    assert client.update(first.raw, if_match="1").version == "1"
    assert client.update({**first.raw, "active": True}, if_match="1").version == "2"


# 3. Who chooses the id.


def test_the_server_chooses_the_id_of_a_create_whatever_the_body_says(client: FhirClient, mark: str) -> None:
    made = client.create(patient(mark, id=f"ours-{mark[:8]}"))
    assert made.id.isdigit()
    assert made.raw["id"] == made.id


def test_an_update_makes_what_is_not_there_unless_its_id_is_digits_alone(client: FhirClient, mark: str) -> None:
    assert client.update(patient(mark, id=f"ours-{mark}"), if_match="1").created
    with pytest.raises(RemoteFatal) as digits:
        client.update(patient(mark, id="987654321"), if_match="1")
    assert digits.value.http_status == 400


def test_an_update_whose_body_names_another_id_is_refused(client: FhirClient, wire: Wire, mark: str) -> None:
    made = client.create(patient(mark))
    assert wire.put(f"Patient/{made.id}", json={**made.raw, "id": "another"}).status_code == 400


# 4. References are checked.


def test_a_dangling_reference_takes_the_whole_transaction_back(client: FhirClient, wire: Wire, mark: str) -> None:
    bundle = transaction(("POST", "Patient", patient(mark)), ("POST", "Condition", illness(f"Patient/none-{mark[:8]}")))
    with pytest.raises(RemoteFatal) as dangling:
        client.transaction(bundle)
    assert dangling.value.http_status == 400
    assert found(wire, mark) == 0


def test_what_others_refer_to_is_not_deleted(client: FhirClient, mark: str) -> None:
    subject = client.create(patient(mark))
    client.create(illness(f"Patient/{subject.id}"))
    with pytest.raises(RemoteFatal) as referred:
        client.delete("Patient", subject.id)
    assert referred.value.http_status == 409
    assert client.read("Patient", subject.id).version == "1"


# 5. Answers of a transaction.


def test_a_transaction_answers_in_order_with_bare_etags_and_relative_locations(wire: Wire, client: FhirClient, mark: str) -> None:
    bundle = transaction(("POST", "Condition", illness("")), ("POST", "Patient", patient(mark)))
    bundle["entry"][0]["resource"]["subject"]["reference"] = bundle["entry"][1]["fullUrl"]
    answers = [entry["response"] for entry in wire.post("", json=bundle).json()["entry"]]
    assert [answer["etag"] for answer in answers] == ["1", "1"]
    assert [answer["location"].split("/")[0] for answer in answers] == ["Condition", "Patient"]
    assert all(answer["status"] == "201 Created" for answer in answers)
    made = client.transaction(bundle)
    assert [(entry.type, entry.version) for entry in made] == [("Condition", "1"), ("Patient", "1")]
    assert client.read("Condition", made[0].id).raw["subject"]["reference"] == f"Patient/{made[1].id}"


def test_a_conditional_reference_is_resolved_or_the_whole_bundle_is_404(client: FhirClient, mark: str) -> None:
    subject = client.create(patient(mark))
    by_identifier = illness(f"Patient?identifier={SYSTEM}|{mark}")
    (made,) = client.transaction(transaction(("POST", "Condition", by_identifier)))
    assert client.read("Condition", made.id).raw["subject"]["reference"] == f"Patient/{subject.id}"
    nobody = illness(f"Patient?identifier={SYSTEM}|none-{mark}")
    with pytest.raises(RemoteFatal) as unmatched:
        client.transaction(transaction(("POST", "Condition", nobody)))
    assert unmatched.value.http_status == 404
    assert not isinstance(unmatched.value, RemoteGone)


# 6. Pages.


def fill(client: FhirClient, mark: str, size: int) -> None:
    client.transaction(transaction(*(("POST", "Patient", patient(mark)) for _ in range(size))))


def test_pages_are_twenty_long_and_linked_by_opaque_urls_on_the_base(client: FhirClient, wire: Wire, mark: str) -> None:
    fill(client, mark, 45)
    links = wire.get("Patient", params={"identifier": f"{SYSTEM}|{mark}"}).json()["link"]
    (following,) = (link["url"] for link in links if link["relation"] == "next")
    assert following.startswith(f"{wire.base}?_getpages=")
    pages = list(client.search("Patient", {"identifier": f"{SYSTEM}|{mark}", "_count": 20}))
    assert [len(page.entries) for page in pages] == [20, 20, 5]
    assert client.count("Patient", {"identifier": f"{SYSTEM}|{mark}"}) == 45


def test_a_page_holds_at_most_500_however_many_are_asked_for(client: FhirClient, mark: str) -> None:
    fill(client, mark, 501)
    pages = list(client.search("Patient", {"identifier": f"{SYSTEM}|{mark}", "_count": 1000}))
    assert [len(page.entries) for page in pages] == [500, 1]


def test_a_next_link_that_the_server_has_forgotten_is_410(wire: Wire) -> None:
    forgotten = {"_getpages": str(uuid.uuid4()), "_getpagesoffset": 20, "_count": 20, "_bundletype": "searchset"}
    assert wire.get("", params=forgotten).status_code == 410


def test_pages_that_expire_on_the_way_are_a_temporary_error(hapi_empty: Hapi, client: FhirClient, mark: str) -> None:
    fill(client, mark, 45)
    pages = client.search("Patient", {"identifier": f"{SYSTEM}|{mark}", "_count": 20})
    assert len(next(pages).entries) == 20
    hapi_empty.empty()
    with pytest.raises(RemoteTemporary):
        next(pages)


def test_a_count_of_zero_counts_and_links_nowhere(wire: Wire, mark: str) -> None:
    wire.post("Patient", json=patient(mark))
    answer = wire.get("Patient", params={"identifier": f"{SYSTEM}|{mark}", "_count": 0}).json()
    assert answer["total"] == 1
    assert "entry" not in answer
    assert {link["relation"] for link in answer.get("link", ())} <= {"self"}


# 7. An identical search is answered from memory for a minute.


def test_a_search_may_be_a_minute_old_unless_it_says_no_cache(client: FhirClient, wire: Wire, mark: str) -> None:
    query = {"identifier": f"{SYSTEM}|{mark}"}

    def ids(**headers: str) -> list[str]:
        return [entry["resource"]["id"] for entry in wire.get("Patient", params=query, headers=headers).json().get("entry", ())]

    assert ids() == []
    made = client.create(patient(mark))
    assert ids() == []
    assert ids(**{"Cache-Control": "no-cache"}) == [made.id]
    (page,) = client.search("Patient", query)
    assert [resource["id"] for resource in page.entries] == [made.id]


# 8. An unknown search parameter.


def test_an_unknown_search_parameter_is_refused_even_where_lenience_is_asked_for(client: FhirClient, wire: Wire) -> None:
    lenient = wire.get("Patient", params={"nonsense": "1"}, headers={"Prefer": "handling=lenient"})
    assert lenient.status_code == 400
    with pytest.raises(RemoteFatal) as unknown:
        list(client.search("Patient", {"nonsense": "1"}))
    assert unknown.value.http_status == 400


# 9. What is checked of a body.


def test_unknown_elements_are_accepted_and_lost(client: FhirClient, mark: str) -> None:
    made = client.create(patient(mark, favouriteBird="Kanarifugl"))
    assert "favouriteBird" not in client.read("Patient", made.id).raw


def test_a_wrong_code_stops_a_create_and_other_faults_do_not(client: FhirClient, wire: Wire, mark: str) -> None:
    with pytest.raises(RemoteFatal) as wrong:
        client.create(patient(mark, gender="blue"))
    assert wrong.value.http_status == 400
    assert wire.post("Patient/$validate", json=patient(mark, gender="blue")).status_code == 400
    no_target = patient(mark, link=[{"type": "refer"}])
    verdict = wire.post("Patient/$validate", json=no_target)
    assert verdict.status_code == 200
    assert "error" in {issue["severity"] for issue in verdict.json()["issue"]}
    assert client.create(no_target).created


# 10. Deletes.


def test_a_deleted_resource_is_gone_and_deleting_what_never_was_succeeds(client: FhirClient, wire: Wire, mark: str) -> None:
    made = client.create(patient(mark))
    client.delete("Patient", made.id)
    assert wire.get(f"Patient/{made.id}").status_code == 410
    with pytest.raises(RemoteGone):
        client.read("Patient", made.id)
    assert [version.deleted for version in client.history("Patient", id=made.id)] == [True, False]
    assert wire.delete(f"Patient/none-{mark}").status_code == 200
    client.delete("Patient", f"none-{mark}")


# 11. What Prefer does.


@pytest.mark.parametrize(
    ("preference", "answer"), [("minimal", None), ("OperationOutcome", "OperationOutcome"), ("representation", "Patient")]
)
def test_prefer_return_is_honoured_and_never_acknowledged(wire: Wire, mark: str, preference: str, answer: str | None) -> None:
    made = wire.post("Patient", json=patient(mark), headers={"Prefer": f"return={preference}"})
    assert (made.json()["resourceType"] if made.content else None) == answer
    assert "Preference-Applied" not in made.headers


# 12. Bulk export.


def test_export_is_asynchronous_and_its_files_come_wrapped_where_json_is_asked_for(wire: Wire, mark: str) -> None:
    wire.post("Patient", json=patient(mark))
    assert wire.get("$export", params={"_type": "Patient"}).status_code == 400
    job = wire.get("$export", params={"_type": "Patient"}, headers={"Prefer": "respond-async"}).headers["Content-Location"]
    deadline = time.monotonic() + 120
    while (state := wire.get(job)).status_code == 202 and time.monotonic() < deadline:
        assert state.headers["Retry-After"] == "120"
        time.sleep(0.5)
    manifest = state.json()
    assert manifest["requiresAccessToken"] is True
    assert all("count" not in file for file in manifest["output"])
    file = manifest["output"][0]["url"]
    assert wire.get(file, headers={"Accept": "application/fhir+json"}).json()["resourceType"] == "Binary"
    for accept in ("application/fhir+ndjson", "*/*"):
        assert wire.get(file, headers={"Accept": accept}).text.startswith('{"resourceType":"Patient"')
    assert wire.delete(job).status_code == 404


# 13. Subscriptions.


@pytest.mark.slow
def test_a_subscription_is_requested_then_active_and_puts_the_resource_to_the_endpoint(wire: Wire, mark: str) -> None:
    with Hook() as hook:
        asked = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "Kanarifugl",
            "criteria": f"Patient?identifier={SYSTEM}|{mark}",
            "channel": {"type": "rest-hook", "endpoint": hook.url, "payload": "application/fhir+json"},
        }
        subscription = wire.post("Subscription", json=asked).json()
        assert subscription["status"] == "requested"
        deadline = time.monotonic() + 120
        while wire.get(f"Subscription/{subscription['id']}").json()["status"] != "active" and time.monotonic() < deadline:
            time.sleep(0.5)
        made = wire.post("Patient", json=patient(mark)).json()
        assert hook.seen.get(timeout=120) == ("PUT", f"/Patient/{made['id']}")
        wire.delete(f"Subscription/{subscription['id']}")


# 14. The texts of errors change from run to run.


def test_a_reference_error_is_known_by_its_status_and_its_text_is_not_passed_on(client: FhirClient, wire: Wire, mark: str) -> None:
    dangling = illness(f"Patient/none-{mark}")
    answer = wire.post("Condition", json=dangling)
    (issue,) = answer.json()["issue"]
    assert "HAPI-1094" in issue["diagnostics"]
    assert "Condition.subject" in issue["diagnostics"]  # or Condition.subject.where(resolve() is Patient)
    with pytest.raises(RemoteFatal) as error:
        client.create(dangling)
    assert error.value.http_status == 400
    assert mark not in str(error.value)


# 15. Links are made from the request's Host header.


def test_links_name_the_host_that_was_asked_for(wire: Wire, client: FhirClient, mark: str) -> None:
    fill(client, mark, 21)
    port = urlsplit(wire.base).port
    by_name = f"http://localhost:{port}/fhir"
    answer = wire.get("Patient", params={"identifier": f"{SYSTEM}|{mark}"}, headers={"Host": f"localhost:{port}"}).json()
    assert all(link["url"].startswith(by_name) for link in answer["link"])
    pages = list(FhirClient(by_name).search("Patient", {"identifier": f"{SYSTEM}|{mark}", "_count": 20}))
    assert [len(page.entries) for page in pages] == [20, 1]
