"""The command line: `casebridge`, one module per noun. `main` is its entry point."""

import gc
import os
import signal
from importlib.metadata import version

import click

from adapter import log
from adapter.cli.access import access
from adapter.cli.audit import audit
from adapter.cli.backup import backup
from adapter.cli.care import care
from adapter.cli.case import case
from adapter.cli.certificates import certificates
from adapter.cli.client import client
from adapter.cli.conflicts import conflicts
from adapter.cli.dead import dead
from adapter.cli.demo import demo
from adapter.cli.docs import docs
from adapter.cli.exits import CODES, Guarded, raise_terminated
from adapter.cli.ig import ig
from adapter.cli.keys import keys
from adapter.cli.mapping import mapping
from adapter.cli.measure import measure
from adapter.cli.packet import packet
from adapter.cli.people import people
from adapter.cli.plan import apply_, plan
from adapter.cli.remote import remote
from adapter.cli.restore import restore
from adapter.cli.sandbox import sandbox
from adapter.cli.serve import serve
from adapter.cli.subscriptions import subscriptions
from adapter.cli.sync import pull, push, sync
from adapter.cli.transfer import export, import_
from adapter.cli.user import user
from adapter.cli.verify import verify
from adapter.cli.watch import watch
from adapter.cli.workers import jobs, reindex, worker
from adapter.config import Settings

_EXITS = "\n".join(f"  {code:<4} {meaning}" for code, meaning in CODES.items())


@click.group(
    cls=Guarded,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=f"\b\nExit codes:\n{_EXITS}\n\n\b\nEnvironment:\n"
    "  CASEBRIDGE_DB          a MongoDB replica set's URI; without it, the embedded store\n"
    "  CASEBRIDGE_DATABASE    the database's name, if the URI names none  [casebridge]\n"
    "  CASEBRIDGE_HOME        the folder of the embedded store\n"
    "  CASEBRIDGE_AUDIT_DAYS  for how many days the account of accesses is kept; without it, for ever\n"
    "  CASEBRIDGE_BACKUP_KEY  the file of the key of backups\n"
    "  CASEBRIDGE_CARE        the folder of the site's own models, instruments and plan templates\n"
    "  CASEBRIDGE_EXPORTS     the folder for the files of exports  [exports, in CASEBRIDGE_HOME]\n"
    "  CASEBRIDGE_WORKERS     the Redis server by which workers get jobs; without it, this process does all\n"
    "  CASEBRIDGE_LOG         DEBUG, INFO, WARNING or ERROR  [WARNING]",
)
@click.option("--debug", is_flag=True, help="Show where an error came from. That can show patient data: not for a ticket.")
@click.version_option(version("casebridge"), message="casebridge %(version)s")
def cli(debug: bool) -> None:  # noqa: ARG001 - Guarded looks at it
    """Keep a case manager's record and FHIR R4 servers in step, both ways, and lose nothing.

    \b
      casebridge case load fixtures/cases/river.json    load a story
      casebridge remote add hapi http://127.0.0.1:8090/fhir --sandbox
      casebridge sync hapi --dry-run                    what would be done
      casebridge sync hapi                              do it; prints a certificate
    """
    log.set_level(Settings.from_env().log_level)


_COMMANDS = (
    serve,
    client,
    user,
    access,
    audit,
    remote,
    keys,
    plan,
    apply_,
    push,
    pull,
    sync,
    certificates,
    conflicts,
    people,
    dead,
    subscriptions,
    import_,
    export,
    packet,
    case,
    care,
    watch,
    measure,
    verify,
    backup,
    restore,
    reindex,
    worker,
    jobs,
    sandbox,
    mapping,
    ig,
    docs,
    demo,
)
for command in _COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command that the process's arguments name, and exit with its code."""
    signal.signal(signal.SIGTERM, raise_terminated)
    # What any command writes, and what a store that it starts does, is this user's alone.
    os.umask(0o077)
    # What was imported stays: the collector need not look at it again (0.1 s of a pull of 4,000 resources).
    gc.freeze()
    cli(prog_name="casebridge")
