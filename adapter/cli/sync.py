"""`casebridge push`, `pull` and `sync`, each with a certificate that must add up."""

from typing import Any

import click

from adapter.cli.certificates import show_certificate
from adapter.cli.connection import bridge
from adapter.cli.exits import Failure
from adapter.cli.plan import SHOWN, show_plan
from adapter.cli.terminal import as_json, line, progress, say
from adapter.cli.watch import look_once
from adapter.config import Settings
from adapter.errors import RemoteError
from adapter.sync.bridge import Bridge
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.workers import tasks

_json = click.option("--json", "json", is_flag=True, help="As JSON.")
_wait = click.option("--wait", default=0.0, metavar="SECONDS", help="If another sync of this remote runs, wait so long for its end.")
_dry = click.option("--dry-run", is_flag=True, help="Only show the plan; write nothing, here or there.")
_all = click.option("--all", "all_", is_flag=True, help=f"Show every entry, not only the first {SHOWN}.")


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
@click.option("--export", is_flag=True, help="By one $export instead of a search for each type; goes on with one that was stopped.")
@click.option("--since", metavar="TIME", help="Export only what changed since this instant, or `last`: since the last export.")
@_dry
@_wait
@_all
@_json
def pull(remote: str, export: bool, since: str | None, dry_run: bool, wait: float, all_: bool, json: bool) -> None:
    """Bring here what a remote has.

    Prints the certificate.

    \b
      casebridge pull hapi --dry-run
      casebridge pull hapi --export
      casebridge pull hapi --export --since last
    """
    if export and dry_run:
        raise click.UsageError("An export cannot be shown before it is made: --export or --dry-run.")
    if since and not export:
        raise click.UsageError("--since is for --export; a search goes on where the last pull ended.")
    with bridge() as opened:
        if dry_run:
            show_plan(opened, remote, "pull", all_, json)
        else:
            _run(opened, remote, "pull", wait, json, export=export, since=since)


@click.command()
@click.argument("remote")
@_dry
@_wait
@_all
@_json
def sync(remote: str, dry_run: bool, wait: float, all_: bool, json: bool) -> None:
    """Pull, then push, with a certificate.

    The exit code is 0 only if all adds up and nothing waits for a person. Run again after any failure: what was done is kept, and nothing
    is done twice. With CASEBRIDGE_WORKERS set, workers read large types side by side and share a large push.

    \b
      casebridge sync hapi --dry-run
      casebridge sync hapi --wait 60
    """
    with bridge() as opened:
        if dry_run:
            show_plan(opened, remote, None, all_, json)
        else:
            _run(opened, remote, None, wait, json)


def _run(opened: Bridge, remote: str, only: str | None, wait: float, json: bool, **how: Any) -> None:
    try:
        with progress() as report:
            workers = tasks.workers(Settings.from_env(), opened.repository, say)
            certificate = opened.sync(
                remote, pull=only != "push", push=only != "pull", wait=wait, progress=report, say=say, workers=workers, **how
            )
    except RemoteError:
        # What was done until then is in the certificate that the sync kept.
        kept = opened.certificates.all(remote)
        if kept and not json:
            show_certificate(kept[0][1])
        raise
    if only != "push":
        look_once(opened.repository)
    body = certificate.to_json()
    if json:
        as_json(body | {"clean": certificate.clean})
    else:
        show_certificate(body)
        line(_verdict(certificate, sum(1 for _ in opened.conflicts.all(remote))))
    if not certificate.clean:
        raise Failure


def _verdict(certificate: Certificate, waiting: int) -> str:
    dead = certificate.pulled.total("dead") + certificate.pushed.total("dead")
    if certificate.clean:
        here, there = certificate.pulled.written, certificate.pushed.written
        return f"In step with {certificate.remote}: {here} written here, {there} there; all adds up."
    parts = ["it does not add up; the next pull reads those types again"] * (not certificate.holds)
    parts += [f"{waiting} in conflict (`casebridge conflicts list`)"] * bool(waiting)
    parts += [f"{dead} refused (`casebridge dead list`)"] * bool(dead)
    parts += [f"{certificate.questions} to say about who is who (`casebridge people questions`)"] * bool(certificate.questions)
    return f"Not in step with {certificate.remote}: {'; '.join(parts)}."
