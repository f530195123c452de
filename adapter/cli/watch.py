"""`casebridge watch`: the tasks that follow from what came in, and from the days that pass."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import click

from adapter import log
from adapter.casework.watch import Watch, Watched
from adapter.cli.connection import repository
from adapter.cli.exits import until_asked_to_stop
from adapter.cli.terminal import say
from adapter.errors import Busy
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.lease import hold

# A remote's name has no capital, so no sync has this lease.
LEASE = "Watch"
POLL_SECONDS = 5.0


@click.command()
@click.option("--once", is_flag=True, help="Look once and end.")
def watch(once: bool) -> None:
    """Make the tasks that follow from what came in.

    Missed appointments, urgent flags, barriers, authorisations that end, discharges, readmissions within 30 days, contacts that are overdue
    (docs/follow-up.md). `casebridge serve` does so while it runs, `sync`, `pull` and `import` when they end; this command is for sites
    where none of them runs at least once a day. One process does it at a time.

    \b
      casebridge watch --once
    """
    with repository() as opened:
        if once:
            with hold(State(opened.database), LEASE, work="watch"):
                say(_told(Watch(opened).look()))
            return
        with watching(opened):
            say("Watching. Ctrl-C stops it.")
            until_asked_to_stop()
    say("Stopped.")


def look_once(opened: Repository) -> None:
    """Make what follows from what this command brought, unless another process watches: that one does it."""
    with suppress(Busy), hold(State(opened.database), LEASE, work="watch"):
        found = Watch(opened).look()
        if found.tasks:
            say(_told(found))


def _told(found: Watched) -> str:
    return f"{found.tasks} tasks made; {found.cases} cases looked at."


@contextmanager
def watching(opened: Repository) -> Iterator[None]:
    """Look again and again while the context is open, unless another process does; then take over when it ends."""
    stopping = Event()
    thread = Thread(target=_run, args=(opened, stopping), name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _run(opened: Repository, stopping: Event) -> None:
    while not stopping.is_set():
        try:
            with hold(State(opened.database), LEASE, work="watch") as lease:
                looking = Watch(opened)
                while not stopping.is_set():
                    lease.check()
                    found = looking.look()
                    if found.tasks:
                        log.event("watch.made", cases=found.cases, tasks=found.tasks)
                    stopping.wait(POLL_SECONDS)
        except Busy:
            pass  # another process watches, or has taken over
        except Exception as error:  # noqa: BLE001 - the worker loop: the store can be away, and nothing would be followed up any more
            log.event("watch.interrupted", level=logging.ERROR, error=type(error).__name__)
        stopping.wait(POLL_SECONDS)
