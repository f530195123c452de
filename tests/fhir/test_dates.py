"""Periods: of search what can be read of them, of access only those that can be read."""

from datetime import UTC, datetime

import pytest

from adapter.fhir.dates import BEGIN, END, covers, period, span, spans


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2016-12-31T23:59:60Z", at(2016, 12, 31, 23, 59, 59), at(2017, 1, 1)),
        ("2016-12-31T18:59:60.25-05:00", at(2016, 12, 31, 23, 59, 59, 250000), at(2016, 12, 31, 23, 59, 59, 251000)),
    ],
)
def test_a_leap_second_is_the_second_before_it(text, low, high):
    assert span(text) == (low, high)
    assert span(text.replace(":60", ":61")) is span(text.replace(":59:", ":60:")) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"start": "2025"}, (at(2025, 1, 1), END)),
        ({"end": "2025"}, (BEGIN, at(2026, 1, 1))),
        ({"start": "2025-04-01", "end": "2025-04-20"}, (at(2025, 4, 1), at(2025, 4, 21))),
        ({"start": "2025", "end": "2025-04-20"}, (at(2025, 1, 1), at(2025, 4, 21))),
        ({"start": "2025-04-20", "end": "2025-04-01"}, (at(2025, 4, 20), at(2025, 4, 21))),
    ],
)
def test_a_period_that_can_be_read_spans_the_same_for_search_and_for_access(value, expected):
    assert period(value) == spans(value) == expected


@pytest.mark.parametrize(
    ("value", "searched"),
    [
        ({"start": "2025", "end": "soon"}, (at(2025, 1, 1), END)),
        ({"start": "2025", "end": None}, (at(2025, 1, 1), END)),
        ({"start": "2025-02-30", "end": "2025"}, (BEGIN, at(2026, 1, 1))),
        ({"event": ["2025"]}, (at(2025, 1, 1), at(2026, 1, 1))),
        ("2025", (at(2025, 1, 1), at(2026, 1, 1))),
        ({"start": "soon"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_period_of_which_a_side_cannot_be_read_is_found_by_the_other_and_lets_nobody_in(value, searched):
    assert spans(value) == searched
    assert period(value) is None
    assert covers(value, at(2025, 6, 1)) == (not value)
