"""`casebridge measure`: what case management achieved in a period."""

from datetime import date, datetime
from typing import Any

import click

from adapter.casework.measures import BY, Period, definitions, evaluate
from adapter.casework.measures.report import as_csv, as_json
from adapter.cli.connection import repository
from adapter.cli.terminal import as_json as show_json
from adapter.cli.terminal import line, say, table

_DAY = click.DateTime(("%Y-%m-%d",))
_COLUMNS = ("initial", "denominator", "numerator", "rate", "mean", "median", "minimum", "maximum", "sum", "saved")


@click.command()
@click.argument("id", metavar="MEASURE", required=False)
@click.option("--from", "start", type=_DAY, help="The first day; without it, the first of this year.")
@click.option("--to", "end", type=_DAY, help="The last day; without it, today.")
@click.option("--by", type=click.Choice(BY), help="What to divide it by.")
@click.option("--members", is_flag=True, help="With --json: who is in the numerator.")
@click.option("--csv", "csv", is_flag=True, help="As CSV.")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def measure(id: str | None, start: datetime | None, end: datetime | None, by: str | None, members: bool, csv: bool, json: bool) -> None:
    """Evaluate a measure of a period, or list the measures.

    docs/measures.md says what is counted.

    \b
      casebridge measure
      casebridge measure readmission-30-days --from 2026-01-01 --to 2026-03-31 --by tier
    """
    if id is None:
        table(("measure", "title"), [(each.id, each.title) for each in definitions().values()])
        return
    with repository() as opened:
        today = opened.clock().date()
        period = Period(start.date() if start else date(today.year, 1, 1), end.date() if end else today)
        report = evaluate(opened, id, period, by)
    if csv:
        click.echo(as_csv(report), nl=False)
        return
    body = as_json(report, members=members)
    if json:
        show_json(body)
        return
    line(f"{report.measure.title}, {period.start} to {period.end}, as of {report.on}")
    rows = [row for group in body["groups"] for row in _rows(group)]
    shown = [name for name in _COLUMNS if any(name in row for row in rows)]
    table(("group", *([by] if by else []), *shown), [_cells(row, by, shown) for row in rows], numbers=shown)
    if not any(row["initial"] for row in rows):
        say("There is nothing to count in this period; a store from before measures needs `casebridge reindex` once.")


def _rows(group: dict[str, Any]) -> list[dict[str, Any]]:
    strata = [{"group": group["group"], "of": value, **counts} for value, counts in group.get("strata", {}).items()]
    return [{"of": "all", **group}, *strata]


def _cells(row: dict[str, Any], by: str | None, shown: list[str]) -> tuple[str, ...]:
    return (row["group"], *([row["of"]] if by else []), *(f"{row.get(name, '')}" for name in shown))
