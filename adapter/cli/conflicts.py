"""`casebridge conflicts`: what waits for a person's decision."""

from typing import Any

import click

from adapter.cli.connection import bridge
from adapter.cli.terminal import as_json, line, say, table
from adapter.clock import instant
from adapter.errors import Invalid
from adapter.fhir.resource import dumps, parse
from adapter.sync.conflicts.decision import ALL, SIDES, ruled

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

    And since when, and who wrote it, as far as histories and Provenances tell.

    \b
      casebridge conflicts show hapi:Patient/0c5f…
    """
    with bridge() as opened:
        found = opened.conflicts.get(conflict)
    if json:
        as_json(_as_json(conflict, found))
        return
    line(f"{found['reference']} here, {found['there']} at {found['remote']}: {found['reason']} ({found['status']})")
    for side in SIDES:
        line(f"  {side}: {_since(found['told'].get(side, {})) or 'no more is known'}")
    since = {each["path"]: each for each in found["told"].get("elements", ())}
    rows = [
        (row["path"], _value(row["base"]), *(cell for side in SIDES for cell in (_value(row[side]), _moment(since, row["path"], side))))
        for row in found["rows"]
    ]
    if rows:
        table(("element", "agreed before", "ours", "since", "theirs", "since "), rows)
    for path, winner in ruled(found).items():
        line(f"Both changed {path} too; it is {winner} by its owner's rule.")
    if found["status"] == "open":
        line(f"Decide with: casebridge conflicts resolve {conflict} --ours | --theirs | --set 'ELEMENT=ours' …")
    else:
        line(_told_decision(found["decided"]))


@conflicts.command()
@click.argument("conflicts", nargs=-1, required=True, metavar="CONFLICT…")
@click.option("--all", "rest", type=click.Choice(SIDES), help="Who wins in all that --set does not name.")
@click.option("--ours", "rest", flag_value="ours", help="The same as --all ours.")
@click.option("--theirs", "rest", flag_value="theirs", help="The same as --all theirs.")
@click.option("--set", "single", multiple=True, metavar="ELEMENT=ours|theirs", help="Who wins in this element; repeatable.")
@click.option("--by", default=None, metavar="NAME", help="Who decides.  [default: the user of this process]")
@_json
def resolve(conflicts: tuple[str, ...], rest: str | None, single: tuple[str, ...], by: str | None, json: bool) -> None:
    """Decide each CONFLICT. The next push sends what is ours.

    A Provenance of the decision is kept: who, when, what was chosen, and both versions.

    \b
      casebridge conflicts resolve hapi:Patient/0c5f… --theirs
      casebridge conflicts resolve hapi:Patient/0c5f… --theirs --set birthDate=ours
      casebridge conflicts resolve hapi:Patient/0c5f… hapi:Goal/77aa… --all ours --json
    """
    winners = dict(map(_decision, single)) | ({ALL: rest} if rest else {})
    if not winners:
        raise click.UsageError("Say who wins: --all, --ours, --theirs, or --set ELEMENT=ours|theirs.")
    done = []
    with bridge() as opened:
        for conflict in conflicts:
            rows = {row["path"] for row in opened.conflicts.get(conflict)["rows"]}
            if unknown := sorted(winners.keys() - rows - {ALL}):
                raise Invalid(
                    f"{len(unknown)} of the elements are not in conflict; `casebridge conflicts show {conflict}` names those that are."
                )
            stored = opened.conflicts.resolve(conflict, winners, by=by or opened.by)
            kept = opened.conflicts.get(conflict)["decided"]["provenance"]
            done.append(
                {"id": conflict, "resource": stored.reference, "version": stored.version, "owed": [*stored.outbox], "provenance": kept}
            )
    if json:
        as_json(done)
        return
    for each in done:
        say(f"Decided. {each['resource']} is at version {each['version']}{'; a push is owed' if each['owed'] else ''}.")


def _decision(text: str) -> tuple[str, str]:
    # An element's path can hold an =, so the last one counts.
    path, _, winner = text.rpartition("=")
    if not path or winner not in SIDES:
        raise click.BadParameter("it is ELEMENT=ours or ELEMENT=theirs", param_hint="--set")
    return path, winner


def _value(value: Any) -> str:
    return "nothing" if value is None else value if isinstance(value, str) else dumps(value)


def _since(said: dict[str, Any]) -> str:
    parts = ((f"version {said['version']}",) if "version" in said else ()) + tuple(said[name] for name in ("at", "by") if name in said)
    return ", ".join(parts)


def _moment(since: dict[str, dict[str, Any]], path: str, side: str) -> str:
    said = since.get(path, {}).get(side, {})
    return " by ".join(said[name] for name in ("at", "by") if name in said)


def _told_decision(decided: dict[str, Any]) -> str:
    winners = ", ".join(f"{'all' if path == ALL else path} {winner}" for path, winner in parse(decided["decisions"]).items())
    return f"Decided by {decided['by']} at {instant(decided['at'])}: {winners} ({decided.get('provenance', 'no Provenance')})."


def _as_json(id: str, found: dict[str, Any]) -> dict[str, Any]:
    known = {name: found.get(name) for name in ("remote", "reference", "there", "reason", "status", "rows", "told")}
    body = {"id": id, **known, "ruled": ruled(found), "opened": instant(found["opened"])}
    if decided := found.get("decided"):
        body["decided"] = {**decided, "at": instant(decided["at"]), "decisions": parse(decided["decisions"])}
    return body
