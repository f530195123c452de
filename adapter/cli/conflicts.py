"""`casebridge conflicts` and `casebridge dead`: what waits for a person."""

import getpass
from typing import Any

import click

from adapter.cli.connection import bridge
from adapter.cli.terminal import as_json, line, say, table
from adapter.clock import instant
from adapter.errors import Invalid
from adapter.fhir.resource import dumps

_json = click.option("--json", "json", is_flag=True, help="As JSON.")


@click.group()
def conflicts() -> None:
    """Elements that both sides changed: list, show, resolve. Until then neither side is overwritten."""


@conflicts.command("list")
@click.option("--remote", help="Only those with this remote.")
@click.option("--decided", is_flag=True, help="Those that were decided, instead of the open ones.")
@_json
def list_(remote: str | None, decided: bool, json: bool) -> None:
    """What waits for a decision.

    \b
      casebridge conflicts list
    """
    with bridge() as opened:
        found = list(opened.conflicts.all(remote, "decided" if decided else "open"))
    if json:
        as_json([_as_json(id, body) for id, body in found])
    elif not found:
        say("There is none.")
    else:
        rows = [(id, body["reason"], ", ".join(row["path"] for row in body["rows"]) or "all of it") for id, body in found]
        table(("conflict", "why", "elements"), rows)


@conflicts.command()
@click.argument("conflict")
@_json
def show(conflict: str, json: bool) -> None:
    """Show what each side says in CONFLICT, element by element.

    \b
      casebridge conflicts show hapi:Patient/0c5f…
    """
    with bridge() as opened:
        found = opened.conflicts.get(conflict)
    if json:
        as_json(_as_json(conflict, found))
        return
    line(f"{found['reference']} here, {found['there']} at {found['remote']}: {found['reason']} ({found['status']})")
    rows = [(row["path"], *map(_value, (row["base"], row["ours"], row["theirs"]))) for row in found["rows"]]
    if rows:
        table(("element", "agreed before", "ours", "theirs"), rows)
    if found["status"] == "open":
        line(f"Decide with: casebridge conflicts resolve {conflict} --ours | --theirs | --set 'ELEMENT=ours' …")


@conflicts.command()
@click.argument("conflict")
@click.option("--ours", "rest", flag_value="ours", help="Ours wins, in all that --set does not name.")
@click.option("--theirs", "rest", flag_value="theirs", help="Theirs wins, in all that --set does not name.")
@click.option("--set", "single", multiple=True, metavar="ELEMENT=ours|theirs", help="Who wins in this element; repeatable.")
@click.option("--by", default=None, metavar="NAME", help="Who decides.  [default: the user of this process]")
def resolve(conflict: str, rest: str | None, single: tuple[str, ...], by: str | None) -> None:
    """Decide CONFLICT. The next push sends what is ours.

    \b
      casebridge conflicts resolve hapi:Patient/0c5f… --theirs
      casebridge conflicts resolve hapi:Patient/0c5f… --theirs --set birthDate=ours
    """
    decisions = dict(map(_decision, single)) | ({"*": rest} if rest else {})
    if not decisions:
        raise click.UsageError("Say who wins: --ours, --theirs, or --set ELEMENT=ours|theirs.")
    with bridge() as opened:
        rows = {row["path"] for row in opened.conflicts.get(conflict)["rows"]}
        if unknown := sorted(decisions.keys() - rows - {"*"}):
            raise Invalid(f"Not in conflict: {', '.join(unknown)}. In conflict: {', '.join(sorted(rows)) or 'all of it'}.")
        stored = opened.conflicts.resolve(conflict, decisions, by=by or getpass.getuser())
    say(f"Decided. {stored.reference} is at version {stored.version}{'; a push is owed' if stored.outbox else ''}.")


def _decision(text: str) -> tuple[str, str]:
    # An element's path can hold an =, so the last one counts.
    path, _, winner = text.rpartition("=")
    if not path or winner not in ("ours", "theirs"):
        raise click.BadParameter("it is ELEMENT=ours or ELEMENT=theirs", param_hint="--set")
    return path, winner


def _value(value: Any) -> str:
    return "nothing" if value is None else value if isinstance(value, str) else dumps(value)


def _as_json(id: str, found: dict[str, Any]) -> dict[str, Any]:
    known = {name: found.get(name) for name in ("remote", "reference", "there", "reason", "status", "rows")}
    return {"id": id, **known, "opened": instant(found["opened"])}


@click.group()
def dead() -> None:
    """What a remote refused, or could not be kept here."""


@dead.command("list")
@click.option("--remote", help="Only those of this remote.")
@_json
def list_dead(remote: str | None, json: bool) -> None:
    """What was refused, and why.

    A resource that a remote refused is still owed: every push tries it again. One of the remote's that could not be kept is read again
    when the remote changes it.

    \b
      casebridge dead list --json
    """
    with bridge() as opened:
        found = list(opened.state.all("dead_letters", {"remote": remote} if remote else {}))
    rows = [(body["remote"], body["direction"], body.get("reference") or body.get("there"), body["reason"]) for _, body in found]
    if json:
        as_json([dict(zip(("remote", "direction", "resource", "reason"), row, strict=True)) for row in rows])
    elif rows:
        table(("remote", "way", "resource", "why"), rows)
    else:
        say("There is none.")
