"""What a sync would do, as data: one entry per resource, printed before it is carried out and carried out as printed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from adapter.fhir.references import split, walk
from adapter.fhir.resource import Raw
from adapter.mapping.merge import Change
from adapter.store.documents import Stored

# What can become of a resource, in the order in which people want to read it.
ACTIONS = ("create", "update", "merge", "delete", "link", "conflict", "skip", "dead", "unchanged")
SENT = ("create", "update", "delete")
"""Of a push: what is sent."""


def targets(raw: Raw) -> Iterator[str]:
    """The Type/id of each resource that this one refers to."""
    for reference in walk(raw):
        if parts := split(reference["reference"]):
            yield f"{parts[0]}/{parts[1]}"


@dataclass(frozen=True)
class Entry:
    """What is to be done about one resource."""

    direction: str
    """pull or push"""
    action: str
    type: str
    id: str
    """Our id."""
    there: str | None = None
    """Type/id at the remote, where it has it."""
    reason: str = ""
    changes: tuple[Change, ...] = ()
    """The elements that the receiving side would see change, or those in conflict."""
    decided: Mapping[str, str] = field(default_factory=dict)
    """Path → "ours" or "theirs", where both sides changed an element and its owner decided."""
    stored: Stored | None = None
    """Ours when the plan was made, None where we have none."""
    target: Raw | None = None
    """What the receiving side is to hold, in local terms."""
    theirs: Raw | None = None
    """Theirs when the plan was made, in local terms."""
    version: str | None = None
    """Theirs' version when the plan was made."""
    base: Raw | None = None
    """What both agreed on, in local terms, where no link says it: an answer was lost."""

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"

    @cached_property
    def refers_to(self) -> tuple[str, ...]:
        """The Type/id of each resource that the target refers to: a push asks for them at each of its steps."""
        return tuple(targets(self.target or {}))

    def to_json(self) -> dict[str, Any]:
        """What `plan --json` shows: no content but the changed elements."""
        return {
            "direction": self.direction,
            "action": self.action,
            "resource": self.reference,
            "there": self.there,
            "reason": self.reason,
            "version": self.version,
            "changes": [change.to_json() for change in self.changes],
        }


@dataclass
class Tally:
    """What became of the resources of each type, and how many the remote said there were."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)
    fetched: Counter[str] = field(default_factory=Counter)
    """How many different resources were read of each type; one that changed meanwhile is read twice and has two ends."""
    reasons: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    """The types that could not be read to their end, and why."""

    def add(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.counts.setdefault(entry.type, Counter())[entry.action] += 1
            if entry.reason:
                self.reasons[f"{entry.action}: {entry.reason}"] += 1

    def include(self, other: "Tally") -> None:
        """Count what another tally counted as well."""
        for type, counts in other.counts.items():
            self.counts.setdefault(type, Counter()).update(counts)
        for type, count in other.expected.items():
            self.expected[type] = self.expected.get(type, 0) + count
        self.fetched.update(other.fetched)
        self.reasons.update(other.reasons)

    def document(self) -> dict[str, Any]:
        """As the store remembers it."""
        counts = {type: dict(each) for type, each in self.counts.items()}
        # As pairs: a reason is a sentence, and a field's name may hold no full stop.
        return {"counts": counts, "expected": self.expected, "fetched": dict(self.fetched), "reasons": [*map(list, self.reasons.items())]}

    @staticmethod
    def of(document: Mapping[str, Any]) -> "Tally":
        counts = {type: Counter(each) for type, each in document["counts"].items()}
        return Tally(counts, document["expected"], Counter(document["fetched"]), Counter(dict(document["reasons"])))

    @property
    def types(self) -> list[str]:
        """The types of which there is something to tell."""
        return sorted({*self.expected, *self.counts, *self.failed})

    def total(self, action: str) -> int:
        return sum(counts[action] for counts in self.counts.values())

    @property
    def written(self) -> int:
        """How many resources were changed on the receiving side."""
        return sum(map(self.total, ("create", "update", "merge", "delete")))
