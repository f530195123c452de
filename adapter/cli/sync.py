"""`casebridge plan`, `push`, `pull` and `sync`: what would be done, and doing it, with a certificate that must add up."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import click

from adapter.cli.connection import bridge
from adapter.cli.exits import Failure
from adapter.cli.terminal import as_json, line, progress, say, table
from adapter.errors import RemoteError
from adapter.fhir.resource import dumps
from adapter.sync.bridge import Bridge
from adapter.sync.certificate import COLUMNS, Certificate
from adapter.sync.plan import ACTIONS, Entry

_SHOWN = 40
_VALUE = 60
# What a person wants to see one by one; the others are only counted.
_TOLD = ("update", "merge", "delete", "conflict")

_json = click.option("--json", "json", is_flag=True, help="As JSON.")
_wait = click.option("--wait", default=0.0, metavar="SECONDS", help="If another sync of this remote runs, wait so long for its end.")
_dry = click.option("--dry-run", is_flag=True, help="Only show the plan; write nothing, here or there.")
_all = click.option("--all", "all_", is_flag=True, help=f"Show every entry, not only the first {_SHOWN}.")


@click.command()
@click.argument("remote")
@click.option("--pull", "only", flag_value="pull", help="Only what would come from there.")
@click.option("--push", "only", flag_value="push", help="Only what would go there.")
@_all
@_json
def plan(remote: str, only: str | None, all_: bool, json: bool) -> None:
    """Show what a sync would do.

    Nothing is written, here or at REMOTE.

    \b
      casebridge plan hapi
      casebridge plan hapi --push --json
    """
    with bridge() as opened:
        _show_plan(opened, remote, only, all_, json)


@click.command()
@click.argument("remote")
@_wait
@_json
def push(remote: str, wait: float, json: bool) -> None:
    """Send a remote what it is owed.

    Prints the certificate.

    \b
      casebridge push hapi
    """
    with bridge() as opened:
        _run(opened, remote, "push", wait, json)


@click.command()
@click.argument("remote")
@_dry
@_wait
@_all
@_json
def pull(remote: str, dry_run: bool, wait: float, all_: bool, json: bool) -> None:
    """Bring here what a remote has.

    Prints the certificate.

    \b
      casebridge pull hapi --dry-run
    """
    with bridge() as opened:
        if dry_run:
            _show_plan(opened, remote, "pull", all_, json)
        else:
            _run(opened, remote, "pull", wait, json)


@click.command()
@click.argument("remote")
@_dry
@_wait
@_all
@_json
def sync(remote: str, dry_run: bool, wait: float, all_: bool, json: bool) -> None:
    """Pull, then push, with a certificate.

    The exit code is 0 only if all adds up and nothing waits for a person. Run again after any failure: what was done is kept, and nothing
    is done twice.

    \b
      casebridge sync hapi --dry-run
      casebridge sync hapi --wait 60
    """
    with bridge() as opened:
        if dry_run:
            _show_plan(opened, remote, None, all_, json)
        else:
            _run(opened, remote, None, wait, json)


def _show_plan(opened: Bridge, remote: str, only: str | None, all_: bool, json: bool) -> None:
    counts: dict[tuple[str, str], Counter[str]] = {}
    shown: list[Entry] = []
    listed: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    hidden = 0
    with progress() as report:
        for entry in opened.plan(remote, pull=only != "push", push=only != "pull", progress=report):
            counts.setdefault((entry.direction, entry.type), Counter())[entry.action] += 1
            if entry.action not in _TOLD and entry.reason:
                reasons[f"{entry.action}: {entry.reason}"] += 1
            if json and entry.action != "unchanged":
                listed.append(entry.to_json())
            elif not json and entry.action in _TOLD:
                if all_ or len(shown) < _SHOWN:
                    shown.append(entry)
                else:
                    hidden += 1
    if json:
        summary: dict[str, dict[str, dict[str, int]]] = {}
        for (direction, type), found in sorted(counts.items()):
            summary.setdefault(direction, {})[type] = dict(found)
        as_json({"remote": remote, "summary": summary, "entries": listed})
        return
    _summary(remote, counts)
    _reasons(reasons)
    for each in shown:
        _show_entry(each)
    if hidden:
        line(f"… and {hidden} more; --all shows them.")


def _summary(remote: str, counts: dict[tuple[str, str], Counter[str]]) -> None:
    for direction, title in (("pull", f"From {remote} to here"), ("push", f"From here to {remote}")):
        rows = {type: found for (way, type), found in sorted(counts.items()) if way == direction}
        actions = [action for action in ACTIONS if any(found[action] for found in rows.values())]
        if rows:
            cells = [(type, *(found[action] for action in actions)) for type, found in rows.items()]
            table(("type", *actions), cells, numbers=actions, title=title)
    if not any(found[action] for found in counts.values() for action in ACTIONS if action != "unchanged"):
        line(f"Nothing to do: {remote} and this database are in step.")


def _show_entry(entry: Entry) -> None:
    reason = f": {entry.reason}" if entry.reason else ""
    line(f"{entry.direction} {entry.action} {entry.reference}{reason}")
    for change in entry.changes:
        line(f"    {change.path}: {_brief(change.base)} → {_sides(change.ours, change.theirs, entry.action)}")


def _sides(ours: Any, theirs: Any, action: str) -> str:
    return f"ours {_brief(ours)}, theirs {_brief(theirs)}" if action == "conflict" else _brief(ours)


def _brief(value: Any) -> str:
    text = "nothing" if value is None else dumps(value)
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 1]}…"


def _run(opened: Bridge, remote: str, only: str | None, wait: float, json: bool) -> None:
    try:
        with progress() as report:
            certificate = opened.sync(remote, pull=only != "push", push=only != "pull", wait=wait, progress=report, say=say)
    except RemoteError:
        # What was done until then is in the certificate that the sync kept.
        kept = [body for _, body in opened.state.all("certificates", {"remote": remote})]
        if kept and not json:
            show_certificate(kept[-1])
        raise
    body = certificate.to_json()
    if json:
        as_json(body | {"clean": certificate.clean})
    else:
        show_certificate(body)
        line(_verdict(certificate, sum(1 for _ in opened.conflicts.all(remote))))
    if not certificate.clean:
        raise Failure


def show_certificate(body: dict[str, Any]) -> None:
    """Print a certificate, given as `Certificate.to_json` gives it."""
    told = {type: row for type, row in body["pull"].items() if any(row[column] for column in COLUMNS) or not row["adds up"]}
    columns = [column for column in COLUMNS if column == COLUMNS[0] or any(row[column] for row in told.values())]
    if told:
        rows = [(type, *(row[column] for column in columns), "yes" if row["adds up"] else "NO") for type, row in told.items()]
        table(("type", *columns, "adds up"), rows, numbers=columns, title=f"From {body['remote']} to here")
    if empty := len(body["pull"]) - len(told):
        line(f"{empty} {'other ' if told else ''}types: nothing new there.")
    actions = [action for action in ACTIONS if any(counts.get(action) for counts in body["push"].values())]
    if actions:
        rows = [(type, *(counts.get(action, 0) for action in actions)) for type, counts in body["push"].items()]
        table(("type", *actions), rows, numbers=actions, title=f"From here to {body['remote']}")
    _reasons(body["reasons"])


def _reasons(reasons: Mapping[str, int]) -> None:
    for reason, count in reasons.items():
        line(f"{count} × {reason}")


def _verdict(certificate: Certificate, waiting: int) -> str:
    dead = certificate.pulled.total("dead") + certificate.pushed.total("dead")
    if certificate.clean:
        here, there = certificate.pulled.written, certificate.pushed.written
        return f"In step with {certificate.remote}: {here} written here, {there} there; all adds up."
    parts = ["it does not add up; the next pull reads those types again"] * (not certificate.holds)
    parts += [f"{waiting} in conflict (`casebridge conflicts list`)"] * bool(waiting)
    parts += [f"{dead} refused (`casebridge dead list`)"] * bool(dead)
    return f"Not in step with {certificate.remote}: {'; '.join(parts)}."
