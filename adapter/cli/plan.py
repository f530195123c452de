"""`casebridge plan` and `apply`: what a sync would do, explained, saved, and carried out as it was saved."""

from collections import Counter
from pathlib import Path
from typing import Any

import click

from adapter.cli.certificates import show_certificate, show_reasons
from adapter.cli.connection import bridge
from adapter.cli.exits import Failure
from adapter.cli.terminal import as_json, line, progress, say, table
from adapter.fhir.resource import dumps, laid_out
from adapter.sync.bridge import Bridge
from adapter.sync.plan import ACTIONS, Entry
from adapter.sync.rehearsal.explain import Element, Explained
from adapter.sync.rehearsal.saved_plan import read

SHOWN = 40
_VALUE = 60
# What a person wants to see one by one; the others are only counted.
_TOLD = ("update", "merge", "delete", "conflict")

_json = click.option("--json", "json", is_flag=True, help="As JSON.")


@click.command()
@click.argument("remote")
@click.option("--pull", "only", flag_value="pull", help="Only what would come from there.")
@click.option("--push", "only", flag_value="push", help="Only what would go there.")
@click.option("--explain", is_flag=True, help="Each entry's request, what sets each element, and the answer that is to be expected.")
@click.option("--body", is_flag=True, help="With --explain: also the resource that would be sent.")
@click.option("--resource", metavar="TYPE/ID", help="With --explain: only of this resource of ours.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Save the plan in this file, for `casebridge apply`.")
@click.option("--all", "all_", is_flag=True, help=f"Show every entry, not only the first {SHOWN}.")
@_json
def plan(remote: str, only: str | None, explain: bool, body: bool, resource: str | None, save: Path | None, all_: bool, json: bool) -> None:
    """Show what a sync would do.

    Nothing is written, here or at REMOTE. What is shown holds patient data: the values that change, and with --body whole resources.

    \b
      casebridge plan hapi
      casebridge plan hapi --push --explain
      casebridge plan hapi --explain --body --resource CarePlan/0c5f…
      casebridge plan hapi --save monday.plan
    """
    if explain and save:
        raise click.UsageError("A plan is explained, or saved: --explain or --save.")
    if (body or resource) and not explain:
        raise click.UsageError("--body and --resource are for --explain.")
    with bridge() as opened:
        if explain:
            _explain(opened, remote, only, None if all_ else SHOWN, resource, body, json)
        else:
            show_plan(opened, remote, only, all_, json, save)
    if save:
        say(f"Saved in {save}. `casebridge apply {save}` carries out this plan and nothing else.")


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_json
def apply_(file: Path, json: bool) -> None:
    """Carry out a saved plan.

    Just what FILE says and nothing else: what moved on either side since is not done but listed, with exit code 1. A file that was
    changed, or is of another database or address, is refused. Prints the certificate.

    \b
      casebridge apply monday.plan
    """
    saved = read(file)
    with bridge() as opened, progress() as report:
        certificate = opened.carry_out(saved, progress=report)
    left = [{name: row[name] for name in ("direction", "action", "resource", "there")} for row in saved.left]
    if json:
        as_json(certificate.to_json() | {"clean": certificate.clean, "planned": len(saved.entries), "moved": left})
    else:
        show_certificate(certificate.to_json())
        for each in left:
            line(f"{each['direction']} {each['action']} {each['resource']}: not done, for it is not as it was when it was planned")
        line(f"{len(saved.entries) - len(left)} of {len(saved.entries)} entries carried out, {len(left)} left alone.")
    if left or not certificate.clean:
        raise Failure


def show_plan(opened: Bridge, remote: str, only: str | None, all_: bool, json: bool, save: Path | None = None) -> None:
    """Print what a sync would do."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    shown: list[Entry] = []
    listed: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    hidden = 0
    with progress() as report:
        way: dict[str, Any] = {"pull": only != "push", "push": only != "pull", "progress": report}
        for entry in opened.save(remote, save, **way) if save else opened.plan(remote, **way):
            counts.setdefault((entry.direction, entry.type), Counter())[entry.action] += 1
            if entry.action not in _TOLD and entry.reason:
                reasons[f"{entry.action}: {entry.reason}"] += 1
            if json and entry.action != "unchanged":
                listed.append(entry.to_json())
            elif not json and entry.action in _TOLD:
                if all_ or len(shown) < SHOWN:
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
    show_reasons(reasons)
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


def _explain(opened: Bridge, remote: str, only: str | None, most: int | None, resource: str | None, body: bool, json: bool) -> None:
    with progress() as report:
        found = opened.explain(remote, pull=only != "push", push=only != "pull", progress=report)
        told = [each for each in found if each.entry.action != "unchanged" and resource in (None, each.entry.reference)]
    if json:
        as_json({"remote": remote, "entries": [each.to_json(body=body) for each in told]})
        return
    if not told:
        line(f"Nothing to explain: no such entry is in the plan with {remote}.")
    for each in told[:most]:
        _show_explained(each, body)
    if most is not None and len(told) > most:
        line(f"… and {len(told) - most} more; --all shows them, --resource one of them.")


def _show_explained(each: Explained, body: bool) -> None:
    entry, request = each.entry, each.request
    line(click.style(f"{entry.direction} {entry.action} {entry.reference}", bold=True))
    if request:
        line(f"  {request.method} {request.path}   ({each.together})")
        for name, value in request.headers.items():
            line(f"  {name}: {value}")
    line(f"  answer: {each.answer} ({each.why})")
    for lacking in each.lacks:
        line(f"  beware: {lacking}")
    for element in each.elements:
        _show_element(element, entry.action)
    if body and request and request.body is not None:
        line("\n".join(f"  {text}" for text in laid_out(dumps(request.body)).splitlines()))
    line("")


def _show_element(element: Element, action: str) -> None:
    change = element.change
    line(f"    {change.path}: {_brief(change.base)} → {_sides(change.ours, change.theirs, action)}")
    for origin in element.origins:
        line(f"        {origin.field}, by {origin.rule} in {origin.file}")
    if element.note:
        line(f"        {element.note}")
