"""A plan explained, entry by entry: the request, what sets each element, what the remote cannot take, and what it will answer.

The requests are worded by what words them in a push. The remote is only read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from adapter.errors import Invalid
from adapter.fhir.exchange import FHIR_JSON, JSON_PATCH
from adapter.fhir.resource import Raw, check_structure
from adapter.mapping.lineage import Lineage, Origin
from adapter.mapping.merge import Change, diff
from adapter.sync.base import agreed
from adapter.sync.edge import knows_own
from adapter.sync.plan import SENT, Entry
from adapter.sync.pushing.outbound import Outbound, by_patch
from adapter.sync.pushing.send import Sender
from adapter.sync.rehearsal.present import Present
from adapter.sync.remotes.visit import Visit

_NOT_SENT = "not sent"
# What is to be done, and what is there: the HTTP status of the answer, and why.
_ANSWERS = {
    ("create", "none"): ("201", "nothing there has our identifier"),
    ("create", "unknown"): ("201", "unless something there has our identifier, which is its condition"),
    ("create", "one"): ("200", "it is there already, made by a push that was interrupted: taken up, not doubled"),
    ("create", "several"): ("412", "there are several with our identifier: a dead letter"),
    ("update", "one"): ("200", "it is there at the version that the request expects"),
    ("update", "unknown"): ("200", "if it is there at the version that the request expects"),
    ("update", "moved"): ("409 or 412", "it was changed there since: merged and tried again, or a conflict; never written over"),
    ("update", "none"): ("404 or 410", "it is not found there; the next pull says what became of it"),
    ("delete", "one"): ("200 or 204", "it is there at the version that the request expects"),
    ("delete", "unknown"): ("200 or 204", "if it is there at the version that the request expects"),
    ("delete", "moved"): (_NOT_SENT, "it was changed there since; the next pull brings that here"),
    ("delete", "none"): (_NOT_SENT, "it is gone there already"),
}


@dataclass(frozen=True)
class Request:
    """One request of a push; `path` counts from the remote's base URL."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any = None

    def to_json(self, *, body: bool) -> dict[str, Any]:
        told = {"method": self.method, "path": self.path, "headers": self.headers}
        return told | ({"body": self.body} if body else {})


@dataclass(frozen=True)
class Element:
    """One element that the receiving side sees change, and what set it."""

    change: Change
    origins: tuple[Origin, ...]
    note: str
    """What there is to say of it beside its origins."""

    def to_json(self) -> dict[str, Any]:
        told = {"path": self.change.path, "before": self.change.base, "after": self.change.ours, "theirs": self.change.theirs}
        return told | {"set by": [vars(origin) for origin in self.origins], "note": self.note}


@dataclass(frozen=True)
class Explained:
    """An entry of a plan, and all that is known of it before it is carried out."""

    entry: Entry
    elements: tuple[Element, ...]
    answer: str
    """The HTTP status that is to be expected, or that nothing is sent."""
    why: str
    request: Request | None = None
    together: str = ""
    """What it is sent in."""
    lacks: tuple[str, ...] = ()
    """What the remote cannot take, or does not promise."""

    def to_json(self, *, body: bool) -> dict[str, Any]:
        """The entry as JSON data; the resource that is sent only where it is asked for."""
        return self.entry.to_json() | {
            "request": self.request.to_json(body=body) if self.request else None,
            "sent in": self.together,
            "changes": [element.to_json() for element in self.elements],
            "lacks": list(self.lacks),
            "answer": self.answer,
            "why": self.why,
        }


@dataclass
class Explainer:
    """Explains what one remote's plan holds."""

    visit: Visit
    outbound: Outbound
    sender: Sender
    _now: Present = field(default_factory=Present)

    def pulled(self, entry: Entry) -> Explained:
        """An entry of a pull: nothing is sent, and nothing but what is shown changes here."""
        changes = entry.changes or (_all_of(entry) if entry.action == "create" else ())
        old = entry.stored.raw if entry.stored and not entry.stored.deleted else {}
        return Explained(entry, _elements(entry, changes, old, entry.target or old), _NOT_SENT, entry.reason or "a pull only reads there")

    def pushed(self, entries: Iterable[Entry]) -> Iterator[Explained]:
        """The entries of a push, in the order in which they would go."""
        planned = list(entries)
        self._now = Present.of(self.visit.single, planned)
        for entry in planned:
            if entry.action not in SENT:
                yield Explained(entry, _elements(entry, entry.changes, {}, entry.target or {}), _NOT_SENT, entry.reason or "it is so there")
        self.sender.prepare(entry for entry in planned if entry.action in SENT)
        for number, work in enumerate(self.sender.works(planned), 1):
            others = len(work.entries) - 1
            together = (
                f"{work.way}, request {number}, with {others} other{'s' * (others != 1)}" if others else f"request {number}, by itself"
            )
            beside = {entry.reference for entry in work.entries if entry.action == "create"} if work.way == "transaction" else set()
            for entry in work.entries:
                yield self._sent(entry, together, beside)

    def _sent(self, entry: Entry, together: str, beside: set[str]) -> Explained:
        changes = entry.changes or (_all_of(entry) if entry.action == "create" else ())
        elements = _elements(entry, changes, {} if entry.action == "create" else entry.theirs or {}, entry.target or {})
        answer, why = self._predicted(entry)
        return Explained(entry, elements, answer, why, self._request(entry, beside), together, tuple(self._lacks(entry)))

    def _request(self, entry: Entry, beside: set[str]) -> Request:
        worded = self.outbound.bundle_entry(entry, beside)
        asked, body = worded["request"], worded.get("resource")
        headers = {"If-None-Exist": asked.get("ifNoneExist"), "If-Match": asked.get("ifMatch")}
        told = {name: value for name, value in headers.items() if value}
        now = self._now.now(entry)
        if body is not None and asked["method"] == "PUT" and by_patch(self.visit.remote, self.visit.capability, entry.type):
            operations = self.outbound.operations(now, body) if now else None
            return Request("PATCH", asked["url"], {"Content-Type": JSON_PATCH, **told}, operations)
        return Request(asked["method"], asked["url"], {**({"Content-Type": FHIR_JSON} if body else {}), **told}, body)

    def _lacks(self, entry: Entry) -> Iterator[str]:
        capability = self.visit.capability
        if entry.action == "create" and not capability.conditional_create(entry.type):
            yield "it does not claim conditional creates of this type: an interrupted push could make a double"
        if entry.action == "create" and not knows_own(capability, entry.type):
            yield "it cannot be asked for our identifier: what an interrupted push made is not found again"
        link = entry.stored.link(self.visit.remote.name) if entry.stored else None
        if entry.stored and link and entry.target:
            base = agreed(self.outbound.repository, entry.stored, link)
            dropped = [change.path for change in diff(base.ours, base.theirs) if change.ours is None]
            yield from (f"it did not keep {path} when it was sent before" for path in dropped)

    def _predicted(self, entry: Entry) -> tuple[str, str]:
        """The answer's HTTP status, and why."""
        if entry.action == "create":
            try:
                check_structure(entry.target or {})
            except Invalid as error:
                return _NOT_SENT, f"a dead letter: {error.text}"
        # One that is told as entered in error is an update there.
        kind = "update" if entry.action == "delete" and entry.target is not None else entry.action
        return _ANSWERS[kind, self._now.state(entry)]


def _all_of(entry: Entry) -> tuple[Change, ...]:
    """Every element of what is new."""
    target = entry.target or {}
    return tuple(diff({"resourceType": entry.type}, target))


def _elements(entry: Entry, changes: Iterable[Change], old: Raw, new: Raw) -> tuple[Element, ...]:
    lineage = Lineage(old, new)
    return tuple(_element(entry, lineage, change) for change in changes)


def _element(entry: Entry, lineage: Lineage, change: Change) -> Element:
    origins = tuple(lineage.origins(change.path))
    if winner := entry.decided.get(change.path):
        note = f"both sides changed it; it is {winner} by its owner's rule"
    elif entry.action == "conflict":
        note = "both sides changed it"
    elif not origins and lineage.constant(change.path):
        note = "what every new one starts with"
    else:
        note = "" if origins else "no rule reads it: it stands so in the resource itself"
    return Element(change, origins, note)
