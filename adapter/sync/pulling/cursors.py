"""How far a remote was read, type by type: since when the next pull asks, for what was asked until then, and for whom.

A cursor holds for what was asked: where the search or the patients are others now, what is new in them is read from the beginning.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pymongo.client_session import ClientSession

from adapter.store.documents import Document
from adapter.store.state import Fence, State

_KIND = "cursors"


@dataclass(frozen=True)
class Cursor:
    """How far a type was read."""

    since: datetime | None
    """The closed start of the next search, by the remote's clock; None: not read yet."""
    asked: str = ""
    """A digest of the search, but for time and patients; empty for all of the type."""
    scope: str = ""
    """The digest of the patients that were asked for; empty for everybody."""
    compared: datetime | None = None
    """When the ids there were last compared with ours."""


def digest(*parts: str) -> str:
    """A short text that stands for these in their order; empty for none."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if parts else ""


class Cursors:
    """The cursors of one remote. What is moved is kept by `keep`, all at once.

    With `only`, of who reads this type while others read the others: what is left to be fetched stays with the type's own cursor.
    """

    def __init__(self, state: State, remote: str, only: str = "") -> None:
        self._state, self._remote = state, remote
        self._left = f"{remote}:{only or '@left'}"
        self._moved: dict[str, Document] = {}
        self.look()

    def look(self) -> None:
        """Learn what others have kept; for who has nothing to keep."""
        self._documents = dict(self._state.all(_KIND, {"remote": self._remote}))

    def of(self, type: str) -> Cursor:
        """How far this type was read."""
        found = self._documents.get(f"{self._remote}:{type}", {})
        return Cursor(found.get("since"), found.get("asked", ""), found.get("scope", ""), found.get("compared"))

    def patients(self, scope: str) -> frozenset[str]:
        """The ids there of the patients that a digest stands for."""
        return frozenset(self._documents.get(self._name(scope), {}).get("patients", ()))

    def left(self) -> list[str]:
        """Type/id there of what was referred to and is still to be fetched."""
        return sorted({reference for body in self._documents.values() for reference in body.get("references", ())})

    def move(self, type: str, cursor: Cursor, patients: Iterable[str] = ()) -> None:
        """This type was read so far, for these patients."""
        name = f"{self._remote}:{type}"
        self._put(name, {**self._documents.get(name, {}), **vars(cursor)})
        if (listed := sorted(patients)) and self._name(cursor.scope) not in self._documents:
            self._put(self._name(cursor.scope), {"patients": listed})

    def leave(self, references: Iterable[str]) -> None:
        """This is still to be fetched, of all that is; with `only`, of what its resources refer to."""
        now = {self._left: sorted(references)}
        if self._left == self._name("left"):
            now = {name: [] for name, body in self._documents.items() if body.get("references")} | now
        for name, listed in now.items():
            before = self._documents.get(name, {})
            if listed != before.get("references", []):
                self._put(name, {**before, "references": listed})

    def keep(self, session: ClientSession, fence: Fence = lambda _: None) -> None:
        """Write what was moved, all or none."""
        self._state.put_all(_KIND, self._moved, session, fence)
        self._moved.clear()

    def forget_scopes(self) -> None:
        """Drop the patients that no cursor speaks of any more."""
        spoken = {self._name(scope) for body in self._documents.values() if (scope := body.get("scope"))}
        for name in [name for name, body in self._documents.items() if "patients" in body and name not in spoken]:
            self._state.drop(_KIND, name)
            del self._documents[name]

    def _name(self, what: str) -> str:
        # No type starts with a sign.
        return f"{self._remote}:@{what}"

    def _put(self, name: str, body: Document) -> None:
        document = {"remote": self._remote, **body}
        self._documents[name] = self._moved[name] = document
