"""Many at once, by the case API: nothing is lost, doubled or over its limit."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from server import create_app

from .conftest import DANA, SAM, CaseApi, case, new_client


@pytest.fixture
def together(repository):
    """Calls of a function with one API each, at the same time; what they return, in order."""

    app = create_app(repository)

    def run(function, times):
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda number: function(CaseApi(app.test_client()), number), range(times)))

    return run


def test_of_many_who_change_one_version_one_does(api, alma, together):
    """S-05"""
    goal = api.create("goals", {"client": alma, "lifecycle": "active", "description": "Kanarifugl"})

    def change(door, number):
        return door.put(f"goals/{goal['id']}", {**goal, "description": f"Kanarifugl {number}"}).status_code

    statuses = together(change, 12)
    assert (statuses.count(200), statuses.count(412)) == (1, 11)
    assert api.get(f"goals/{goal['id']}")["meta"]["version"] == 2


def test_one_request_many_times_at_once_makes_one_record(api, alma, together):
    def make(door, _):
        return door.send("POST", "goals", {"client": alma, "lifecycle": "active", "description": "Kanarifugl"}, Idempotency_Key="one")

    answers = together(make, 8)
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len(api.get(f"goals?client={alma}")["items"]) == 1


def test_of_thirty_assignments_to_two_places_two_succeed_and_the_rest_are_told_whom_to_ask(api, together):
    """V-01, P-27"""
    dana = api.get("case-managers/dana")
    assert api.put("case-managers/dana", {**dana, "caseload_limit": 2}).status_code == 200
    without = {name: value for name, value in case().items() if name not in ("case_manager", "client", "case_number")}
    waiting = [api.create("cases", {**without, "client": new_client(api, f"c{n}"), "case_number": f"N-{n}"})["id"] for n in range(30)]

    def assign(door, number):
        return door.send("POST", f"cases/{waiting[number]}/assignment", {"case_manager": DANA})

    answers = together(assign, 30)
    refused = [answer.json for answer in answers if answer.status_code == 409]
    assert [answer.status_code for answer in answers].count(200) == 2
    assert len(refused) == 28
    assert {(told["rule"], SAM in told["allowed"], DANA in told["allowed"]) for told in refused} == {("caseload_exceeded", True, False)}
    assert len(api.get(f"cases?case_manager={DANA}")["items"]) == 2
