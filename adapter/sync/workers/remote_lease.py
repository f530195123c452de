"""The lease on a remote, with those who work under it: workers do jobs of a sync in the name of who holds the lease on its remote.

A worker looks before each write whether that lease is still held by who asked. Who holds it next first drops what is left of the jobs,
which ends what a worker has under way (see `jobs`), and waits until the last has let go: no request of before is under way then.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from adapter.store.state import State
from adapter.sync import lease
from adapter.sync.lease import Lease
from adapter.sync.workers.jobs import Arguments, Work, retire

PARTS = "parts"
"""What jobs have to know that is too large for their documents, which every transaction writes."""


@contextmanager
def hold(state: State, remote: str, *, wait: float = 0, say: Callable[[str], None] = lambda _: None) -> Iterator[Lease]:
    """The lease on a remote, when nobody works any more for who had it before. Raises Busy, as `lease.hold`."""
    with lease.hold(state, remote, wait=wait, say=say) as held:
        retire(state, {"remote": remote}, _lead(remote))
        state.drop_all(PARTS, {"remote": remote})
        yield held


def check(work: Work, arguments: Arguments) -> None:
    """Raise Busy where a worker must not go on with a job of a sync: it, or who asked for it, has lost the lease."""
    work.check()
    lease.check(work.state, arguments["remote"], arguments["lease"])


def job_id(remote: str, token: str, name: str) -> str:
    """The id of a job of the sync that holds a remote's lease by this token."""
    return f"{_lead(remote)}{token}:{name}"


def _lead(remote: str) -> str:
    return f"sync:{remote}:"
