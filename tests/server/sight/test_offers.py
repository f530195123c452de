"""Whose cases are seen at work: one's own, a team's, and what is offered to be taken."""

from datetime import timedelta

import pytest

from adapter.store.documents import Change
from adapter.store.offers import INTAKE

from .conftest import Hospital


def test_a_supervisor_sees_the_teams_cases_at_every_door_and_those_of_no_other_team(hospital: Hospital):
    ours, case = hospital.client("dana", "one")
    theirs, _ = hospital.client("sam", "two")
    assert (hospital.sees("boss", ours), hospital.sees("boss", theirs)) == (True, False)
    found = {entry["resource"]["id"] for entry in hospital.ask("boss", "GET", "fhir/Patient?_count=200").json()["entry"]}
    assert (ours.partition("/")[2] in found, theirs.partition("/")[2] in found) == (True, False)
    pages = hospital.browser("boss")
    assert pages.get(f"/cases/{case.partition('/')[2]}").status_code == 200
    assert "Practitioner/sam" not in pages.get("/team").text
    assert "Practitioner/dana" in pages.get("/team").text
    assert not hospital.sees("dana", theirs)


def test_who_leaves_a_team_is_seen_by_its_supervisor_no_more(hospital: Hospital):
    client, _ = hospital.client("sam", "three")
    assert not hospital.sees("boss", client)
    hospital.role("sam", "north")
    assert hospital.sees("boss", client)
    hospital.role("sam", "north", period={"end": "2020-01-01"})
    assert not hospital.sees("boss", client)
    hospital.role("sam", "south")


def test_a_case_that_is_given_to_another_manager_is_theirs_from_then_on(hospital: Hospital):
    client, case = hospital.client("dana", "four")
    assert not hospital.sees("sam", client)
    path = f"cases/{case.partition('/')[2]}/assignment"
    assert hospital.ask("sam", "POST", path, {"case_manager": "Practitioner/sam"}).status_code == 404
    answer = hospital.ask("dana", "POST", path, {"case_manager": "Practitioner/sam"})
    assert (answer.status_code, answer.json()["case_manager"]) == (200, "Practitioner/sam")
    assert hospital.sees("sam", client)
    hospital.clock.ahead += INTAKE + timedelta(seconds=1)
    assert not hospital.sees("dana", client)


def test_who_registers_a_client_sees_them_until_a_case_can_be_opened(hospital: Hospital):
    names = [{"family": "Kanarifugl", "given": ["five"]}]
    body = {"names": names, "identifiers": [{"system": "urn:example:mrn", "value": "five"}]}
    client = hospital.create("dana", "clients", body)["meta"]["reference"]
    assert (hospital.sees("dana", client), hospital.sees("sam", client)) == (True, False)
    hospital.clock.ahead += INTAKE + timedelta(seconds=1)
    assert not hospital.sees("dana", client)


@pytest.mark.parametrize("to", ["Practitioner/sam", "Organization/south"])
def test_a_referral_that_is_received_can_be_taken(hospital: Hospital, to):
    """C-01: it comes by FHIR from a hospital; whoever it is for takes the case."""
    _commit(hospital, _patient(f"r-{to[-3:]}"), _referral(f"r-{to[-3:]}", to))
    client = f"Patient/r-{to[-3:]}"
    assert (hospital.sees("sam", client), hospital.sees("dana", client)) == (True, False)
    case = {"client": client, "case_manager": "Practitioner/sam", "case_number": f"N-{to}", "case_type": "general"}
    made = hospital.ask("sam", "POST", "cases", case | {"models": [{"model": "brokerage", "primary": True}]})
    assert made.status_code == 201, made.text
    refused = hospital.ask("dana", "POST", "cases", case | {"case_manager": "Practitioner/dana", "case_number": "N", "models": []})
    assert refused.status_code in (400, 403, 404)


def test_a_client_about_whom_one_has_an_open_task_is_seen_until_it_is_done(hospital: Hospital):
    client, case = hospital.client("dana", "six")
    told = {"client": client, "case": case, "status": "requested", "intent": "order", "owner": "Practitioner/sam"}
    task = hospital.create("dana", "tasks", told)
    assert hospital.sees("sam", client)
    assert client in str(hospital.get("sam", f"tasks/{task['id']}"))
    done = {name: value for name, value in task.items() if name != "meta"} | {"status": "completed"}
    answer = hospital.ask("sam", "PUT", f"tasks/{task['id']}", done, If_Match=f'W/"{task["meta"]["version"]}"')
    assert answer.status_code == 200, answer.text
    assert not hospital.sees("sam", client)


def test_an_open_case_that_nobody_manages_can_be_taken_at_its_organisation(hospital: Hospital):
    raw = {
        "resourceType": "EpisodeOfCare",
        "id": "unmanaged",
        "status": "active",
        "patient": {"reference": "Patient/unmanaged"},
        "managingOrganization": {"reference": "Organization/south"},
    }
    _commit(hospital, _patient("unmanaged"), raw)
    assert [hospital.sees(who, "Patient/unmanaged") for who in ("sam", "dana", "boss")] == [True, False, False]
    stored = hospital.repository.read("EpisodeOfCare", "unmanaged")
    managed = {**stored.raw, "careManager": {"reference": "Practitioner/sam"}}
    hospital.repository.commit([Change("EpisodeOfCare", "unmanaged", managed, stored.version)])
    hospital.role("sam", "north")
    assert [hospital.sees(who, "Patient/unmanaged") for who in ("sam", "dana", "boss")] == [True, False, True]
    hospital.role("sam", "south")


def _commit(hospital: Hospital, *raws) -> None:
    hospital.repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in raws])


def _patient(id):
    return {"resourceType": "Patient", "id": id, "name": [{"family": "Kanarifugl"}]}


def _referral(id, to):
    kind = {"system": "https://casebridge.example/fhir/CodeSystem/record-kind", "code": "referral"}
    return {
        "resourceType": "ServiceRequest",
        "id": id,
        "status": "active",
        "intent": "order",
        "category": [{"coding": [kind]}],
        "subject": {"reference": f"Patient/{id}"},
        "performer": [{"reference": to}],
    }
