"""What a measurement came to, and how it is shown."""

import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


class Skipped(Exception):
    """Something that a measurement needs is not here; the text says what."""


class Broken(Exception):
    """What was to be measured does not do its work; the text says how."""


@dataclass(frozen=True)
class Figure:
    """One number, taken once a round."""

    name: str
    unit: str
    values: Sequence[float]
    goal: float | None = None
    """The most that the median may be."""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def reached(self) -> bool:
        return self.goal is None or self.median <= self.goal

    def to_json(self) -> dict[str, Any]:
        body = {"name": self.name, "unit": self.unit, "median": self.median, "low": min(self.values), "high": max(self.values)}
        return body | {"rounds": len(self.values), "goal": self.goal, "reached": self.reached}

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        spread = f"{_short(min(self.values))} – {_short(max(self.values))}" if len(self.values) > 1 else ""
        goal = "" if self.goal is None else f"≤ {self.goal:g}, {'reached' if self.reached else 'NOT reached'}"
        return self.name, _short(self.median), self.unit, spread, str(len(self.values)), goal


@dataclass
class Report:
    """One measurement: its figures, what they were taken on, and what was found wrong."""

    title: str
    data: str
    figures: list[Figure] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Why the work that was measured was not done right: then its time means nothing."""

    def to_json(self) -> dict[str, Any]:
        return {"title": self.title, "data": self.data, "figures": [figure.to_json() for figure in self.figures], "faults": self.faults}

    def lines(self) -> list[str]:
        """The report as text."""
        rows = [("", "median", "", "lowest – highest", "rounds", "goal"), *(figure.cells() for figure in self.figures)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        table = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
        return [self.title, self.data, "", *table, *(f"WRONG: {fault}" for fault in self.faults)]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The cells as wide as their columns; the median to the right."""
    return [cell.rjust(width) if column == 1 else cell.ljust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))]


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def machine() -> dict[str, Any]:
    """What was measured on, and how busy it is: the load is how many processes wanted a core, over the last minute."""
    return {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "python": platform.python_version(), "system": sys.platform}
