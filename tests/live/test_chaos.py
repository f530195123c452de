"""A short storm over two bridges and a real HAPI; `make chaos` is the long one."""

from pathlib import Path
from typing import Any

from tests.chaos.run import run


def test_after_a_storm_nothing_is_lost_or_doubled_and_all_sides_are_the_same(hapi_empty: Any, tmp_path: Path) -> None:
    verdict = run(hapi_empty.url, tmp_path, seed=20251122, seconds=40)
    assert verdict.problems == []
    assert verdict.counts["kills"]
    assert verdict.faults
    assert verdict.ledger.counts["edited"] > 50
