"""A worker's part of a sync with a remote: a type of the pull, a slice of the push. Who asked for it holds the lease on the remote."""

import time
from functools import partial

from adapter.errors import RemoteError
from adapter.store.documents import Document
from adapter.sync.bridge import Bridge
from adapter.sync.workers import slices
from adapter.sync.workers.jobs import Arguments, Work
from adapter.sync.workers.remote_lease import check
from adapter.sync.workers.types import reading

PAUSE_SECONDS = 5.0
"""What a lost worker had sent, its remote may still be at: a create that comes beside another finds nothing yet, and doubles it."""


def pull_type(work: Work, arguments: Arguments) -> Document | None:
    """Read a type; what became of its resources, None where the remote does not let us."""
    found = reading(work.state, arguments["remote"], arguments["lease"], arguments["type"])
    if found is None:
        return None
    try:
        tally = _bridge(work).read_type(arguments["remote"], found, work, partial(check, work, arguments))
    except RemoteError:
        # Who asked reads it, and has the same error.
        return None
    if work.again:
        tally.reasons[f"unchanged, or written before a worker was lost: what is there of {found.part.type}"] += 1
    return tally.document()


def push_slice(work: Work, arguments: Arguments) -> Document | None:
    """Send what a slice names; what became of each of it, and what is left to who asked, None for all of it."""
    if work.again:
        time.sleep(PAUSE_SECONDS)
    try:
        sender = _bridge(work).send_some(arguments["remote"], arguments["entries"], partial(check, work, arguments))
    except RemoteError:
        return None
    return slices.result(sender, arguments["entries"], again=work.again)


def _bridge(work: Work) -> Bridge:
    return Bridge(work.repository.database, work.repository.clock, repository=work.repository)
