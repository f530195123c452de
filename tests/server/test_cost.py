"""A search that would look at all there is, refused over each door of FHIR by which one can be asked."""

import pytest

from server import create_app

from .fhir import Fhir, assert_outcome, entry, patient, transaction

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def large(repository):
    """A server for which four patients are many."""
    server = Fhir(create_app(repository, scan=3).test_client())
    for number in range(4):
        server.put({**patient(str(number), gender="female"), "id": f"p{number}"})
    return server


def test_it_is_refused_by_whatever_door_it_is_asked(large):
    costly = "name:contains=anarifugl"
    for answer in (
        large.send("GET", f"Patient?{costly}"),
        large.send("POST", "Patient/_search", costly, Content_Type=FORM),
        large.send("GET", f"?_type=Patient&{costly}"),
        large.send("GET", "?_type=Patient,Practitioner&_sort=_lastUpdated"),
        large.send("GET", "Observation?subject:Patient.name:contains=anarifugl"),
        large.send("GET", "Patient?gender=female&_total=accurate"),
        large.send("PUT", f"Patient?{costly}", patient("9")),
        large.send("PATCH", f"Patient?{costly}", {"active": True}, Content_Type="application/merge-patch+json"),
        large.send("DELETE", f"Patient?{costly}"),
        large.send("POST", "Patient", patient("9"), If_None_Exist=costly),
        large.send("POST", "", transaction(entry("POST", "Patient", patient("9"), ifNoneExist=costly))),
    ):
        issue = assert_outcome(answer, 400, "too-costly")
        assert "index" in issue["diagnostics"]
    [tried] = large.send("POST", "", transaction(entry("GET", f"Patient?{costly}"), type="batch")).json["entry"]
    assert tried["response"]["outcome"]["issue"][0]["code"] == "too-costly"
    assert large.ids("Patient") == {"p0", "p1", "p2", "p3"}


def test_what_the_refusal_advises_is_answered(large):
    for query in (
        "Patient?name:contains=anarifugl&identifier=https://hospital.example/mrn|2",
        "Patient?name:contains=anarifugl&_lastUpdated=lt2000",
        "Patient?name=kanarifugl",
        "Patient?gender=female&_count=2",
        "Patient?_count=2",
        "Patient?_summary=count",
        "Practitioner?name:contains=x",
    ):
        assert large.send("GET", query).status_code == 200, query
    assert large.ids("Patient?gender=female&_count=2") == {"p0", "p1", "p2", "p3"}


def test_a_patients_own_record_is_small_however_large_the_store(large):
    large.put(
        {"resourceType": "Flag", "id": "f", "status": "active", "code": {"text": "Kanarifugl"}, "subject": {"reference": "Patient/p1"}}
    )
    assert large.ids("Patient/p1/Flag?date:missing=true") == {"f"}


def test_without_a_setting_everything_is_looked_at(fhir):
    fhir.put({**patient(), "id": "p"})
    assert fhir.ids("Patient?name:contains=anarifugl&_sort=family") == {"p"}
