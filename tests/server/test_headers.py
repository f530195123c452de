"""Formats, preferences and conditions in headers and parameters: http://hl7.org/fhir/R4/http.html"""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from .fhir import assert_outcome, entry, patient, transaction


def test_pretty_lays_the_same_resource_out_for_people(fhir):
    text = '{"resourceType":"Observation","id":"o","status":"final","code":{"text":"Kanarifugl"},"valueQuantity":{"value":1.50}}'
    fhir.send("PUT", "Observation/o", text)
    plain = fhir.send("GET", "Observation/o").text
    pretty = fhir.send("GET", "Observation/o?_pretty=true").text
    assert '\n  "id": "o"' in pretty
    assert '"value": 1.50' in pretty
    assert json.loads(pretty) == json.loads(plain)
    assert fhir.send("GET", "Observation/o?_pretty=false").text == plain
    for path in ("Observation?_pretty=true", "Observation/_history?_pretty=true", "metadata?_pretty=true"):
        assert "\n  " in fhir.send("GET", path).text
    assert "\n  " in fhir.send("POST", "Patient?_pretty=true", patient()).text


@pytest.mark.parametrize("path", ["", "metadata", "Patient", "Patient/1"])
def test_options_answers_what_the_server_can_do(fhir, path):
    answer = fhir.send("OPTIONS", path)
    assert (answer.status_code, answer.json["resourceType"]) == (200, "CapabilityStatement")


@pytest.mark.parametrize("format", ["json", "application/json", "application/fhir%2Bjson", "text/json"])
def test_every_name_of_json_is_understood(fhir, format):
    answer = fhir.send("GET", f"metadata?_format={format}")
    assert (answer.status_code, answer.content_type) == (200, "application/fhir+json")


@pytest.mark.parametrize("format", ["xml", "application/fhir%2Bxml", "ttl", "html", "text/html"])
def test_every_other_format_is_refused(fhir, format):
    assert_outcome(fhir.send("GET", f"metadata?_format={format}"), 406, "not-supported")


def test_a_later_if_modified_since_answers_304_and_an_earlier_one_the_resource(fhir):
    id = fhir.create(patient())["id"]
    now = datetime.now(UTC)
    later, earlier = (format_datetime(now + timedelta(hours=hours), usegmt=True) for hours in (1, -1))
    assert fhir.send("GET", f"Patient/{id}", If_Modified_Since=later).status_code == 304
    assert fhir.send("GET", f"Patient/{id}", If_Modified_Since=earlier).status_code == 200


def test_a_read_can_be_of_some_elements(fhir):
    id = fhir.create(patient(gender="other"))["id"]
    for path in (f"Patient/{id}", f"Patient/{id}/_history/1"):
        got = fhir.send("GET", f"{path}?_elements=gender").json
        assert (got["gender"], got["id"], "name" in got) == ("other", id, False)
        assert got["meta"]["tag"][0]["code"] == "SUBSETTED"
        assert fhir.send("GET", f"{path}?_summary=text").status_code == 200


def test_prefer_is_heard_in_every_write(fhir):
    id = fhir.create(patient())["id"]
    patch = [{"op": "add", "path": "/active", "value": True}]
    for preference, kind in (("minimal", None), ("representation", "Patient"), ("OperationOutcome", "OperationOutcome")):
        prefer = f"return={preference}"
        answers = [
            fhir.send("POST", "Patient", patient(), Prefer=prefer),
            fhir.put({**patient("2"), "id": id}, Prefer=prefer),
            fhir.send("PATCH", f"Patient/{id}", patch, Prefer=prefer, Content_Type="application/json-patch+json"),
        ]
        for answer in answers:
            assert answer.status_code in (200, 201)
            assert (answer.json["resourceType"] if answer.data else None) == kind


def test_a_transaction_tells_what_is_preferred_of_each_entry(fhir):
    for preference, found in (("minimal", []), ("representation", ["Patient"]), ("OperationOutcome", ["OperationOutcome"])):
        answer = fhir.send("POST", "", transaction(entry("POST", "Patient", patient())), Prefer=f"return={preference}")
        [told] = answer.json["entry"]
        outcome = told["response"].get("outcome")
        assert [item["resourceType"] for item in (told.get("resource"), outcome) if item] == found


def test_an_entrys_if_none_match_is_about_what_the_reader_has(fhir):
    id = fhir.create(patient())["id"]
    known = transaction(entry("GET", f"Patient/{id}", ifNoneMatch='W/"1"'), entry("GET", f"Patient/{id}", ifNoneMatch='W/"2"'))
    first, second = fhir.send("POST", "", known).json["entry"]
    assert (first["response"]["status"][:3], "resource" in first) == ("304", False)
    assert (second["response"]["status"][:3], "resource" in second) == ("200", True)


def test_an_entrys_if_modified_since_is_an_instant(fhir):
    id = fhir.create(patient())["id"]
    asked = [entry("GET", f"Patient/{id}", ifModifiedSince=f"{year}-01-01T00:00:00+01:00") for year in (2999, 1999)]
    answer = fhir.send("POST", "", transaction(*asked, entry("GET", f"Patient/{id}", ifModifiedSince="2999-01-01T00:00:00"), type="batch"))
    assert [item["response"]["status"][:3] for item in answer.json["entry"]] == ["304", "200", "400"]


def test_entries_are_handled_as_the_bundle_prefers(fhir):
    asked = transaction(entry("GET", "Patient?bird=Kanarifugl"), type="batch")
    for handling, status in (("strict", "400"), ("lenient", "200")):
        [told] = fhir.send("POST", "", asked, Prefer=f"handling={handling}").json["entry"]
        assert told["response"]["status"][:3] == status


def test_an_update_can_ask_that_there_be_none_yet(fhir):
    assert fhir.put(patient(id="p"), If_None_Match="*").status_code == 201
    assert_outcome(fhir.put(patient("2", id="p"), If_None_Match="*"), 412, "conflict")
    fhir.send("DELETE", "Patient/p")
    assert fhir.put(patient("3", id="p"), If_None_Match=" * ").status_code == 201
    for number, status in (("3", 412), ("4", 201)):
        answer = fhir.send("PUT", f"Patient?identifier=https://hospital.example/mrn|{number}", patient(number), If_None_Match="*")
        assert answer.status_code == status


def test_an_entry_can_ask_that_there_be_none_yet(fhir):
    made = transaction(entry("PUT", "Patient/p", patient(id="p"), ifNoneMatch="*"), entry("POST", "Patient", patient("2")))
    assert fhir.send("POST", "", made).status_code == 200
    issue = assert_outcome(fhir.send("POST", "", made), 412, "conflict")
    assert issue["expression"] == ["Bundle.entry[0]"]
    assert len(fhir.ids("Patient")) == 2


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("PUT", {"If_None_Match": 'W/"1"'}),
        ("PUT", {"If_None_Match": "*", "If_Match": 'W/"1"'}),
        ("DELETE", {"If_None_Match": "*"}),
        ("PATCH", {"If_None_Match": "*", "Content_Type": "application/json-patch+json"}),
    ],
)
def test_any_other_if_none_match_of_a_write_is_refused(fhir, method, headers):
    fhir.put(patient(id="p"))
    assert_outcome(fhir.send(method, "Patient/p", [] if method == "PATCH" else patient("2", id="p"), **headers), 400, "invalid")
    assert fhir.send("GET", "Patient/p").json["meta"]["versionId"] == "1"


def test_no_cache_is_let_guess_how_long_an_answer_stays_true(fhir):
    id = fhir.create(patient())["id"]
    for path in (f"Patient/{id}", "Patient", "metadata", "Patient/none", f"Patient/{id}/_history"):
        assert fhir.send("GET", path).headers["Cache-Control"] == "no-store"
