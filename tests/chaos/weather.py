"""What stands between a bridge and the hospital on the worst of days: delays, resets, cut and lost answers, refusals, dead links."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

from tests.sync.faulty import Exchange, Fault, commits_and_drops, cuts_off, drops, says

_OUTCOME = b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"transient","diagnostics":"chaos"}]}'


def _slow(exchange: Exchange) -> None:
    time.sleep(0.3)
    exchange.answer(exchange.forward())


# How often each happens to a request, and to which.
_KINDS: tuple[tuple[str, float, Callable[[Exchange], None]], ...] = (
    ("slow", 0.02, _slow),
    ("reset", 0.015, drops),
    ("answer lost after commit", 0.015, commits_and_drops),
    ("cut off", 0.015, cuts_off),
    ("429", 0.01, says(429, _OUTCOME, Retry_After="0")),
    ("500", 0.01, says(500, _OUTCOME)),
    ("503", 0.01, says(503, _OUTCOME, Retry_After="1")),
    ("dead page link", 0.05, says(410, _OUTCOME)),
)
_PAGES = ("_getpages", "_cursor")


class Weather:
    """Bad weather by chance, until it clears. `met` counts what happened."""

    def __init__(self, seed: int) -> None:
        self._chance, self._lock = random.Random(f"{seed} weather"), threading.Lock()
        self.met: Counter[str] = Counter()
        self.fine = False

    def fault(self) -> Fault:
        """For a Proxy."""
        return Fault(self._act)

    def _act(self, exchange: Exchange) -> None:
        kind = self._kind(exchange.path)
        if kind is None:
            exchange.answer(exchange.forward())
            return
        name, act = kind
        with self._lock:
            self.met[name] += 1
        act(exchange)

    def _kind(self, path: str) -> tuple[str, Callable[[Exchange], None]] | None:
        if self.fine:
            return None
        with self._lock:
            roll = self._chance.random()
        for name, often, act in _KINDS:
            if name == "dead page link" and not any(word in path for word in _PAGES):
                continue
            if roll < often:
                return name, act
            roll -= often
        return None
