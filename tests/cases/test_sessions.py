"""Sessions made of how often a service is planned, and options compared."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from adapter.cases.facts import moment
from adapter.cases.options import compared
from adapter.cases.sessions import sessions
from adapter.errors import Invalid, NotNow

TWICE_A_WEEK = {"frequency": 2, "period": 1, "period_unit": "wk", "count": 16}
FIRST = ("2026-03-02T10:00:00-05:00", "2026-03-05T14:00:00-05:00")


def meets(one: tuple[datetime, datetime], other: tuple[datetime, datetime]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def test_twice_a_week_for_eight_weeks_is_sixteen_sessions():
    """P-33"""
    found = sessions(TWICE_A_WEEK, FIRST, 45, [])
    assert len(found) == 16
    assert {end - start for start, end in found} == {timedelta(minutes=45)}
    assert [(start.weekday(), start.hour) for start, _ in found[:4]] == [(0, 10), (3, 14), (0, 10), (3, 14)]
    assert found[-1][0] == moment(FIRST[1]) + timedelta(weeks=7)
    until = {name: value for name, value in TWICE_A_WEEK.items() if name != "count"} | {"end": "2026-04-24"}
    assert sessions(until, FIRST, 45, []) == found


def test_a_session_that_would_meet_something_begins_when_that_ends():
    """P-33"""
    start = moment("2026-03-09T09:30:00-05:00")
    busy = [(start, start + timedelta(hours=1)), (start + timedelta(minutes=80), start + timedelta(minutes=90))]
    found = sessions(TWICE_A_WEEK, FIRST, 45, busy)
    assert found[2][0] == start + timedelta(minutes=90)
    assert not any(meets(one, other) for place, one in enumerate(found) for other in [*busy, *found[:place]])


def test_a_day_without_free_time_is_told():
    """P-33"""
    day = moment("2026-03-09T00:00:00-05:00")
    with pytest.raises(NotNow) as refused:
        sessions(TWICE_A_WEEK, FIRST, 45, [(day, day + timedelta(days=1))])
    assert refused.value.code == "no_free_time"


@pytest.mark.parametrize("wrong", [{"period_unit": "mo"}, {"count": 400}, {"frequency": 3}, {"count": None}])
def test_a_timing_that_does_not_say_how_many_sessions_there_are_is_refused(wrong):
    timing = {name: value for name, value in {**TWICE_A_WEEK, **wrong}.items() if value is not None}
    with pytest.raises(Invalid):
        sessions(timing, FIRST, 45, [])


def test_options_are_compared_by_cost_with_the_goals_that_each_leaves_open():
    """C-06"""
    needed = {"medical_necessity": {"determination": "necessary"}}
    services = {
        "a": needed | {"goals": ["g1", "g2"], "estimated_cost": {"value": Decimal("900.50"), "currency": "USD"}},
        "b": needed | {"goals": ["g1"], "estimated_cost": {"value": 300, "currency": "USD"}},
        "c": {"goals": ["g1", "g2"]},
    }
    wanted = [
        {"id": "both", "title": "Both", "services": ["a", "b"]},
        {"id": "unknown", "title": "Unknown", "services": ["c"]},
        {"id": "cheap", "title": "Cheap", "services": ["b"]},
        {"id": "told", "title": "Told", "services": ["a"], "estimated_cost": {"value": 800, "currency": "USD"}},
    ]
    found = compared(["g1", "g2"], wanted, services)
    assert [(option.id, option.unmet, option.necessary) for option in found] == [
        ("cheap", ("g2",), True),
        ("told", (), True),
        ("both", (), True),
        ("unknown", (), False),
    ]
    assert found[2].cost == {"value": Decimal("1200.50"), "currency": "USD"}
    assert found[3].cost is None
