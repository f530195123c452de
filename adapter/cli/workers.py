"""`casebridge worker`, `jobs` and `reindex`: long work, by this process or by several."""

import os
import socket
from contextlib import suppress

import click

from adapter.access.policy import policies
from adapter.care import check
from adapter.cli.connection import repository
from adapter.cli.terminal import as_json, line, progress, say, table
from adapter.clock import instant
from adapter.config import Settings, care_folder
from adapter.errors import Invalid, NotFound
from adapter.sync.loading import reindex as index
from adapter.sync.workers import jobs as known
from adapter.sync.workers import tasks


@click.command()
def worker() -> None:
    """Do the jobs of others until stopped.

    One process does one job at a time; start as many as there are cores to spare, on any machine that reaches the database, the Redis
    server that CASEBRIDGE_WORKERS names, and the files to be imported, under the same paths. When it is stopped or killed in the midst, its
    job goes on elsewhere.

    \b
      CASEBRIDGE_WORKERS=redis://127.0.0.1:6379/0 casebridge worker
    """
    from adapter.sync.workers.worker import serve

    url = Settings.from_env().workers
    if url is None:
        raise Invalid("CASEBRIDGE_WORKERS names no Redis server, so nobody can tell this worker what to do.")
    check.refuse()
    policies(care_folder())
    with repository() as opened:
        say("Working. Ctrl-C stops it.")
        with suppress(SystemExit):
            serve(url, opened, tasks.TASKS, f"{os.getpid()}@{socket.gethostname()}")
    say("Stopped.")


@click.command()
@click.option("--json", "json", is_flag=True, help="As JSON.")
def jobs(json: bool) -> None:
    """What workers are at, what waits for them, and what failed.

    A job that has ended well is not kept.

    \b
      casebridge jobs
    """
    with repository() as opened:
        found = known.listed(opened)
    if json:
        as_json([{name: instant(value) if name in ("made", "until") else value for name, value in each.items()} for each in found])
    elif not found:
        say("There is none.")
    else:
        rows = [
            (each["task"], each["status"], f"{each['host']}:{each['pid']}" if "host" in each else "", instant(each["made"]), each["error"])
            for each in found
        ]
        table(("task", "status", "worker", "made", "error"), rows)


@click.command()
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this resource type; repeatable.")
def reindex(types: tuple[str, ...]) -> None:
    """Write the search index of all resources anew.

    For a release that indexes more or otherwise. Resources stay as they are, and can be read and changed meanwhile. With
    CASEBRIDGE_WORKERS set, workers divide the types among them.

    \b
      casebridge reindex --type Observation
    """
    with repository() as opened, progress() as report:
        there = opened.types()
        if unknown := sorted(set(types) - set(there)):
            raise NotFound(f"Nothing of type {', '.join(unknown)} is stored; stored are: {', '.join(there) or 'none'}.")
        wanted = index.jobs([type for type in there if type in types or not types])
        carry_out = tasks.workers(Settings.from_env(), opened, say) or tasks.here(opened)
        carry_out(wanted, lambda: report("reindex", sum(each["status"] == known.DONE for each in known.listed(opened)), len(wanted)))
    line(f"The search index of {len(wanted)} types is written anew.")
