"""A plan in a file: shown and approved today, carried out tomorrow, and nothing else. See docs/decisions/014-saved-plans.md."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from adapter.errors import Conflict, Invalid
from adapter.fhir.resource import content, content_hash, dumps, laid_out, parse
from adapter.store.documents import Document
from adapter.store.state import State
from adapter.sync.plan import Entry

_FORMAT = 1
_HEAD = ("format", "remote", "address", "database", "made", "by", "pull", "push", "entries")
# What is written on neither side because of an entry.
_IDLE = ("unchanged", "skip", "dead")


def database_id(state: State) -> str:
    """The identity of a database: made once, the same for ever."""
    state.add("state", "identity", {"id": str(uuid4())})
    return str((state.get("state", "identity") or {})["id"])


def fingerprint(entry: Entry) -> str:
    """A hash of all that makes an entry what it is: what it does, to which versions on both sides, and with what content."""
    ours = entry.stored.version if entry.stored else 0
    target = content_hash(content(entry.target)) if entry.target is not None else None
    named = [entry.direction, entry.action, entry.reference, entry.there, entry.version, ours, target]
    return sha256(dumps(named).encode()).hexdigest()


@dataclass
class SavedPlan:
    """A plan as a file has it."""

    remote: str
    address: str
    database: str
    made: str
    """When it was made."""
    by: str
    pull: bool
    push: bool
    entries: list[Document]
    """As `row` gives them."""
    _left: dict[str, Document] = field(default_factory=dict)
    _taken: dict[tuple[str, str], Document] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._left = {row["fingerprint"]: row for row in self.entries}

    def holds(self, entry: Entry) -> bool:
        """Whether the entry is one of this plan, to the letter; each is taken once."""
        found = self._left.pop(fingerprint(entry), None)
        if found:
            self._taken[entry.direction, entry.reference] = found
        return found is not None

    def put_back(self, entry: Entry) -> None:
        """One that was taken and could not be carried out: something moved in the last moment."""
        found = self._taken.pop((entry.direction, entry.reference))
        self._left[found["fingerprint"]] = found

    @property
    def left(self) -> list[Document]:
        """The entries that were not met: something moved on one of the sides, or they are done."""
        return [*self._left.values()]

    def check(self, address: str, database: str) -> None:
        """Raise Conflict where it is of another database, or its remote has another address now."""
        if database != self.database:
            raise Conflict("This plan was made over another database; plan again over this one.")
        if address != self.address:
            raise Conflict(f"The remote {self.remote} has another address than when this plan was made; plan again.")


def row(entry: Entry) -> Document | None:
    """An entry as a saved plan has it, with the elements that change, for who is to approve it; None for one that writes nothing."""
    if entry.action in _IDLE:
        return None
    return entry.to_json() | {"ours": entry.stored.version if entry.stored else 0, "fingerprint": fingerprint(entry)}


def write(path: Path, head: dict[str, Any], entries: Iterable[Entry]) -> Iterator[Entry]:
    """Save a plan as the entries go by, which come back; the file is for its owner alone, and is there when all went by.

    `head` has the fields of a SavedPlan but its entries.
    """
    rows = []
    for entry in entries:
        if told := row(entry):
            rows.append(told)
        yield entry
    body = {"format": _FORMAT, **head, "entries": rows}
    text = laid_out(dumps({**body, "checksum": _checksum(body)})) + "\n"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def read(path: Path) -> SavedPlan:
    """The plan in a file. Raises Invalid for a file that is none, or was changed since it was written."""
    body = parse(path.read_bytes())
    checksum = body.pop("checksum", None)
    if tuple(body) != _HEAD or body["format"] != _FORMAT:
        raise Invalid("This file is not a plan that `casebridge plan --save` of this version wrote.")
    if checksum != _checksum(body):
        raise Invalid("This plan was changed after it was saved; it is not carried out. Plan again.")
    return SavedPlan(**{name: value for name, value in body.items() if name != "format"})


def _checksum(body: Document) -> str:
    return sha256(dumps(body).encode()).hexdigest()
