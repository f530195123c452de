"""How fast requests may go to one remote: a token bucket, and the pause that a Retry-After asks for.

One gate for all threads of a process; each process has its own, unless they share out what there is (`Gate.share`).
"""

import time
from collections.abc import Callable
from functools import cache
from threading import Lock

from adapter.errors import RemoteTemporary


class Gate:
    """What every request to one remote passes. `rate` is in requests a second, 0 for no limit; as many may go at once after a rest."""

    def __init__(self, rate: float = 0, *, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self._rate, self._now, self._sleep = rate, now, sleep
        self._most = max(1.0, rate)
        self._tokens, self._at, self._closed_until = self._most, now(), now()
        self._lock = Lock()
        self._shared: Callable[[], float] | None = None

    def share(self, turn: Callable[[], float]) -> None:
        """Have turns given out by somebody whom other processes ask too: `turn` says in how many seconds it is one's own."""
        self._shared = turn

    def enter(self, *, patience: float) -> None:
        """Wait for one's turn. Raises RemoteTemporary where the remote asked to be left alone for longer than `patience` seconds."""
        wait = self._turn(patience)
        while wait > 0:
            self._sleep(wait)
            # Somebody may have been told to wait meanwhile.
            wait = self._closed(patience)

    def close(self, seconds: float) -> None:
        """Let nobody pass for so long: the remote has asked for it."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._now() + seconds)

    def _turn(self, patience: float) -> float:
        """Take a token, if need be one that is not there yet: the seconds until it is."""
        with self._lock:
            now, closed = self._now(), self._left(patience)
            if self._shared:
                return max(closed, self._shared())
            if not self._rate:
                return closed
            self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate) - 1
            self._at = now
            return max(closed, -self._tokens / self._rate)

    def _closed(self, patience: float) -> float:
        with self._lock:
            return self._left(patience)

    def _left(self, patience: float) -> float:
        closed = self._closed_until - self._now()
        if closed > patience:
            raise RemoteTemporary(f"The remote asked to be left alone for {closed:.0f} s more; try again then.", retry_after=closed)
        return closed


@cache
def gate(base_url: str, rate: float) -> Gate:  # noqa: ARG001 - what the cache tells gates apart by
    """The gate of the remote at this address: the same one for all who ask in this process."""
    return Gate(rate)
