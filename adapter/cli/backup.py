"""`casebridge backup`: a copy of the database in a file."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from pymongo.database import Database

from adapter.audit.event import TYPE, Asker, Told, audit_event
from adapter.backup.archive import Manifest
from adapter.backup.copy import back_up
from adapter.backup.seal import name_of, read_key
from adapter.cli.connection import database, user
from adapter.cli.terminal import as_json, line, progress, say
from adapter.clock import instant, utc_now
from adapter.config import Settings
from adapter.store.documents import Change, Document
from adapter.store.repository import Repository

key_option = click.option(
    "--key",
    envvar="CASEBRIDGE_BACKUP_KEY",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of the key: 64 hexadecimal digits that nobody else can read.  [default: CASEBRIDGE_BACKUP_KEY]",
)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@key_option
@click.option("--json", "json", is_flag=True, help="As JSON.")
def backup(file: Path, key: Path | None, json: bool) -> None:
    """Copy all that the database holds now into a new FILE.

    It is as of one moment, whatever is written meanwhile; nobody waits for it. With a key it is encrypted. FILE is there once it is whole.
    Not in it are who is logged in, and what is in CASEBRIDGE_HOME beside the database: keys, and the files of exports.

    \b
      openssl rand -hex 32 > backup.key; chmod 600 backup.key
      casebridge backup --key backup.key "casebridge-$(date +%F).backup"
    """
    secret = read_key(key) if key else None
    with database() as opened, progress() as report:
        account_for(opened, "backup", {"encrypted": name_of(secret) if secret else "no"})
        made = back_up(opened, file, secret, progress=report)
    if json:
        as_json({"file": str(file), "bytes": file.stat().st_size, "key": name_of(secret) if secret else None, **told(made)})
    else:
        line(f"{made.count} documents of {len(made.collections)} collections as of {made.moment}, in {file}.")
    if secret is None:
        say("It is not encrypted: whoever reads the file reads all patients' data. --key encrypts it.")
    if beside := _beside(Settings.from_env().home):
        say(f"Not in it are the keys that sign in our name ({', '.join(map(str, beside))}): keep a copy of them elsewhere.")


def account_for(opened: Database[Document], what: str, facts: dict[str, str]) -> None:
    """Write down that all of the database was copied, or set back, and by whom (docs/audit.md)."""
    event = audit_event(what, Asker(), instant(utc_now()), told=Told(facts={"operator": user(), **facts}))
    Repository(opened).commit([Change(TYPE, str(uuid4()), event, 0)])


def _beside(home: Path) -> list[Path]:
    """What is in the home folder and cannot be had again."""
    return [path for path in (home / "keys", home / "subscriptions.key") if path.exists()]


def told(manifest: Manifest) -> dict[str, Any]:
    """What a backup holds, for a script."""
    counts = {name: content.count for name, content in manifest.collections.items()}
    facts = {"backup": manifest.id, "moment": manifest.moment, "database": manifest.database, "made_by": manifest.made_by}
    return {**facts, "documents": manifest.count, "collections": counts}
