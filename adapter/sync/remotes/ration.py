"""A remote's `rate`, kept in the store: it holds for all processes that ask the remote, workers and who they work for."""

from adapter.store.state import State

_KIND = "state"


class Ration:
    """The turns of one remote: `rate` a second, and after a rest as many at once as come in a second."""

    def __init__(self, state: State, remote: str, rate: float) -> None:
        self._state, self._id, self._rate = state, f"rate:{remote}", rate

    def turn(self) -> float:
        """Take a turn, if need be one that is not there yet: the seconds until it is, by the store's clock."""
        while True:
            now = self._state.now().timestamp()
            rested = now - max(1.0, self._rate) / self._rate
            found = self._state.get(_KIND, self._id)
            taken = max(found["taken"], rested) if found else rested
            # Somebody who takes one at the same moment makes this one look again.
            body = {"taken": taken + 1 / self._rate}
            if self._state.swap(_KIND, self._id, found, body) if found else self._state.add(_KIND, self._id, body):
                return float(max(0.0, body["taken"] - now))
