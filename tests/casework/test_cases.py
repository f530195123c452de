"""Cases opened, moved on and given to others, through the store."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapter.casework import cases
from adapter.casework.desk import actor
from adapter.casework.records import put, read
from adapter.errors import Forbidden, Invalid, NotNow, StaleRecord
from tests.casework.conftest import BOSS, DANA, SAM, case, person


def test_a_case_is_opened_in_its_first_step_and_says_who_opened_it(desk):
    opened = cases.open_case(desk, case())
    assert (opened.fields["step"], opened.fields["status"], opened.version) == ("referred", "planned", 1)
    [proof] = [stored.raw for stored in desk.repository.scan("Provenance")]
    assert proof["agent"][0]["who"] == {"reference": DANA}
    assert {"reference": f"{opened.reference}/_history/1"} in proof["target"]


def test_a_client_has_one_open_case_of_a_type(desk):
    """V-04, P-31"""
    first = cases.open_case(desk, case())
    with pytest.raises(NotNow) as refused:
        cases.open_case(desk, case(case_number="N-2"))
    assert (refused.value.code, refused.value.allowed) == ("duplicate_case", (first.reference,))
    assert cases.open_case(desk, case(case_type="focused", case_number="N-3")).version == 1


def test_a_transition_is_by_its_id_or_by_the_step_to_go_to(desk):
    opened = cases.open_case(desk, case())
    assert cases.transit(desk, opened.id, "screening").fields["step"] == "screening"
    with pytest.raises(NotNow) as refused:
        cases.transit(desk, opened.id, "closed")
    assert refused.value.code == "transition_not_allowed"
    assert "assessment" in refused.value.allowed


def test_the_same_request_again_changes_nothing(desk):
    opened = cases.open_case(desk, case())
    once = cases.transit(desk, opened.id, "TR-01", request_id="r1")
    again = cases.transit(desk, opened.id, "TR-01", request_id="r1")
    assert (once.version, again.version) == (2, 2)
    assert cases.transit(desk, opened.id, "screening", request_id="r1").version == 2


def test_many_at_once_want_the_last_two_places_of_a_caseload(desk, new_client):
    """V-01, P-27"""
    person(desk.repository, "dana", caseload_limit=4)
    for number in range(2):
        cases.open_case(desk, case(new_client(f"old{number}")))
    waiting = [cases.open_case(desk, case(new_client(f"new{number}"), case_manager=SAM, case_number=f"W-{number}")) for number in range(16)]

    def assign(opened):
        try:
            return cases.assign(desk, opened.id, DANA)
        except NotNow as refused:
            return refused

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(assign, waiting))
    refused = [result for result in results if isinstance(result, NotNow)]
    assert len(refused) == len(waiting) - 2
    assert {(each.code, SAM in each.allowed) for each in refused} == {("caseload_exceeded", True)}


def test_a_supervisor_goes_over_a_limit_with_a_reason_and_nobody_else_does(desk, boss, new_client):
    """V-01, A-14, P-27"""
    person(desk.repository, "dana", caseload_limit=1)
    cases.open_case(desk, case())
    other = case(new_client("river"))
    with pytest.raises(Forbidden):
        cases.open_case(desk, other, reason="we are short of people")
    assert cases.open_case(boss, other, reason="we are short of people").fields["case_manager"] == DANA


def test_a_record_is_saved_against_the_version_that_its_writer_saw(desk):
    """S-05"""
    opened = cases.open_case(desk, case())
    fields = {"client": "Patient/alma", "case": opened.reference, "status": "requested", "intent": "order"}
    task = put(desk, "task", None, fields)
    put(desk, "task", task.id, fields | {"priority": "urgent"}, expect=task.version)
    with pytest.raises(StaleRecord):
        put(desk, "task", task.id, fields | {"priority": "stat"}, expect=task.version)
    assert read(desk.repository, "task", task.id).fields["priority"] == "urgent"


def test_who_acts_is_known_and_has_the_role_of_their_record(desk):
    assert actor(desk.repository, BOSS).supervisor
    assert not actor(desk.repository, DANA).supervisor
    with pytest.raises(Invalid):
        actor(desk.repository, "Practitioner/nobody")
