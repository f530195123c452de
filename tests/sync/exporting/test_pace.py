"""Windows of time that hold about a page, wherever in time the resources are: all of them in order, and never many more at once."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.sync.exporting.pace import PIECE, PIECE_BYTES, Pace

BEGIN, NOW = datetime(1, 1, 1, tzinfo=UTC), datetime(2025, 4, 22, 13, tzinfo=UTC)
SECOND, CHANCE = timedelta(seconds=1), random.Random(20251122)


def documents(*moments: datetime, size: int = 1000) -> list[dict[str, Any]]:
    return [{"fhir": {"updated": moment, "raw": "x" * size}} for moment in sorted(moments)]


def spread(start: datetime, end: datetime, number: int) -> list[datetime]:
    return [start + (end - start) * CHANCE.random() for _ in range(number)]


ERAS = {
    "an import of some minutes, half an hour ago": spread(NOW - timedelta(minutes=37), NOW - timedelta(minutes=30), 20_000),
    "years of work": spread(NOW - timedelta(days=3000), NOW, 20_000),
    "years of work, then an import": spread(NOW - timedelta(days=3000), NOW, 5_000) + spread(NOW - 90 * SECOND, NOW, 15_000),
    "two imports, years apart": spread(NOW - timedelta(days=900), NOW - timedelta(days=900) + 90 * SECOND, 10_000)
    + spread(NOW - timedelta(days=2), NOW - timedelta(days=2) + 90 * SECOND, 10_000),
    "one that is as old as time": [BEGIN],
    "nothing": [],
}


def read(moments: list[datetime], pace: Pace) -> tuple[list[datetime], list[int]]:
    """All that is read, in the order in which it is, and how many resources each window held."""
    found, held = [], []
    place, left = BEGIN, sorted(moments)
    while place < NOW:
        end = pace.end(place, NOW)
        assert end > place
        window = [moment for moment in left if place <= moment < end]
        several = window[: pace.count]
        held.append(len(window))
        pace.read(documents(*several), more=len(window) > len(several))
        found += several
        left = left[len(several) :]
        place = several[-1] if len(window) > len(several) else end
    return found, held


@pytest.mark.parametrize("moments", ERAS.values(), ids=ERAS.keys())
def test_all_is_read_in_order_by_windows_of_about_a_page(moments: list[datetime]) -> None:
    found, held = read(moments, Pace(True))
    assert found == sorted(moments)
    assert len(held) < 1500
    # The first look into what is dense can hold a part of all; no other does.
    assert sum(held) < 4 * len(moments) + 2
    assert sum(number > 3 * PIECE for number in held) <= 2


@pytest.mark.parametrize("ago", [timedelta(seconds=90), timedelta(hours=1), timedelta(hours=23), timedelta(days=2000)], ids=str)
def test_behind_the_last_resource_the_end_is_soon_found(ago: timedelta) -> None:
    _, held = read(spread(NOW - ago - timedelta(minutes=7), NOW - ago, 20_000), Pace(True))
    behind = len(held) - max(at for at, number in enumerate(held) if number) - 1
    assert behind < 20


def test_without_windows_all_that_is_left_is_one() -> None:
    assert Pace(False).end(BEGIN, NOW) == NOW


@pytest.mark.parametrize(("size", "count"), [(10, PIECE), (PIECE_BYTES // 100, 100), (PIECE_BYTES, 10)])
def test_large_resources_are_read_fewer_at_a_time(size: int, count: int) -> None:
    pace = Pace(False)
    pace.read(documents(NOW, NOW, size=size), more=True)
    assert pace.count == count
