"""How much one request may ask to be read, looked at before it is: parameters, entries, nesting. A body's bytes are limited before."""

from typing import Any
from urllib.parse import parse_qsl

from adapter.errors import Invalid, TooCostly, TooLarge
from adapter.store.syntax import ALL_AT_MOST, PARAMETERS_AT_MOST

ENTRIES_AT_MOST = 10_000
DEPTH_AT_MOST = 100
"""Of objects and lists in each other: what walks a resource takes two calls of a function for each level, of the thousand Python has."""
_NESTING = frozenset((dict, list))
# A character takes three bytes where it is escaped.
TEXT_AT_MOST = 3 * ALL_AT_MOST


def pairs(text: str) -> list[tuple[str, str]]:
    """The parameters in a query or form. Raises Invalid for more, or more text, than a search may have: reading them takes long."""
    if not text:
        return []
    if len(text) > TEXT_AT_MOST or text.count("&") >= PARAMETERS_AT_MOST:
        raise Invalid(f"A search may have {PARAMETERS_AT_MOST} parameters and {ALL_AT_MOST} characters at most.")
    return parse_qsl(text, keep_blank_values=True)


def check_entries(entries: list[Any]) -> None:
    """Raise TooLarge for a Bundle of too many entries."""
    if len(entries) > ENTRIES_AT_MOST:
        raise TooLarge(f"A Bundle may have {ENTRIES_AT_MOST} entries at most: divide it.", expression=["Bundle.entry"])


def check_depth(value: Any) -> None:
    """Raise Invalid for JSON that is nested deeper than anything that means something: what walks it would fall over it."""
    level: list[Any] = [[value]]
    for _ in range(DEPTH_AT_MOST + 1):
        # As short as it can be said: every body that is sent is walked here.
        level = [child for each in level for child in (each.values() if type(each) is dict else each) if type(child) in _NESTING]
        if not level:
            return
    raise Invalid(f"What was sent is nested too deep: {DEPTH_AT_MOST} levels are read.")


class Effort:
    """How much of the work that one request may take is left."""

    def __init__(self, most: int, what: str) -> None:
        self._left, self._what = most, what

    def takes(self, much: int) -> bool:
        """Whether there is so much left; then it is taken."""
        self._left -= much
        return self._left >= 0

    def spend(self, much: int) -> None:
        """Take some of it. Raises TooCostly where there is not so much left."""
        if not self.takes(much):
            raise TooCostly(f"{self._what} takes more work than is done for one request.")
