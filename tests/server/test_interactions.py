"""The interactions of one resource: http://hl7.org/fhir/R4/http.html"""

import pytest

from .fhir import SYSTEM, assert_outcome, entry, patient, transaction

URL = "http://localhost/fhir"


def test_a_created_resource_has_an_id_a_version_and_an_address(fhir):
    answer = fhir.send("POST", "Patient", {**patient(), "id": "mine"})
    body = answer.json
    assert answer.status_code == 201
    assert body["id"] != "mine"
    assert body["meta"]["versionId"] == "1"
    assert answer.headers["Location"] == f"{URL}/Patient/{body['id']}/_history/1"
    assert answer.headers["ETag"] == 'W/"1"'
    assert "GMT" in answer.headers["Last-Modified"]


def test_a_read_answers_the_stored_text(fhir, repository):
    text = (
        '{"resourceType":"Observation","id":"o","status":"final","code":{"text":"Kanarifugl"},"valueQuantity":{"value":1.50,"unit":"kg"}}'
    )
    assert fhir.send("PUT", "Observation/o", text).status_code == 201
    answer = fhir.send("GET", "Observation/o")
    assert answer.text == repository.read("Observation", "o").text
    assert '"value":1.50' in answer.text


def test_extensions_and_the_order_of_elements_come_back_as_sent(fhir):
    sent = {
        "resourceType": "Patient",
        "id": "p",
        "extension": [{"url": "https://hospital.example/unknown", "valueString": "Kanarifugl"}],
        "birthDate": "1994-05",
        "_birthDate": {"extension": [{"url": "https://hospital.example/unknown", "valueBoolean": True}]},
        "active": True,
    }
    fhir.put(sent)
    got = fhir.send("GET", "Patient/p").json
    del got["meta"]
    assert list(got) == list(sent)
    assert got == sent


def test_an_update_makes_a_new_version_and_the_old_one_can_be_read(fhir):
    id = fhir.create(patient())["id"]
    answer = fhir.put({**patient("2"), "id": id})
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')
    assert fhir.send("GET", f"Patient/{id}").json["identifier"][0]["value"] == "2"
    assert fhir.send("GET", f"Patient/{id}/_history/1").json["identifier"][0]["value"] == "1"
    assert_outcome(fhir.send("GET", f"Patient/{id}/_history/3"), 404, "not-found")
    assert_outcome(fhir.send("GET", f"Patient/{id}/_history/one"), 404, "not-found")


def test_an_update_with_the_same_content_makes_no_version(fhir):
    created = fhir.create(patient())
    answer = fhir.put(created)
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"1"')


@pytest.mark.parametrize("body", [{"gender": "other"}, {}])
def test_an_update_says_where_its_version_is(fhir, body):
    created = fhir.create(patient())
    answer = fhir.put({**created, **body})
    assert answer.headers["Content-Location"] == f"{URL}/Patient/{created['id']}/_history/{answer.json['meta']['versionId']}"
    assert "Location" not in answer.headers
    entries = transaction(entry("PUT", f"Patient/{created['id']}", {**created, "active": True}))
    [told] = fhir.send("POST", "", entries).json["entry"]
    assert told["response"]["location"].startswith(f"Patient/{created['id']}/_history/")


def test_an_update_of_an_unknown_id_creates(fhir):
    answer = fhir.put({**patient(), "id": "A-1.b"})
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{URL}/Patient/A-1.b/_history/1"


@pytest.mark.parametrize(
    ("path", "change"),
    [("Patient/p", {}), ("Patient/p", {"id": "q"}), ("Patient/p_q", {"id": "p_q"}), ("Patient/" + "p" * 65, {"id": "p" * 65})],
)
def test_an_update_with_a_wrong_id_is_refused(fhir, path, change):
    assert_outcome(fhir.send("PUT", path, {**patient(), **change}), 400, "invalid")


def test_a_stale_if_match_is_refused_and_changes_nothing(fhir):
    id = fhir.create(patient())["id"]
    fhir.put({**patient("2"), "id": id}, If_Match='W/"1"')
    for stale in ('W/"1"', '"1"', 'W/"3"', 'W/"nonsense"'):
        assert_outcome(fhir.put({**patient("3"), "id": id}, If_Match=stale), 412, "conflict")
        assert_outcome(fhir.send("DELETE", f"Patient/{id}", If_Match=stale), 412, "conflict")
    assert fhir.send("GET", f"Patient/{id}").json["identifier"][0]["value"] == "2"
    assert_outcome(fhir.put({**patient(), "id": "new"}, If_Match='W/"1"'), 412, "conflict")


def test_a_deleted_resource_is_gone_and_can_come_back(fhir):
    id = fhir.create(patient())["id"]
    assert fhir.send("DELETE", f"Patient/{id}").status_code == 204
    assert fhir.send("DELETE", f"Patient/{id}").status_code == 204
    assert fhir.send("DELETE", "Patient/never").status_code == 204
    assert_outcome(fhir.send("GET", f"Patient/{id}"), 410, "deleted")
    assert_outcome(fhir.send("GET", f"Patient/{id}/_history/2"), 410, "deleted")
    assert fhir.ids(f"Patient?identifier={SYSTEM}|1") == set()
    answer = fhir.put({**patient(), "id": id})
    assert (answer.status_code, answer.headers["ETag"]) == (201, 'W/"3"')
    assert fhir.ids(f"Patient?identifier={SYSTEM}|1") == {id}


def test_a_reader_who_has_the_version_gets_304(fhir):
    id = fhir.create(patient())["id"]
    changed = fhir.send("GET", f"Patient/{id}").headers["Last-Modified"]
    for headers in ({"If_None_Match": 'W/"1"'}, {"If_None_Match": 'W/"7", W/"1"'}, {"If_Modified_Since": changed}):
        answer = fhir.send("GET", f"Patient/{id}", **headers)
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == 'W/"1"'
    assert fhir.send("GET", f"Patient/{id}", If_None_Match='W/"2"', If_Modified_Since=changed).status_code == 200
    assert_outcome(fhir.send("GET", f"Patient/{id}", If_Modified_Since="yesterday"), 400, "invalid")


def test_prefer_chooses_what_a_write_answers(fhir):
    assert fhir.send("POST", "Patient", patient(), Prefer="return=minimal").data == b""
    outcome = fhir.send("POST", "Patient", patient(), Prefer="respond-async; return=OperationOutcome").json
    assert outcome["resourceType"] == "OperationOutcome"
    assert fhir.send("POST", "Patient", patient(), Prefer="return=representation").json["resourceType"] == "Patient"


def test_head_answers_the_headers_only(fhir):
    id = fhir.create(patient())["id"]
    answer = fhir.send("HEAD", f"Patient/{id}")
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (200, b"", 'W/"1"')


def test_the_history_of_a_resource_has_its_versions_and_its_deletion(fhir):
    id = fhir.create(patient())["id"]
    fhir.put({**patient("2"), "id": id})
    fhir.send("DELETE", f"Patient/{id}")
    history = fhir.send("GET", f"Patient/{id}/_history").json
    assert (history["type"], history["total"]) == ("history", 3)
    assert [entry["request"] for entry in history["entry"]] == [
        {"method": "DELETE", "url": f"Patient/{id}"},
        {"method": "PUT", "url": f"Patient/{id}"},
        {"method": "POST", "url": "Patient"},
    ]
    assert ["resource" in entry for entry in history["entry"]] == [False, True, True]
    assert [entry["response"]["etag"] for entry in history["entry"]] == ['W/"3"', 'W/"2"', 'W/"1"']
    assert_outcome(fhir.send("GET", "Patient/never/_history"), 404, "not-found")


@pytest.mark.parametrize("path", ["Patient/{id}/_history", "Patient/_history", "_history"])
def test_a_history_can_be_walked_page_by_page(fhir, path):
    id = fhir.create(patient())["id"]
    for number in range(2, 6):
        fhir.put({**patient(str(number)), "id": id})
    seen, url = [], f"{path.format(id=id)}?_count=2"
    while url:
        page = fhir.send("GET", url).json
        seen += [entry["response"]["etag"] for entry in page["entry"]]
        url = next((link["url"].partition("/fhir/")[2] for link in page["link"] if link["relation"] == "next"), None)
    assert seen == [f'W/"{number}"' for number in (5, 4, 3, 2, 1)]


def test_the_history_of_all_types_is_in_order_and_starts_at_since(fhir):
    first = fhir.create(patient())
    second = fhir.create({"resourceType": "Organization", "name": "Kanarifugl"})
    third = fhir.create(patient("2"))
    page = fhir.send("GET", "_history").json
    assert [entry["resource"]["id"] for entry in page["entry"]] == [third["id"], second["id"], first["id"]]
    page = fhir.send("GET", f"_history?_since={second['meta']['lastUpdated']}").json
    assert first["id"] not in [entry["resource"]["id"] for entry in page["entry"]]
    assert [entry["resource"]["id"] for entry in fhir.send("GET", "Organization/_history").json["entry"]] == [second["id"]]


def test_resources_of_one_transaction_are_not_lost_between_history_pages(fhir):
    entries = [{"resource": patient(str(number)), "request": {"method": "POST", "url": "Patient"}} for number in range(7)]
    fhir.send("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    seen, url = [], "Patient/_history?_count=3"
    while url:
        page = fhir.send("GET", url).json
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        url = next((link["url"].partition("/fhir/")[2] for link in page["link"] if link["relation"] == "next"), None)
    assert len(seen) == len(set(seen)) == 7
