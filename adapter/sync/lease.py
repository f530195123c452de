"""One sync per remote at a time: a lease in MongoDB with a heartbeat, taken over at once when its holder is known to be dead."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from uuid import uuid4

import psutil
from pymongo.errors import PyMongoError

from adapter.clock import Clock
from adapter.errors import Busy
from adapter.store.documents import Document
from adapter.store.state import State

TTL = timedelta(seconds=30)
# A process's start is told as time since boot, and the time of the boot moves with the clock.
_CLOCK_MOVES = 2.0


class Lease:
    """Held while `check` passes."""

    def __init__(self, state: State, name: str, clock: Clock) -> None:
        self._state, self._name, self._clock = state, name, clock
        self.session = state.session()
        """To write in under the lease: who takes it over ends what its holder left open there."""
        self._token = uuid4().hex
        self._stop = threading.Event()

    def check(self) -> None:
        """Raise Busy if the lease was lost, so that nothing more is written under it.

        It asks the store each time: a process that was stopped for a while has no other way to know.
        """
        held = self._state.get("leases", self._name)
        if held is None or held["token"] != self._token:
            raise Busy(f"The lease on {self._name} was lost to another process; nothing more was done.")

    def _body(self) -> Document:
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "started": psutil.Process().create_time()}
        return {"token": self._token, "until": self._clock() + TTL, "session": dict(self.session.session_id), **holder}

    def take(self) -> bool:
        """Whether the lease is ours now."""
        if self._state.add("leases", self._name, self._body()):
            return True
        held = self._state.get("leases", self._name)
        if held is None:
            return self._state.add("leases", self._name, self._body())
        if not is_free(held, self._clock):
            return False
        if not self._state.swap("leases", self._name, {"token": held["token"], "until": held["until"]}, self._body()):
            return False
        self._state.end_session(held["session"])
        return True

    def beat(self) -> None:
        """Renew until stopped; runs in a thread of its own. That the store is away for a moment does not end it."""
        while not self._stop.wait(TTL.total_seconds() / 3):
            with suppress(PyMongoError):
                self._state.swap("leases", self._name, {"token": self._token}, self._body())

    def release(self) -> None:
        """Give the lease back."""
        self._stop.set()
        self._state.drop("leases", self._name, {"token": self._token})
        self.session.end_session()


def is_free(held: Document, clock: Clock) -> bool:
    """Whether a lease may be taken over: it has run out, or its holder is known to be dead."""
    return bool(held["until"] <= clock()) or _dead(held)


def _dead(held: Document) -> bool:
    """Whether the holder was a process of this machine that no longer runs."""
    if held["host"] != socket.gethostname():
        return False
    try:
        holder = psutil.Process(held["pid"])
        return holder.status() == psutil.STATUS_ZOMBIE or abs(holder.create_time() - held["started"]) > _CLOCK_MOVES
    except psutil.NoSuchProcess:
        return True


@contextmanager
def hold(
    state: State, remote: str, clock: Clock, *, wait: float = 0, say: Callable[[str], None] = lambda _: None, work: str = ""
) -> Iterator[Lease]:
    """The lease on a remote's sync, or on other `work` of this name. Waits up to `wait` seconds for another holder, then raises Busy."""
    lease, running = Lease(state, remote, clock), f"Another {work or f'sync of {remote}'} is running"
    deadline = time.monotonic() + wait
    told = False
    while not lease.take():
        if time.monotonic() >= deadline:
            lease.session.end_session()
            raise Busy(f"{running}; try again when it has ended{'' if work else ', or use --wait'}.")
        if not told:
            say(f"{running}; waiting for it to end.")
            told = True
        time.sleep(0.2)
    beat = threading.Thread(target=lease.beat, name=f"lease-{remote}", daemon=True)
    beat.start()
    try:
        yield lease
    finally:
        lease.release()
        beat.join()
