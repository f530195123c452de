"""What ties people and organisations to patients, and when: who pays for the care, who manages the case, who is in the care team, and whom
a Consent names as who may be told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapter.access.consent import PERMIT
from adapter.access.viewer import MANAGER, MEMBER, PAYOR, RECIPIENT
from adapter.access.whose import owners
from adapter.fhir.dates import BEGIN, END, Span, period
from adapter.fhir.references import split
from adapter.fhir.resource import Raw


@dataclass(frozen=True)
class Tie:
    """Somebody is tied to a patient in this way, at this time."""

    way: str
    to: str
    """Type/id of whom."""
    low: datetime
    high: datetime
    """The first moment at which it is no longer so."""

    @property
    def key(self) -> str:
        return key(self.way, self.to)

    def holds(self, moment: datetime) -> bool:
        return self.low <= moment < self.high


def key(way: str, to: str) -> str:
    """The text by which the ties of somebody are found."""
    return f"{way}={to}"


def ties(raw: Raw) -> list[Tie]:
    """The ties that a Coverage, EpisodeOfCare or CareTeam makes to its patient; none where it is not in force, or of any other type."""
    type = raw.get("resourceType", "")
    if type not in _MADE or not owners(raw) or raw.get("status", _DEFAULT) not in _IN_FORCE[type]:
        return []
    whole = _period(raw)
    found = [Tie(way, to, max(whole[0], part[0]), min(whole[1], part[1])) for way, to, part in _MADE[type](raw) if to]
    return [tie for tie in found if tie.low < tie.high]


def recipients(consent: Raw) -> list[Tie]:
    """The ties that a Consent, as it is kept, makes to those whom its permissions name."""
    return [tie for tie in _recipients(consent["rule"], _ALWAYS) if tie.low < tie.high]


# A CareTeam need not say its status.
_DEFAULT = "active"
_IN_FORCE = {
    "Coverage": frozenset(("active",)),
    "EpisodeOfCare": frozenset(("planned", "waitlist", "active", "onhold", "finished")),
    "CareTeam": frozenset(("proposed", "active", "suspended")),
}
_ALWAYS: Span = (BEGIN, END)
_NEVER: Span = (END, BEGIN)
_Made = Iterator[tuple[str, str | None, Span]]


def _coverage(raw: Raw) -> _Made:
    yield from ((PAYOR, _reference(item), _ALWAYS) for item in _items(raw, "payor"))


def _episode(raw: Raw) -> _Made:
    yield MANAGER, _reference(raw.get("careManager")), _ALWAYS


def _team(raw: Raw) -> _Made:
    yield from ((MEMBER, _reference(item.get("member")), _period(item)) for item in _items(raw, "participant"))


_MADE: dict[str, Callable[[Raw], _Made]] = {"Coverage": _coverage, "EpisodeOfCare": _episode, "CareTeam": _team}


def _recipients(rule: Raw, within: Span) -> Iterator[Tie]:
    given = rule.get("period", within)
    # A period that cannot be read is one text.
    span = (max(within[0], given[0]), min(within[1], given[1])) if len(given) == len(within) else _NEVER
    if rule.get("type") == PERMIT:
        yield from (Tie(RECIPIENT, actor, *span) for actor in rule.get("actors", ()) if "/" in actor)
    for inner in rule.get("rules", ()):
        yield from _recipients(inner, span)


def _period(node: Raw) -> Span:
    """The time of a period; nothing at all where it cannot be read."""
    if "period" not in node:
        return _ALWAYS
    return period(node["period"]) or _NEVER


def _items(node: Raw, name: str) -> list[Raw]:
    found = node.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _reference(value: Any) -> str | None:
    text = value.get("reference") if isinstance(value, dict) else None
    found = split(text) if isinstance(text, str) else None
    return f"{found[0]}/{found[1]}" if found else None
