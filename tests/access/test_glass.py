"""A glass that was broken, as a value."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapter.access.glass import LONGEST, SHORTEST, Broken, reason
from adapter.errors import Invalid

BEGAN = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
BROKEN = Broken("g", "Practitioner/dana", "Patient/alma", "Kanarifugl fell in the hall.", BEGAN, BEGAN + HOUR)


def test_it_counts_from_its_beginning_until_its_end():
    moments = (BEGAN - SECOND, BEGAN, BEGAN + HOUR - SECOND, BEGAN + HOUR)
    assert [BROKEN.holds(moment) for moment in moments] == [False, True, True, False]


def test_what_is_ended_counts_no_more_and_an_end_after_its_time_lengthens_nothing():
    early, late = (replace(BROKEN, ended=BEGAN + after, ended_by="Practitioner/boss") for after in (SECOND, 2 * HOUR))
    assert [early.holds(BEGAN), early.holds(BEGAN + SECOND)] == [True, False]
    assert late.over == BROKEN.until


@pytest.mark.parametrize("text", ["", " " * 30, "because", "x" * (SHORTEST - 1), "x" * (LONGEST + 1), "a" + " " * 20 + "b"])
def test_a_reason_says_something(text):
    with pytest.raises(Invalid) as refused:
        reason(text)
    assert refused.value.expression == ("reason",)


def test_a_reason_is_kept_on_one_line():
    assert reason("  She fell\r\n in the   hall. ") == "She fell in the hall."
