"""Chains and `_has`, into each other; what is included with what is found, and what refers to it."""

from collections.abc import Iterable, Sequence
from random import Random

from .. import worlds
from ..criteria import TYPES, criterion, joined, matching, parameters, referred, refers
from ..stage import Told

Include = tuple[str, str | None]
"""A type and its parameter, None for all of them."""
_LINKING = ("CarePlan", "Condition", "Consent", "List", "Observation", "Provenance", "Task")


def ask(told: Told, chance: Random) -> None:
    """Some of each kind."""
    for type in (chance.choice(TYPES), "Patient", chance.choice(worlds.CARE)):
        _joined(told, type, chance)
    for _ in range(2):
        _included(told, chance)


def _joined(told: Told, type: str, chance: Random) -> None:
    wanted = joined(told, type, chance, chance.randint(1, 3))
    expected = matching(told, type, wanted)
    path = f"{type}?{wanted}"
    if chance.random() < 0.3:
        told.same(len(expected), told.page("GET", f"{path}&_summary=count")["total"], f"{path} counted")
    else:
        told.same(expected, told.found(f"{path}&_count={chance.choice((1, 50))}"), path)


def _included(told: Told, chance: Random) -> None:
    """All matches are on one page, which has whatever comes with them."""
    reverse = chance.random() < 0.5
    target = chance.choice(("Patient", *worlds.CARE))
    type = target if reverse else chance.choice((*_LINKING, "Coverage", "Appointment"))
    wanted = criterion(told, type, chance)
    firsts = [*_reverse(target, chance)] if reverse else [_forward(type, chance)]
    again = [_forward(chance.choice(_LINKING), chance) for _ in range(chance.choice((0, 0, 1, 2)))]
    way = "_revinclude" if reverse else "_include"
    asked = [f"{way}={_text(*each)}" for each in firsts] + [f"_include:iterate={_text(*each)}" for each in again]
    matches = matching(told, type, wanted)
    brought = _brought(told, matches, [] if reverse else firsts, firsts if reverse else [], again)
    path = f"{type}?{wanted}&{'&'.join(asked)}&_count=1000"
    told.same(brought & told.seen.keys(), told.found(path, mode="include"), path)


def _forward(type: str, chance: Random) -> Include:
    return type, chance.choice([None, *(name for name, _ in parameters(type))])


def _reverse(target: str, chance: Random) -> Iterable[Include]:
    fitting = [(source, name) for source in TYPES for name, targets in parameters(source) if target in targets]
    return chance.sample(fitting, min(len(fitting), chance.randint(1, 2)))


def _text(type: str, parameter: str | None) -> str:
    return f"{type}:{parameter or '*'}"


def _brought(told: Told, matches: set[str], firsts: Sequence[Include], backs: Sequence[Include], again: Sequence[Include]) -> set[str]:
    """What comes with the matches, round by round."""
    brought = set[str]()
    fresh, ways = matches, [*firsts, *again]
    back = {name for source, parameter in backs for name in matching(told, source) if refers(told, name, parameter or "") & matches}
    while fresh:
        found = {other for name in fresh for way in ways for other in _named(told, name, way)} | back
        fresh = (found & told.seen.keys()) - matches - brought
        brought |= fresh
        ways, back = [*again], set()
    return brought


def _named(told: Told, name: str, include: Include) -> set[str]:
    type, parameter = include
    if not name.startswith(f"{type}/"):
        return set()
    return refers(told, name, parameter) if parameter else referred(told, name)
