"""What a command shows: results on standard output, progress and what goes wrong on standard error."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from adapter.fhir.resource import dumps

Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is (0 where that is not known)."""

LINE_SECONDS = 3.0
"""How often progress is told where there is no terminal."""
_WIDE = 10_000


def as_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(msgspec.json.format(dumps(value), indent=2))


def line(text: str) -> None:
    """Print a line of result."""
    click.echo(text)


def say(text: str) -> None:
    """Tell a person something that is not the result."""
    click.echo(text, err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[str] = (), title: str = "") -> None:
    """Print rows under their columns; `numbers` are the columns aligned right, where 0 is shown as a dot."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        shown.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        cells = zip(columns, row, strict=True)
        shown.add_row(*(Text("·" if column in numbers and cell == 0 else str(cell)) for column, cell in cells))
    # Not a terminal, nothing is cut.
    out = Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    with out.capture() as text:
        out.print(shown)
    if title:
        line(click.style(title, bold=True))
    for each in text.get().splitlines():
        line(each.rstrip())


@contextmanager
def progress() -> Iterator[Report]:
    """A way to report progress: a bar on a terminal, else a line every few seconds; on standard error, so that results stay clean."""
    if not sys.stderr.isatty():
        yield _Lines().report
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for earlier in tasks.values():
                    bars.update(earlier, visible=False)
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done, total=total or None)

        yield report


class _Rate(ProgressColumn):
    """How many a second, of late."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="progress.data.speed")


class _Lines:
    """A line every few seconds, with the rate since the one before."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._before: dict[str, tuple[float, int]] = {}

    def report(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        since, had = self._before.setdefault(what, (now, done))
        if now - self._last >= LINE_SECONDS:
            self._last, self._before = now, {what: (now, done)}
            rate = f", {(done - had) / (now - since):.0f}/s" if now > since and done > had else ""
            say(f"{what}: {done} of {total}{rate}" if total else f"{what}: {done}{rate}" if done else f"{what} …")
