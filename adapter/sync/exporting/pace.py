"""How much of a type is read at once: so many resources, and on the embedded store, which reads all that a window of time holds before it
looks at the limit, of a window in which there are about so many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapter.store.documents import Document

PIECE, PIECE_BYTES = 2000, 4 * 2**20
"""How many resources are looked at between two places from which an export can go on, and how much text that is, about."""
_FIRST, _FEWEST = 100, 10
_DAY, _LEAST = timedelta(days=1), timedelta(milliseconds=1)


@dataclass
class Pace:
    """The pace in one type. `windows`: whether it is worth the while to look for windows of time that hold a page."""

    windows: bool
    count: int = _FIRST
    """How many resources to read next."""
    _width: timedelta | None = field(default=None, repr=False)
    _asked: timedelta = field(default=timedelta(), repr=False)
    _empty: timedelta = field(default=timedelta(), repr=False)
    _found: bool = field(default=False, repr=False)

    def end(self, start: datetime, before: datetime) -> datetime:
        """Where the window ends that is read next, if it begins there."""
        if not self.windows:
            return before
        self._asked = self._width or max(_probe(before - start), 2 * self._empty)
        return min(before, start + self._asked)

    def read(self, documents: Sequence[Document], *, more: bool) -> None:
        """Take note of what the last window held, or, if there is `more` in it, the first of that."""
        if not documents:
            # Behind what was found there is mostly nothing more, and the end is near in steps that double.
            self._width, self._empty = None, self._asked if self._found else timedelta()
            return
        self._found, self._empty = True, timedelta()
        width = documents[-1]["fhir"]["updated"] - documents[0]["fhir"]["updated"] + _LEAST
        if more or self._width is None:
            self._width = width
        elif len(documents) < self.count / 2:
            self._width *= 2
        size = sum(len(document["fhir"]["raw"]) for document in documents)
        self.count = max(_FEWEST, min(PIECE, PIECE_BYTES * len(documents) // size)) if size else PIECE


def is_piece(number: int, size: int) -> bool:
    """Whether so many resources, with so much text, are not more than is looked at between two places."""
    return number <= PIECE and size <= PIECE_BYTES


def _probe(left: timedelta) -> timedelta:
    """The width of a window where nothing is known: a part of what is left, so that what comes first is found in it and little more."""
    return max(left / (4 if left > _DAY else 64), _LEAST)
