"""`casebridge restore`: the database from a backup."""

from pathlib import Path

import click

from adapter.backup.archive import checked
from adapter.backup.restore import restore as restored
from adapter.backup.seal import read_key
from adapter.cli.backup import account_for, key_option, told
from adapter.cli.connection import database
from adapter.cli.exits import Failure
from adapter.cli.terminal import as_json, line, progress, say
from adapter.store.repository import Repository
from adapter.store.verify import verify

_SHOWN = 20


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@key_option
@click.option("--check", is_flag=True, help="Only read FILE and tell what it holds; no database is asked.")
@click.option("--replace", "over", is_flag=True, help="In place of all that is in the database.")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def restore(file: Path, key: Path | None, check: bool, over: bool, json: bool) -> None:
    """Put what FILE holds into an empty database, and verify it.

    End all servers and workers first. FILE is read in full before anything is written; one that was changed or cut is refused. Until all
    is there the database is refused to everybody; when this was stopped, in whatever way, the same command goes on. The exit code
    is 1 if something in what was restored does not hold (`casebridge verify`).

    \b
      casebridge restore --check casebridge-2025-04-22.backup
      casebridge restore --key backup.key casebridge-2025-04-22.backup
    """
    secret = read_key(key) if key else None
    with file.open("rb") as opened:
        if check:
            manifest, faults = checked(opened, secret), []
        else:
            with database(restoring=True) as into, progress() as report:
                manifest = restored(into, opened, secret, over=over, progress=report)
                account_for(into, "restore", {"backup": manifest.id, "moment": manifest.moment})
                faults = [finding for finding in verify(Repository(into), progress=report) if not finding.note]
    if json:
        as_json({**told(manifest), "faults": [finding.to_json() for finding in faults]})
    else:
        done = "whole:" if check else "restored:"
        line(f"{file} is {done} {manifest.count} documents of {len(manifest.collections)} collections as of {manifest.moment}.")
        for finding in faults[:_SHOWN]:
            line(f"{finding.resource} {finding.kind}: {finding.text}")
    if not check:
        say(
            f"Nobody is logged in, and every program asks for a new token. What was taken back since {manifest.moment} is in force again: "
            "consents that were withdrawn, clients and people who were disabled, keys that were rotated, passwords that were changed "
            "(docs/backup.md). What remotes have got since comes with the next sync."
        )
    if faults:
        say(f"{len(faults)} faults; `casebridge verify` shows all.")
        raise Failure
