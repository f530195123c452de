"""Guessing made slow: who failed waits, twice as long each time, by account and by address.

A try is counted before it is made, so that many at once are as slow as one after the other. What a wait can do to a person is bounded:
a quarter of an hour at most, and none after an hour without a try.
"""

from datetime import timedelta

from adapter.clock import Clock
from adapter.errors import Throttled
from adapter.store.state import State

FREE_TRIES = 5
_FIRST = timedelta(seconds=2)
_LONGEST = timedelta(minutes=15)
_FORGOTTEN = timedelta(hours=1)


class Throttle:
    """Counts tries in the store, for all processes."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def enter(self, key: str, free: int = FREE_TRIES) -> None:
        """Count a try; the first `free` need not wait. Raises Throttled for one that comes too early."""
        while not self._counted(key, free):
            pass

    def passed(self, key: str) -> None:
        """Forget the tries: the last one was good."""
        self._state.drop("attempts", key)

    def taken_back(self, key: str) -> None:
        """Count the last try no more: it was good. Those of others that were not stay counted."""
        while held := self._state.get("attempts", key):
            body = {**held, "tries": held["tries"] - 1, "until": min(held["until"], self._clock())}
            if held["tries"] < 1 or self._state.swap("attempts", key, {"tries": held["tries"]}, body):
                return

    def _counted(self, key: str, free: int) -> bool:
        """Whether the try is counted; not where another was counted in between."""
        now, held = self._clock(), self._state.get("attempts", key)
        if held and now < held["until"]:
            wait = int((held["until"] - now).total_seconds()) + 1
            raise Throttled(f"Too many tries: wait {wait} seconds before the next.", retry_after=wait)
        tries = held["tries"] + 1 if held and now < held["expires"] else 1
        until = now + (min(_LONGEST, _FIRST * 2 ** min(tries - free, 20)) if tries >= free else timedelta(0))
        body = {"tries": tries, "until": until, "expires": until + _FORGOTTEN}
        return self._state.swap("attempts", key, {"tries": held["tries"]}, body) if held else self._state.add("attempts", key, body)
