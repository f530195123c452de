"""A change is in the account of all in whose records it is, and is no disclosure, whatever the interaction is called."""

import pytest

from adapter.audit.disclosures import disclosures
from adapter.store.documents import Change

from .test_account import DANA
from .test_bare import NUMBER, nurse, weight

__all__ = ["nurse"]


@pytest.fixture
def disclosed(repository):
    """What was disclosed of a patient."""

    def rows(patient):
        events = [stored.raw for stored in repository.scan("AuditEvent") if f'"{patient}"' in stored.text]
        return [row.what for row in disclosures(events)]

    return rows


def test_what_the_case_api_writes_is_no_disclosure(site, token, told, disclosed):
    given, json = token(DANA), {"Content-Type": "application/json"}
    body = {"names": [{"family": "Kanarifugl"}], "identifiers": [{"system": "urn:example:mrn", "value": "changed"}]}
    made = site.send(given, "POST", "api/clients", body, **json)
    id, other = made.json()["id"], {**body, "names": [{"family": "Kanarifugl-Lund"}]}
    replaced = site.send(given, "PUT", f"api/clients/{id}", other, **json, **{"If-Match": made.headers["ETag"]})
    assert replaced.status_code == 200, replaced.text
    gone = site.send(given, "DELETE", f"api/clients/{id}", **{"If-Match": replaced.headers["ETag"]})
    assert (made.status_code, gone.status_code) == (201, 204), gone.text
    wrote = [(event["name"], event["action"], event["patients"]) for event in told()]
    assert wrote == [(f"api-{name}", action, {f"Patient/{id}"}) for name, action in (("create", "C"), ("replace", "U"), ("delete", "D"))]
    assert disclosed(f"Patient/{id}") == []


def test_what_an_operation_writes_is_no_disclosure(nurse, told):
    tag = {"name": "meta", "valueMeta": {"tag": [{"system": "urn:example:tags", "code": "seen"}]}}
    told()
    answer = nurse("POST", "Observation/w/$meta-add", {"resourceType": "Parameters", "parameter": [tag]})
    assert answer.status_code == 200, answer.text
    [event] = told()
    assert (event["name"], event["action"], event["patients"]) == ("$meta-add", "U", {"Patient/vela"})


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_what_a_bundle_reads_besides_what_it_writes_is_a_disclosure_and_that_alone(nurse, told, repository, disclosed, kind):
    version = repository.read("Observation", "w").version
    write = {"resource": weight("w", "vela", identifier=NUMBER, valueInteger=version), "request": {"method": "PUT", "url": "Observation/w"}}
    before = disclosed("Patient/vela")
    told()
    bundle = {"resourceType": "Bundle", "type": kind, "entry": [write, {"request": {"method": "GET", "url": "Observation/w"}}]}
    assert nurse("POST", "", bundle).status_code == 200
    assert [(event["name"], event["action"], event["patients"]) for event in told()] == [
        ("transaction", "U", {"Patient/vela"}),
        ("transaction", "E", {"Patient/vela"}),
    ]
    assert disclosed("Patient/vela") == [*before, "transaction: 1 Observation"]


def test_a_batch_that_only_writes_is_no_disclosure_and_says_what_it_asked(nurse, told, repository, disclosed):
    version = repository.read("Observation", "w").version
    write = {"resource": weight("w", "vela", identifier=NUMBER, valueInteger=version), "request": {"method": "PUT", "url": "Observation/w"}}
    made = {"resource": weight("new", "vela"), "request": {"method": "POST", "url": "Observation"}}
    before = disclosed("Patient/vela")
    told()
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [write, made]}
    assert nurse("POST", "", bundle, Prefer="return=representation").status_code == 200
    *_, event = events = told()
    assert [each["action"] for each in events] == ["U", "C", "U"]
    assert (event["patients"], event["query"].splitlines()) == ({"Patient/vela"}, ["POST ", "PUT Observation/w", "POST Observation"])
    assert disclosed("Patient/vela") == before


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_what_a_bundle_wrote_nothing_for_is_a_disclosure(nurse, told, repository, disclosed, kind):
    same = {"resource": repository.read("Observation", "w").raw, "request": {"method": "PUT", "url": "Observation/w"}}
    made = {"resource": weight("new", "vela"), "request": {"method": "POST", "url": "Observation"}}
    before = disclosed("Patient/vela")
    told()
    assert nurse("POST", "", {"resourceType": "Bundle", "type": kind, "entry": [same, made]}).status_code == 200
    assert [event["action"] for event in told()] == ["C", "E"]
    assert disclosed("Patient/vela") == [*before, "transaction: 2 Observation"]


def test_what_goes_from_one_record_to_another_is_in_the_account_of_both(nurse, told, repository):
    team = {"resourceType": "CareTeam", "status": "active", "participant": [{"member": {"reference": "Practitioner/nurse"}}]}
    raws = {
        "CareTeam/team-lyra": {**team, "subject": {"reference": "Patient/lyra"}},
        "Patient/lyra": {"resourceType": "Patient", "id": "lyra"},
    }
    raws["Observation/moved"] = weight("moved", "vela", note=[{"text": "Kanarifugl"}])
    repository.commit([Change(*reference.split("/"), raw, 0) for reference, raw in raws.items()])
    told()
    assert nurse("PUT", "Observation/moved", weight("moved", "lyra")).status_code == 200
    [event] = told()
    assert (event["action"], event["patients"], event["named"]) == ("U", {"Patient/vela", "Patient/lyra"}, {"Observation/moved"})
