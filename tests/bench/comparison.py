"""What a comparison of two servers came to, and how it is shown."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.wrk import Rate


@dataclass
class Row:
    """One thing that is measured on both, once a round. `theirs` is empty where they are not measured."""

    name: str
    shape: str
    unit: str
    goal: float | None
    """The least that the ratio may be, where there is a goal."""
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    ours_p95: list[float] = field(default_factory=list)
    theirs_p95: list[float] = field(default_factory=list)
    less_is_better: bool = False
    faults: list[str] = field(default_factory=list)
    """Why the figures mean nothing."""

    def take(self, rate: Rate, *, is_ours: bool) -> None:
        """Add what a run came to."""
        (self.ours if is_ours else self.theirs).append(rate.per_second)
        (self.ours_p95 if is_ours else self.theirs_p95).append(rate.p95)
        if rate.fault:
            self.faults.append(f"{'casebridge' if is_ours else 'HAPI'}: {rate.fault}")

    @property
    def ratio(self) -> float | None:
        """How many times better ours is: the median of the rounds' ratios. None where there is nothing to compare."""
        pairs = [*zip(self.ours, self.theirs, strict=False)]
        if not pairs or not all(one and other for one, other in pairs):
            return None
        return statistics.median(other / one if self.less_is_better else one / other for one, other in pairs)

    @property
    def reached(self) -> bool | None:
        """None where there is nothing to compare."""
        return None if self.ratio is None or self.goal is None else self.ratio >= self.goal and not self.faults

    def to_json(self) -> dict[str, Any]:
        own = {"name": self.name, "shape": self.shape, "unit": self.unit, "ours": self.ours, "hapi": self.theirs}
        slow = {"ours_p95_ms": self.ours_p95, "hapi_p95_ms": self.theirs_p95}
        return {**own, **slow, "ratio": self.ratio, "goal": self.goal, "reached": self.reached, "faults": self.faults}

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        said = {None: "", True: "reached", False: "NOT reached"}[self.reached]
        numbers = (_median(values) for values in (self.ours, self.theirs, self.ours_p95, self.theirs_p95))
        return (
            self.name,
            self.shape,
            self.unit,
            *numbers,
            ratio,
            "" if self.goal is None else f"≥ {self.goal:g}",
            "INVALID" if self.faults else said,
        )


_HEAD = ("", "", "", "casebridge", "HAPI", "p95 ms", "HAPI p95", "ratio", "goal", "")
_NUMBERS = range(3, 9)


def lines(rows: Sequence[Row]) -> list[str]:
    """The table as text, medians of the rounds, and under it what is wrong with its figures."""
    cells = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    table = ["  ".join(_padded(cell, width, column) for column, (cell, width) in enumerate(zip(row, widths, strict=True))) for row in cells]
    return [*(line.rstrip() for line in table), *(f"INVALID, {row.name}: {fault}" for row in rows for fault in row.faults)]


def _padded(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column in _NUMBERS else cell.ljust(width)


def _median(values: Sequence[float]) -> str:
    if not values:
        return ""
    value = statistics.median(values)
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
