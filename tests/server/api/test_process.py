"""A case's way through its process, by the case API."""

import pytest

from tests.server.fhir import Fhir

from .conftest import BOSS, DANA, SAM, case, new_client, person, problem


@pytest.fixture
def opened(api, alma):
    return api.create("cases", case())


def test_a_case_says_where_it_can_go_and_what_is_missing(api, opened):
    ways = {way["transition"]: way for way in api.get(f"cases/{opened['id']}/transitions")["items"]}
    assert ways["TR-01"] == {"transition": "TR-01", "trigger": "start", "to": "screening", "needs_reason": False, "missing": []}
    assert ways["TR-21"]["needs_reason"]
    api.send("POST", f"cases/{opened['id']}/transitions", {"to": "screening"})
    ways = {way["transition"]: way for way in api.get(f"cases/{opened['id']}/transitions")["items"]}
    assert "A completed screening is needed." in ways["TR-02"]["missing"]


@pytest.mark.parametrize("way", [{"to": "screening"}, {"transition": "TR-01"}])
def test_a_transition_is_by_its_id_or_by_the_step_to_go_to(api, opened, way):
    """C-02"""
    moved = api.send("POST", f"cases/{opened['id']}/transitions", way)
    assert (moved.status_code, moved.json["step"], moved.headers["ETag"]) == (200, "screening", 'W/"2"')
    assert moved.json["status_history"][0]["period"]["end"] == moved.json["status_history"][1]["period"]["start"]
    [made, _] = api.get(f"cases/{opened['id']}/history")["items"]
    assert (made["meta"]["by"], made["meta"]["activity"]) == (DANA, "TR-01")


@pytest.mark.parametrize("way", [{}, {"to": "screening", "transition": "TR-01"}, {"to": "Kanarifugl"}, {"step": "screening"}])
def test_a_transition_that_names_no_way_is_refused(api, opened, way):
    problem(api.send("POST", f"cases/{opened['id']}/transitions", way), 400)


def test_a_way_that_there_is_not_names_those_that_there_are(api, opened):
    told = problem(api.send("POST", f"cases/{opened['id']}/transitions", {"to": "closed"}), 409)
    assert told["rule"] == "transition_not_allowed"
    assert "screening" in told["allowed"]


def test_what_is_missing_has_a_rule(api, alma):
    """C-02"""
    bare = api.create("cases", {name: value for name, value in case().items() if name != "case_manager"})
    told = problem(api.send("POST", f"cases/{bare['id']}/transitions", {"to": "screening"}), 422)
    assert told["rule"] == "step_incomplete"


@pytest.mark.parametrize(("header", "body"), [({"Idempotency_Key": "r1"}, {}), ({}, {"request_id": "r1"})])
def test_the_same_transition_again_changes_nothing(api, opened, header, body):
    first = api.send("POST", f"cases/{opened['id']}/transitions", {"to": "screening", **body}, **header).json
    again = api.send("POST", f"cases/{opened['id']}/transitions", {"to": "screening", **body}, **header).json
    assert again == first


def test_two_ids_of_one_request_must_agree(api, opened):
    problem(api.send("POST", f"cases/{opened['id']}/transitions", {"to": "screening", "request_id": "a"}, Idempotency_Key="b"), 400)


def test_a_case_is_given_to_another(api, opened):
    """C-09"""
    given = api.send("POST", f"cases/{opened['id']}/assignment", {"case_manager": SAM})
    assert (given.status_code, given.json["case_manager"]) == (200, SAM)
    problem(api.send("POST", f"cases/{opened['id']}/assignment", {"case_manager": "Practitioner/nobody"}), 404)


def test_who_has_no_room_is_told_who_has(api, opened):
    """V-01, P-27, A-14"""
    sam = api.get("case-managers/sam")
    assert api.put("case-managers/sam", {**sam, "caseload_limit": 1}).status_code == 200
    api.create("cases", case(new_client(api, "river"), case_manager=SAM))
    told = problem(api.send("POST", f"cases/{opened['id']}/assignment", {"case_manager": SAM}), 409)
    assert told["rule"] == "caseload_exceeded"
    assert DANA in told["allowed"]
    assert SAM not in told["allowed"]
    over = {"case_manager": SAM, "reason": "Kanarifugl knows her"}
    problem(api.send("POST", f"cases/{opened['id']}/assignment", over), 403)
    assert api.as_(BOSS).send("POST", f"cases/{opened['id']}/assignment", over).json["case_manager"] == SAM


def test_a_client_has_one_open_case_of_a_type(api, opened):
    """V-04, P-31"""
    told = problem(api.send("POST", "cases", case(case_number="N-2")), 409)
    assert (told["rule"], told["allowed"]) == ("duplicate_case", [opened["meta"]["reference"]])


def test_who_moves_a_case_says_who_they_are(api, opened):
    problem(api.as_(None).send("POST", f"cases/{opened['id']}/transitions", {"to": "screening"}), 401)
    problem(api.as_(None).send("POST", f"cases/{opened['id']}/assignment", {"case_manager": SAM}), 401)


def test_a_new_case_manager_is_somebody_who_can_act(api, alma):
    api.create("case-managers", person("eve"), Idempotency_Key="eve")
    eve = next(row for row in api.get("case-managers")["items"] if row["names"][0]["given"] == ["eve"])
    assert api.as_(eve["meta"]["reference"]).create("cases", case())["step"] == "referred"


def test_a_case_follows_other_models_and_keeps_those_it_had(api, opened):
    """M-05"""
    models = [{"model": "strengths_based", "primary": True}]
    followed = api.send("POST", f"cases/{opened['id']}/models", {"models": models})
    assert followed.status_code == 200, followed.text
    assert [(each["model"], "end" in each.get("period", {})) for each in followed.json["models"]] == [
        ("brokerage", True),
        ("strengths_based", False),
    ]
    problem(api.send("POST", f"cases/{opened['id']}/models", {"models": [{"model": "brokerage"}]}), 400)


def test_a_case_that_another_system_opened_is_taken_up(api, alma, client):
    raw = {"resourceType": "EpisodeOfCare", "id": "theirs", "status": "active", "patient": {"reference": alma}}
    assert Fhir(client).put(raw).status_code == 201
    assert api.get("cases/theirs/transitions")["items"] == []
    problem(api.send("POST", "cases/theirs/uptake", {}), 400)
    theirs = api.get("cases/theirs")
    whole = {name: value for name, value in case(status=theirs["status"]).items() if name != "case_manager"}
    assert api.put("cases/theirs", whole, version=theirs["meta"]["version"]).status_code == 200
    assert api.send("POST", "cases/theirs/uptake", {}).json["step"] == "referred"
    assert api.send("POST", "cases/theirs/assignment", {"case_manager": SAM}).json["case_manager"] == SAM


def test_what_is_worth_a_warning_is_told_and_stops_nothing(api, opened):
    """O-03"""
    about = {"client": "Patient/alma", "case": opened["meta"]["reference"], "status": "not_started", "intent": "plan", "kind": "therapy"}
    timed = {"timing": {"start": "2025-01-01"}, "code": {"system": "http://snomed.info/sct", "code": "91251008"}}
    made = [api.create("planned-services", {**about, **timed, "description": "Kanarifugl"})["meta"]["reference"] for _ in range(2)]
    [alert] = [each for each in api.get(f"cases/{opened['id']}/alerts")["items"] if each["code"] == "duplicate_service"]
    assert sorted(alert["about"]) == sorted(made)


def test_a_case_is_not_deleted(api, opened):
    problem(api.send("DELETE", f"cases/{opened['id']}", If_Match='W/"1"'), 405)
