"""`casebridge certificates`: what each sync came to, to be looked at and filed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from adapter.cli.connection import bridge
from adapter.cli.terminal import as_json, line, say, table
from adapter.sync.certificates.certificate import COLUMNS
from adapter.sync.certificates.kept import checksum, filed, waiting
from adapter.sync.certificates.page import page, verdict
from adapter.sync.plan import ACTIONS

_json = click.option("--json", "json", is_flag=True, help="As JSON.")


@click.group()
def certificates() -> None:
    """What each sync came to: list, show, export. All are kept."""


@certificates.command("list")
@click.option("--remote", help="Only those with this remote.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many to show.")
@_json
def list_(remote: str | None, limit: int, json: bool) -> None:
    """The syncs so far, the newest first.

    \b
      casebridge certificates list --remote hapi
    """
    with bridge() as opened:
        found = opened.certificates.all(remote)
    if json:
        told = ("remote", "started", "ended", "by", "holds", "clean", "failure")
        as_json([{"certificate": id, **{name: body.get(name) for name in told}} for id, body in found[:limit]])
    elif not found:
        say("There is none yet: a sync leaves one.")
    else:
        rows = [
            (id, body["ended"] or "", body.get("by", ""), "yes" if body["holds"] else "NO", waiting(body)) for id, body in found[:limit]
        ]
        table(("certificate", "ended", "run by", "holds", "waiting"), rows, numbers=("waiting",))
        if len(found) > limit:
            line(f"… and {len(found) - limit} older; --limit shows more.")


@certificates.command()
@click.argument("certificate", metavar="CERTIFICATE|REMOTE")
@_json
def show(certificate: str, json: bool) -> None:
    """Show a certificate, or the last one of a remote.

    \b
      casebridge certificates show hapi
    """
    with bridge() as opened:
        id, body = opened.certificates.get(certificate)
    if json:
        as_json({"certificate": id, **body})
        return
    line(f"{id}: {verdict(body)}")
    line(f"  {body['started']} to {body['ended'] or 'no end'}, run by {body.get('by') or 'someone not kept'}")
    show_certificate(body)
    line(f"SHA-256 of its JSON: {checksum(id, body)}")


@certificates.command()
@click.argument("certificate", metavar="CERTIFICATE|REMOTE")
@click.option("--html", is_flag=True, help="As a page that can be printed and filed, instead of JSON.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write.  [default: standard output]")
def export(certificate: str, html: bool, output: Path | None) -> None:
    """Write a certificate, or the last of a remote, to be filed.

    As JSON, or as one HTML page that loads nothing. The page names the SHA-256 of the JSON file. There is no patient data in either.

    \b
      casebridge certificates export hapi --output hapi.json
      casebridge certificates export hapi --html --output hapi.html
    """
    with bridge() as opened:
        id, body = opened.certificates.get(certificate)
    text = page(id, body) if html else filed(id, body)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, "utf-8")
    say(f"{id} written to {output}.")


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
    show_reasons(body["reasons"])
    for type, text in body.get("failed", {}).items():
        line(f"{type} could not be read: {text}")


def show_reasons(reasons: Mapping[str, int]) -> None:
    """Print why some entries are as they are, and how many."""
    for reason, count in reasons.items():
        line(f"{count} × {reason}")
