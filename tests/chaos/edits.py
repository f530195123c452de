"""What people do all the while: make, edit and delete, on a side chosen by chance. Every edit carries a mark that is used once.

The ledger says which mark an edit replaced, as its writer saw it: writes are against a version, so an edit that is gone from the end state
without a later one that saw it, and without a conflict that tells of it, was lost.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.chaos.sides import SYSTEM, Raw, Side, name_of, quietly

CANARY = "Kanarifugl"

_Place = tuple[str | int, ...]

# Where an edit writes its mark: elements that any of the sides may change.
PLACES: dict[str, tuple[_Place, ...]] = {
    "Patient": (("name", 0, "text"), ("maritalStatus", "text")),
    "Observation": (("valueString",), ("method", "text")),
    "Goal": (("description", "text"), ("statusReason",)),
    "CarePlan": (("title",), ("description",)),
    "ServiceRequest": (("code", "text"), ("patientInstruction",)),
}

# What nothing refers to. A plan whose request is deleted is kept back, since no remote has what it refers to.
UNREFERENCED = ("Observation",)


@dataclass(frozen=True)
class Edit:
    """A mark that was written."""

    mark: str
    side: str
    name: str
    """Of the resource, on every side."""
    place: _Place
    replaced: str | None
    """The mark that its writer saw there."""


@dataclass
class Ledger:
    """All that people did."""

    edits: list[Edit] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    deleted: dict[str, set[str]] = field(default_factory=dict)
    """By name: the marks that were on it as whoever deleted it saw it."""
    counts: Counter[str] = field(default_factory=Counter)


def at(raw: Raw, place: _Place) -> str | None:
    """The text at a place of a resource."""
    node: Any = raw
    for step in place:
        if isinstance(step, int):
            node = node[step] if isinstance(node, list) and len(node) > step else None
        else:
            node = node.get(step) if isinstance(node, dict) else None
    return node if isinstance(node, str) else None


def put(node: Any, place: _Place, text: str) -> Any:
    """The resource with the text there."""
    if not place:
        return text
    step, *rest = place
    if isinstance(step, int):
        items = list(node or [{}])
        return [put(item, tuple(rest), text) if number == step else item for number, item in enumerate(items)]
    return {**(node or {}), step: put((node or {}).get(step), tuple(rest), text)}


@dataclass
class People:
    """Everybody who works during the run, as one stream of work for each side."""

    sides: list[Side]
    seed: int
    pause: float
    """The longest wait between two acts on one side, in seconds."""
    ledger: Ledger = field(default_factory=Ledger)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _number: int = 0

    def work(self, side: Side, ended: threading.Event) -> None:
        """Act on one side until it is ended."""
        chance = random.Random(f"{self.seed} {side.name}")
        while not ended.wait(chance.uniform(0, self.pause)):
            there, roll = side.all(), chance.random()
            if len(there) < 10 or roll < 0.08:
                self.make(side, chance)
                continue
            raw = chance.choice(there)
            if roll > 0.975 and raw["resourceType"] in UNREFERENCED:
                self.delete(side, raw)
            else:
                self.edit(side, raw, chance)

    def make(self, side: Side, chance: random.Random) -> None:
        """A patient with a measurement, a goal, and a plan and its request that refer to each other."""
        number = self._next()
        ids = {type: str(UUID(int=chance.getrandbits(128), version=4)) for type in PLACES}
        made: dict[str, str] = {}
        for type, body in family(number, ids).items():
            raw = {"resourceType": type, "id": ids[type], "identifier": [{"system": SYSTEM, "value": f"{type} {number}"}], **body}
            if side.name == "hospital":
                raw = _with_ids(raw, ids, made)
            id = quietly(side.create, raw)
            if id is None:
                return
            made[type] = id
            with self._lock:
                self.ledger.made.append(f"{type} {number}")
                self.ledger.counts["made"] += 1

    def edit(self, side: Side, raw: Raw, chance: random.Random) -> None:
        """Write a mark into one element."""
        place = chance.choice(PLACES[raw["resourceType"]])
        mark = f"{CANARY} m{self.seed}.{self._next()}"
        if _done(side.update, put(raw, place, mark)):
            with self._lock:
                self.ledger.edits.append(Edit(mark, side.name, str(name_of(raw)), place, at(raw, place)))
                self.ledger.counts["edited"] += 1

    def delete(self, side: Side, raw: Raw) -> None:
        """Delete it."""
        if _done(side.delete, raw):
            seen = {text for place in PLACES[raw["resourceType"]] if (text := at(raw, place))}
            with self._lock:
                self.ledger.deleted.setdefault(str(name_of(raw)), set()).update(seen)
                self.ledger.counts["deleted"] += 1

    def _next(self) -> int:
        with self._lock:
            self._number += 1
            return self._number


def _done(act: Callable[[Raw], None], raw: Raw) -> bool:
    return quietly(lambda: (act(raw), True)[1]) is True


def family(number: int, ids: dict[str, str]) -> dict[str, Raw]:
    """The bodies of what is made together, by type, in order of reference."""
    subject = {"reference": f"Patient/{ids['Patient']}"}
    text = f"{CANARY} number {number}"
    return {
        "Patient": {"name": [{"family": CANARY, "text": text}]},
        "Observation": {"status": "final", "code": {"text": text}, "subject": subject, "valueString": text},
        "Goal": {"lifecycleStatus": "active", "description": {"text": text}, "subject": subject},
        "ServiceRequest": {"status": "active", "intent": "order", "code": {"text": text}, "subject": subject},
        "CarePlan": {
            "status": "active",
            "intent": "plan",
            "title": text,
            "subject": subject,
            "goal": [{"reference": f"Goal/{ids['Goal']}"}],
            "activity": [{"reference": {"reference": f"ServiceRequest/{ids['ServiceRequest']}"}}],
        },
    }


def _with_ids(raw: Any, ids: dict[str, str], made: dict[str, str]) -> Any:
    """The same, referring to what the hospital made under ids of its own."""
    if isinstance(raw, dict):
        return {key: _with_ids(value, ids, made) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_with_ids(item, ids, made) for item in raw]
    return next((f"{type}/{made[type]}" for type in made if raw == f"{type}/{ids[type]}"), raw)
