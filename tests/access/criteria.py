"""What searches ask for, each with whether an item that may be seen fits it by the world's description; what items refer to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from . import resources, rule, worlds
from .stage import Told

TYPES = (*worlds.THINGS, "CareTeam", "Consent", "Coverage", "EpisodeOfCare", "Patient", "Provenance")
_SUBJECT = ("patient", "subject")
_OWNER = {
    **dict.fromkeys(("CarePlan", "CareTeam", "Condition", "Encounter", "Goal", "List", "Observation", "Task"), _SUBJECT),
    **{"Appointment": ("actor", "patient"), "Coverage": ("beneficiary", "patient"), "Group": ("member",)},
    **dict.fromkeys(("Consent", "EpisodeOfCare"), ("patient",)),
}
"""By type, the search parameters for whose it is."""
_LAST = {"Condition": "asserter", "Observation": "performer"}
"""By type, that for the other patient that it can name."""
CODE = {
    **dict.fromkeys(("CarePlan", "Goal"), "category"),
    **dict.fromkeys(("Condition", "Group", "List", "Observation", "Task"), "code"),
    **{"Appointment": "service-type", "Encounter": "type"},
}
_DATE = {"CarePlan": "date", "Condition": "onset-date", "Encounter": "date", "Goal": "start-date", "Observation": "date"}
_BIRTH = "1980-01-01"
NO_COMPARTMENT = frozenset(("Patient", "Provenance", "Task"))
"""The types that are not asked for in a patient's compartment: Task is in none."""


@dataclass(frozen=True)
class Criterion:
    """A search parameter with its value, and what it fits among what may be seen."""

    name: str
    value: str
    fits: Callable[[str], bool]

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


def matching(told: Told, type: str, criterion: Criterion | None = None) -> set[str]:
    """The names of the items of a type that are found."""
    return {name for name in told.seen if name.startswith(f"{type}/") and (criterion is None or criterion.fits(name))}


def withheld(told: Told, type: str, element: str) -> bool:
    """Whether an element of a type is not told, nor to be found by."""
    if type in told.policy.get("by_characteristic", ()) and element == "member":
        return True
    return element in told.policy["types"].get(type, {}).get("withheld", ())


def parameters(type: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The reference parameters of a type by which something of a world can be named, each with the types that it can name."""
    yield from ((name, ("Patient",)) for name in _OWNER.get(type, ()))
    if type in _LAST:
        yield _LAST[type], ("Patient",)
    for target, (_, name) in resources.LINKS.get(type, {}).items():
        yield name, worlds.THINGS if target == "*" else (target,)
    if type == "Provenance":
        yield "target", TYPES
    if type == "Consent":
        yield "data", worlds.THINGS


def refers(told: Told, name: str, parameter: str) -> set[str]:
    """The names of what an item that may be seen refers to by a parameter, as far as that element is told."""
    type, state = name.partition("/")[0], told.seen[name]
    if type == "Provenance":
        return {*state["targets"]}
    if parameter in _OWNER.get(type, ()):
        if withheld(told, type, parameter):
            return set()
        return {f"Patient/{owner}" for owner in rule.owners_of(type, state)}
    if parameter == _LAST.get(type):
        return set() if withheld(told, type, parameter) else {f"Patient/{state['patients'][-1]}"}
    if type == "Consent":
        return {state["rule"]["instance"]} if "instance" in state["rule"] else set()
    return {other for _, by, other in resources.linked(told.world, told.items[name]) if by == parameter}


def referred(told: Told, name: str) -> set[str]:
    """The names of all that an item refers to."""
    return {other for parameter, _ in parameters(name.partition("/")[0]) for other in refers(told, name, parameter)}


def member(told: Told, name: str, patient: str) -> bool:
    """Whether an item is in a patient's compartment."""
    type = name.partition("/")[0]
    ways = [*_OWNER.get(type, ()), *([_LAST[type]] if type in _LAST else [])]
    return any(f"Patient/{patient}" in refers(told, name, way) for way in ways)


def criterion(told: Told, type: str, chance: Random) -> Criterion:
    """Something to search the type by."""
    return chance.choice([*_common(told, type, chance), *_of_type(told, type, chance)])


def _common(told: Told, type: str, chance: Random) -> Iterator[Criterion]:
    names = [name for name in told.items if name.startswith(f"{type}/")]
    some = chance.sample(names, chance.randint(0, len(names)))
    ids = ",".join([*(f"{told.lead}{name.partition('/')[2]}" for name in some), "none"])
    yield Criterion("_id", ids, lambda name: name in some)
    yield Criterion("_id:not", ids, lambda name: name not in some)
    yield Criterion("_lastUpdated", "gt2020-01-01", lambda _: True)
    if names:
        one = chance.choice(names)
        id, version = one.partition("/")[2], chance.randint(1, len(told.items[one]["states"]))
        now = version == len(told.items[one]["states"])
        yield Criterion("_tag", f"urn:mark|{resources.mark(told.lead, id, version)}", lambda name: name == one and now)
        yield Criterion("identifier", f"{resources.SYSTEM}|{told.lead}{id}", lambda name: name == one)


def _of_type(told: Told, type: str, chance: Random) -> Iterator[Criterion]:
    for parameter, targets in parameters(type):
        there = [name for name in told.items if name.partition("/")[0] in targets] or ["Goal/none"]
        yield _naming(told, parameter, chance.choice(there))
        missing = chance.random() < 0.5
        yield Criterion(
            f"{parameter}:missing",
            str(missing).lower(),
            lambda name, by=parameter, missing=missing: missing != bool(refers(told, name, by)),
        )
    if type in CODE:
        code = chance.choice(worlds.CODES)
        yield Criterion(CODE[type], f"{resources.CODED}|{code}", lambda name: code in told.seen[name]["codes"])
        yield Criterion(f"{CODE[type]}:not", f"{resources.CODED}|{code}", lambda name: code not in told.seen[name]["codes"])
        secret = chance.choice(worlds.SECRETS)
        coding = resources.SECRETS[secret]
        yield Criterion(CODE[type], f"{coding['system']}|{coding['code']}", lambda name: _says(told, name, secret))
    if type in _DATE:
        number = chance.randint(18, 26)
        yield Criterion(_DATE[type], resources.day(number), lambda name: told.seen[name]["day"] == number)
    if type == "Patient":
        told_of = not withheld(told, "Patient", "birthDate")
        yield Criterion("birthdate", _BIRTH, lambda _: told_of)
        yield Criterion("birthdate:missing", "true", lambda _: not told_of)
        yield Criterion("family", "kanari", lambda _: True)
    if type == "Coverage":
        payer = chance.choice(worlds.PAYERS)
        yield Criterion("payor", resources.whom(payer, told.lead), lambda name: payer in told.seen[name]["payers"])
    if type == "EpisodeOfCare":
        who = chance.choice(worlds.STAFF)
        yield Criterion("care-manager", resources.whom(who, told.lead), lambda name: told.seen[name]["manager"] == who)


def _naming(told: Told, parameter: str, other: str) -> Criterion:
    return Criterion(parameter, told.local(other), lambda name: other in refers(told, name, parameter))


def _says(told: Told, name: str, secret: str) -> bool:
    state = told.seen[name]
    return secret in state["secrets"] and not state["labelled"]


def joined(told: Told, type: str, chance: Random, depth: int) -> Criterion:
    """A chain, or a `_has`, over other types, as deep as is asked for."""
    ways = [(name, target) for name, targets in parameters(type) for target in targets if target in TYPES]
    back = [(source, name) for source in TYPES for name, targets in parameters(source) if type in targets]
    if depth == 0 or not (ways or back):
        return criterion(told, type, chance)
    if ways and (not back or chance.random() < 0.5):
        parameter, target = chance.choice(ways)
        inner = joined(told, target, chance, depth - 1)
        reach = matching(told, target, inner)
        return Criterion(
            f"{parameter}:{target}.{inner.name}", inner.value, lambda name: not reach.isdisjoint(refers(told, name, parameter))
        )
    source, parameter = chance.choice(back)
    inner = joined(told, source, chance, depth - 1)
    reach = {other for name in matching(told, source, inner) for other in refers(told, name, parameter)}
    return Criterion(f"_has:{source}:{parameter}:{inner.name}", inner.value, reach.__contains__)
