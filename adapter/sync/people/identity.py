"""Who is who: from what two resources say of a person or organisation, whether they are about the same one. Pure; it never guesses.

What counts are business identifiers of the systems that a site trusts, the most trusted first. Other facts can raise doubt, never decide.
An identifier that is `old` or `temp` (http://hl7.org/fhir/R4/valueset-identifier-use.html), or of a system that is not trusted, is weak.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from adapter.config import OWN_ID
from adapter.fhir.resource import Raw
from adapter.store.values import folded

SAME, ASK, OTHER = "same", "ask", "other"
_WEAK_USES = frozenset({"old", "temp"})
_FULL_DATE = len("1946-11-30")


@dataclass(frozen=True)
class Point:
    """One thing that both can say: an identifier system or a fact, what each says, and whether that is the same."""

    about: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    same: bool | None
    """None where one of them says nothing, or too little to tell."""
    weight: str
    """trusted, weak or fact"""


@dataclass(frozen=True)
class Comparison:
    """What matches and what differs, and what follows from it."""

    points: tuple[Point, ...]
    verdict: str
    """`same`, `ask` (a person has to say) or `other`"""
    why: str
    """In words without any value, for a question."""

    @property
    def shares_trusted(self) -> bool:
        """Whether an identifier of a trusted system is the same."""
        return any(point.weight == "trusted" and point.same for point in self.points)


# What the identifiers say and what the other facts say → what follows, and why.
_VERDICTS: dict[tuple[str, str], tuple[str, str]] = {
    ("match", "agree"): (SAME, "a trusted identifier is the same"),
    ("match", "open"): (SAME, "a trusted identifier is the same"),
    ("match", "differ"): (ASK, "a trusted identifier is the same, and another fact differs"),
    ("contradicted", "agree"): (ASK, "a trusted identifier is the same, and a more trusted one differs"),
    ("contradicted", "open"): (ASK, "a trusted identifier is the same, and a more trusted one differs"),
    ("contradicted", "differ"): (ASK, "a trusted identifier is the same, a more trusted one and another fact differ"),
    ("weak", "agree"): (ASK, "an identifier is the same, but not one to be trusted alone"),
    ("weak", "open"): (ASK, "an identifier is the same, but not one to be trusted alone"),
    ("none", "agree"): (ASK, "no identifier can be compared, and the other facts are the same"),
}


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(folded(value) for value in values if isinstance(value, str) and value.strip()))


def _items(raw: Raw, name: str) -> Iterator[Raw]:
    found = raw.get(name)
    yield from (item for item in found if isinstance(item, dict)) if isinstance(found, list) else ()


def _birth_date(raw: Raw) -> tuple[str, ...]:
    return _texts([raw.get("birthDate")])


def _gender(raw: Raw) -> tuple[str, ...]:
    return tuple(value for value in _texts([raw.get("gender")]) if value != "unknown")


def _families(raw: Raw) -> tuple[str, ...]:
    return _texts(name.get("family") for name in _items(raw, "name"))


def _names(raw: Raw) -> tuple[str, ...]:
    aliases = raw.get("alias")
    return _texts([raw.get("name"), *(aliases if isinstance(aliases, list) else ())])


Fact = tuple[str, Callable[[Raw], tuple[str, ...]], bool]
"""Its element, how to read it, and whether it must be the same for the facts to agree."""

_PERSON: tuple[Fact, ...] = (("birthDate", _birth_date, True), ("gender", _gender, False), ("name.family", _families, True))
# A RelatedPerson is one person's relation to one patient, so two of them may well be of one person: they are not matched.
FACTS: dict[str, tuple[Fact, ...]] = {"Patient": _PERSON, "Practitioner": _PERSON, "Organization": (("name", _names, True),)}


def identifiers(raw: Raw) -> dict[tuple[str, bool], tuple[str, ...]]:
    """The values of business identifiers by their system and whether they are of full weight; a casebridge's own are none."""
    found: dict[tuple[str, bool], dict[str, None]] = {}
    for item in _items(raw, "identifier"):
        system, value = item.get("system"), item.get("value")
        if isinstance(system, str) and isinstance(value, str) and system and value and system != OWN_ID:
            found.setdefault((system, item.get("use") not in _WEAK_USES), {})[value] = None
    return {key: tuple(values) for key, values in found.items()}


def tokens(raw: Raw, trust: Sequence[str]) -> list[tuple[str, str]]:
    """(system, value) of the identifiers that can decide, the most trusted first."""
    held = identifiers(raw)
    return [(system, value) for system in trust for value in held.get((system, True), ())]


def compare(left: Raw, right: Raw, trust: Sequence[str]) -> Comparison:
    """Whether two resources of one type are about the same one, given the trusted identifier systems, the most trusted first."""
    trusted, weak = _trusted(left, right, trust), _weak(left, right, trust)
    facts = [_fact(about, read(left), read(right)) for about, read, _ in FACTS.get(left.get("resourceType", ""), ())]
    needed = {about for about, _, must in FACTS.get(left.get("resourceType", ""), ()) if must}
    said = "differ" if any(point.same is False for point in facts) else "open"
    if said == "open" and needed and all(point.same for point in facts if point.about in needed):
        said = "agree"
    verdict, why = _VERDICTS.get((_told(trusted, weak), said), (OTHER, "nothing says that they are the same"))
    return Comparison((*trusted, *weak, *facts), verdict, why)


def _trusted(left: Raw, right: Raw, trust: Sequence[str]) -> list[Point]:
    ours, theirs = identifiers(left), identifiers(right)
    points = []
    for system in dict.fromkeys(trust):
        one, two = ours.get((system, True), ()), theirs.get((system, True), ())
        if one or two:
            points.append(Point(system, one, two, bool({*one} & {*two}) if one and two else None, "trusted"))
    return points


def _weak(left: Raw, right: Raw, trust: Sequence[str]) -> list[Point]:
    """The same identifiers that are not enough: that others differ says nothing."""
    ours, theirs = identifiers(left), identifiers(right)
    points = []
    for system in dict.fromkeys(system for system, _ in (*ours, *theirs)):
        one, two = (tuple(dict.fromkeys((*held.get((system, True), ()), *held.get((system, False), ())))) for held in (ours, theirs))
        of_full_weight = {*ours.get((system, True), ())} & {*theirs.get((system, True), ())}
        if {*one} & {*two} and not (system in trust and of_full_weight):
            points.append(Point(system, one, two, True, "weak"))
    return points


def _told(trusted: Sequence[Point], weak: Sequence[Point]) -> str:
    compared = [point.same for point in trusted if point.same is not None]
    if compared:
        return "match" if compared[0] else "contradicted" if any(compared) else "differ"
    return "weak" if weak else "none"


def _fact(about: str, one: tuple[str, ...], two: tuple[str, ...]) -> Point:
    if not one or not two:
        return Point(about, one, two, None, "fact")
    if about == "birthDate" and min(len(one[0]), len(two[0])) < _FULL_DATE and (one[0].startswith(two[0]) or two[0].startswith(one[0])):
        # 1946-11 does not contradict 1946-11-30, and does not prove it.
        return Point(about, one, two, None, "fact")
    return Point(about, one, two, bool({*one} & {*two}), "fact")


T = TypeVar("T")


def judged(found: Sequence[tuple[T, Comparison]]) -> tuple[T | None, list[tuple[T, Comparison]]]:
    """Of several who may be the one that arrives: the one who is, or None, and those whom a person has to be asked about."""
    same = [who for who, comparison in found if comparison.verdict == SAME]
    rivals = [who for who, comparison in found if comparison.shares_trusted]
    if len(same) == 1 and len(rivals) == 1:
        return same[0], []
    return None, [(who, comparison) for who, comparison in found if comparison.verdict != OTHER]
