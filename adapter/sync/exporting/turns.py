"""Exports that wait, written while the server runs: by this process, one after the other, or by workers."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

from adapter import log
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync import lease
from adapter.sync.exporting import files
from adapter.sync.exporting.exports import TASK, Exports
from adapter.sync.exporting.write import write_export
from adapter.sync.workers import jobs
from adapter.sync.workers.jobs import Offer, Tasks, Watched

POLL_SECONDS = 0.5


def task(root: Path) -> Tasks:
    """The task of writing an export into files below `root`."""
    return {TASK: partial(write_export, root)}


@contextmanager
def exporting(repository: Repository, root: Path, *, offer: Offer | None = None) -> Iterator[None]:
    """Have exports written while the context is open: by this process, or, with `offer`, by workers to whom it sends the ids of jobs.

    What is under way at the end stops before its next piece, and goes on from there in whatever process does this next.
    """
    stopping = Event()
    # A repository of its own each: while a job is at work, its commits are in the job's session.
    writer, sweeper = (Repository(repository.database, repository.clock) for _ in range(2))
    carry_out = _by_workers(writer, offer) if offer else partial(jobs.perform, task(root), writer, ending=stopping.is_set)
    # What has expired makes room while a long export is written.
    works = {"exports": partial(_write, writer, carry_out), "exports-sweep": partial(_sweep, sweeper, root)}
    threads = [Thread(target=_again, args=(work, stopping), name=name, daemon=True) for name, work in works.items()]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _again(work: Callable[[], None], stopping: Event) -> None:
    while not stopping.is_set():
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the worker loop: the store can be away, and nothing would be exported any more
            log.event("exports.interrupted", level=logging.ERROR, error=type(error).__name__)
        stopping.wait(POLL_SECONDS)


def _sweep(repository: Repository, root: Path) -> None:
    exports = Exports(repository)
    exports.sweep()
    files.sweep(root, (export.id for export in exports.all()))


def _write(repository: Repository, carry_out: Callable[[str], None]) -> None:
    state = State(repository.database)
    for id, job in [*state.all("jobs", {"task": TASK})]:
        if job["status"] == jobs.DONE:
            state.drop("jobs", id)
        elif job["status"] == jobs.WAITING and _is_free(state, id):
            carry_out(id)


def _is_free(state: State, id: str) -> bool:
    held = jobs.held(state, id)
    return held is None or lease.is_free(state, held)


def _by_workers(repository: Repository, offer: Offer) -> Callable[[str], None]:
    """Sends the id of a job that nobody is at to workers, and again where nobody comes for long."""
    state, watched = State(repository.database), dict[str, Watched]()

    def send(id: str) -> None:
        if watched.setdefault(id, Watched()).is_due(jobs.held(state, id), state):
            offer([id])

    return send
