"""Whom to look after first."""

from datetime import date

import pytest

from adapter.cases.story import parse
from adapter.casework import worklist
from adapter.casework.stories import load_story
from adapter.errors import NotFound
from adapter.fhir.resource import parse as parse_json
from tests.casework.conftest import DANA, SAM
from tests.casework.shelf import Shelf
from tests.mapping.data import FIXTURES


@pytest.fixture
def shelf(desk):
    return Shelf(desk.repository)


def cases(rows):
    return [row.about.case_number if row.about else None for row in rows]


def test_urgent_flags_come_first_then_the_priority_then_the_earlier_referral_then_the_number(desk, shelf):
    """P-06, P-26"""
    shelf.case("a", "N-1")
    shelf.case("b", "N-2", priority_score=30)
    shelf.case("c", "N-4", opened="2026-01-01T00:00:00Z")
    shelf.case("d", "N-3", opened="2026-01-01T00:00:00Z")
    shelf.case("e", "N-5", priority_score=1)
    shelf.flagged("e", "suicide_item")
    assert cases(worklist.due(desk, DANA)) == ["N-5", "N-2", "N-3", "N-4", "N-1"]
    assert cases(worklist.due(desk, DANA, "urgent")) == ["N-5"]
    assert [row.case_number for row in worklist.caseload(desk, DANA)] == ["N-5", "N-2", "N-3", "N-4", "N-1"]


def test_a_flag_of_an_earlier_evaluation_no_longer_counts(desk, shelf):
    shelf.case("a", "N-1")
    shelf.flagged("a", "suicide_item")
    shelf.of("risk_evaluation", "RiskAssessment", "later", "a", status="final", at="2026-02-03T00:00:00Z")
    assert worklist.due(desk, DANA, "urgent") == []


def test_a_contact_is_in_the_list_a_week_before_and_overdue_the_day_after(desk, shelf, time):
    """P-26, V-13"""
    shelf.case("a", "N-1", tier="low")
    shelf.contact("a", "2026-02-07T09:00:00Z")
    [row] = worklist.due(desk, DANA)
    assert (row.what, row.source, row.due, row.overdue_days) == ("contact", "client", date(2026, 3, 9), 0)
    assert worklist.due(desk, DANA, "overdue") == []
    time.forward(days=8)
    assert [row.overdue_days for row in worklist.due(desk, DANA, "overdue")] == [1]


def test_a_task_whose_day_has_passed_is_returned_once_the_oldest_first(desk, shelf):
    """C-12"""
    shelf.case("a", "N-1", step="screening", opened="2026-03-02T00:00:00Z")
    shelf.task("young", due="2026-02-27", client="Patient/a")
    shelf.task("old", due="2026-02-20", case="EpisodeOfCare/c-a")
    shelf.task("done", due="2026-02-19", status="completed")
    shelf.task("later", due="2026-03-03")
    shelf.task("undated")
    found = worklist.due(desk, DANA, "overdue")
    assert [(row.reference, row.overdue_days) for row in found] == [("Task/old", 10), ("Task/young", 3)]
    assert cases(found) == ["N-1", "N-1"]


def test_a_list_is_one_manager_s(desk, shelf):
    shelf.case("a", "N-1")
    shelf.case("b", "N-2", case_manager=SAM)
    shelf.task("his", owner=SAM, due="2026-03-01", priority="urgent")
    assert cases(worklist.due(desk, SAM, "urgent")) == [None]
    assert set(cases(worklist.due(desk, SAM))) == {"N-2", None}
    assert cases(worklist.due(desk, DANA)) == ["N-1"]


def test_a_caseload_of_twelve_open_cases_has_twelve_rows_with_step_tier_and_what_is_due_next(desk, shelf):
    """C-18"""
    for number in range(12):
        shelf.case(f"p{number}", f"N-{number:02}")
    shelf.case("over", "N-X", step="closed", status="finished")
    shelf.contact("p3", "2026-02-25T09:00:00Z")
    shelf.task("first", due="2026-02-28", case="EpisodeOfCare/c-p3")
    rows = worklist.caseload(desk, DANA)
    assert len(rows) == 12
    [row] = [row for row in rows if row.case_number == "N-03"]
    assert (row.step, row.tier, row.models, row.next_due) == ("follow_up", "high", ("clinical",), date(2026, 2, 28))


def test_a_story_s_open_case_is_in_its_manager_s_list_until_it_is_closed(desk):
    """C-18"""
    load_story(desk.repository, parse(parse_json((FIXTURES / "cases" / "river.json").read_bytes())))
    [case] = [stored for stored in desk.repository.scan("EpisodeOfCare") if stored.concept == "case"]
    assert case.record["step"] == "closed"
    assert worklist.caseload(desk, case.record["case_manager"]) == []


def test_a_list_that_there_is_not_is_refused_and_named(desk):
    with pytest.raises(NotFound) as refused:
        worklist.due(desk, DANA, "Kanarifugl")
    assert "overdue" in refused.value.text
