"""One sync per remote at a time: a lease in MongoDB with a heartbeat, taken over at once when its holder is known to be dead."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from uuid import uuid4

import psutil
from pymongo.errors import PyMongoError

from adapter.errors import Busy
from adapter.store.documents import Document
from adapter.store.state import State

TTL = timedelta(seconds=30)
# A process's start is told as time since boot, and the time of the boot moves with the clock.
_CLOCK_MOVES = 2.0
# Linux: what tells one run of a machine from another, and the processes of one container from those of the next.
_BOOT, _PROCESSES = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


class Lease:
    """Held while `check` passes."""

    def __init__(self, state: State, name: str) -> None:
        self._state, self._name = state, name
        self.session = state.session()
        """To write in under the lease: who takes it over ends what its holder left open there."""
        self.token = uuid4().hex
        """Of this holder alone."""
        self._stop = threading.Event()

    def check(self) -> None:
        """Raise Busy if the lease was lost, so that nothing more is written under it.

        It asks the store each time: a process that was stopped for a while has no other way to know.
        """
        check(self._state, self._name, self.token)

    def _body(self) -> Document:
        holder = {"host": socket.gethostname(), "processes": processes(), "pid": os.getpid(), "started": psutil.Process().create_time()}
        return {"token": self.token, "until": self._state.now() + TTL, "session": dict(self.session.session_id), **holder}

    def take(self) -> bool:
        """Whether the lease is ours now."""
        if self._state.add("leases", self._name, self._body()):
            return True
        held = self._state.get("leases", self._name)
        if held is None:
            return self._state.add("leases", self._name, self._body())
        if not is_free(self._state, held):
            return False
        if not self._state.swap("leases", self._name, {"token": held["token"], "until": held["until"]}, self._body()):
            return False
        self._state.end_session(held["session"])
        return True

    def beat(self) -> None:
        """Renew until stopped; runs in a thread of its own. That the store is away for a moment does not end it."""
        while not self._stop.wait(TTL.total_seconds() / 3):
            with suppress(PyMongoError):
                self._state.swap("leases", self._name, {"token": self.token}, self._body())

    def release(self) -> None:
        """Give the lease back."""
        self._stop.set()
        self._state.drop("leases", self._name, {"token": self.token})
        self.session.end_session()


def check(state: State, name: str, token: str) -> None:
    """Raise Busy if a lease is no longer that of this token's holder: also for who works in the holder's name."""
    held = state.get("leases", name)
    if held is None or held["token"] != token:
        raise Busy(f"The lease on {name} was lost to another process; nothing more was done.")


def is_free(state: State, held: Document) -> bool:
    """Whether a lease may be taken over: it has run out by the store's clock, or its holder is known to be dead."""
    return _dead(held) or bool(held["until"] <= state.now())


@cache
def processes() -> str:
    """Among which processes ours has its number: those of this machine since it was started, and in it of this container."""
    with suppress(OSError):
        return f"{_BOOT.read_text().strip()} {_PROCESSES.readlink()}"
    return ""


def _dead(held: Document) -> bool:
    """Whether the holder was one of the processes that we see, and no longer runs."""
    if (held["host"], held.get("processes")) != (socket.gethostname(), processes()):
        return False
    try:
        holder = psutil.Process(held["pid"])
        return holder.status() == psutil.STATUS_ZOMBIE or abs(holder.create_time() - held["started"]) > _CLOCK_MOVES
    except psutil.NoSuchProcess:
        return True


@contextmanager
def hold(state: State, remote: str, *, wait: float = 0, say: Callable[[str], None] = lambda _: None, work: str = "") -> Iterator[Lease]:
    """The lease on a remote's sync, or on other `work` of this name. Waits up to `wait` seconds for another holder, then raises Busy."""
    lease, running = Lease(state, remote), f"Another {work or f'sync of {remote}'} is running"
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
