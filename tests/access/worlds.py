"""Random worlds of people, payers, staff, covers, consents and care, as plain descriptions; `tests.access.resources` makes FHIR of them.

A world has a reader, and items: each of a type, with its states one after the other, and deleted or not. `tests.access.rule` says from it,
slowly and without the code under test, what the reader may see. World `number` of a `seed` is the same whenever it is made.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

World = dict[str, Any]
Item = dict[str, Any]
State = dict[str, Any]

TODAY = 22
"""The day in April 2025 on which everything is asked, from noon in UTC."""
EVER = [-1000, 1000]
PEOPLE = ("p", "q", "r")
PAYERS, STAFF = ("ins", "other"), ("noor", "sam")
CARE = ("CarePlan", "Condition", "Goal", "Observation")
THINGS = (*CARE, "Appointment", "Encounter", "Group", "List", "Task")
SHARED = ("Appointment", "Group")
"""What can be about several people."""
SECRETS = ("hiv", "mental-health", "substance-use")
CODES = ("x", "y")
OPEN = ("Organization", "Practitioner")
"""The types that are nobody's and seen by everybody."""
# Chance alone makes worlds in which hardly anything is to be seen, and proves little: most is about one person, to whom the reader is tied.
_MOSTLY = ("p", "p", "p", "q", "r")


def _policy(title: str, *ties: str, types: Sequence[str], views: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    seen = {type: {} for type in types} | (views or {})
    return {"title": title, "ties": ties, "types": seen, "open": OPEN, "by_target": ["Provenance"], **more}


_SOME = (*CARE, "Appointment", "Coverage", "List", "Patient", "Task")
_VIEWS: dict[str, dict[str, Any]] = {
    "whole": {},
    "category": {"Observation": {"category": ["shown"]}},
    "withheld": {"Observation": {"withheld": ["performer"]}, "Patient": {"withheld": ["birthDate"]}},
    "both": {"Observation": {"category": ["shown"], "withheld": ["performer"]}, "Patient": {"withheld": ["birthDate"]}},
}
POLICIES: dict[str, dict[str, Any]] = {
    f"payer-{consent}-{view}-{len(sensitive)}": _policy(
        *("A payer", "payor"),
        **{
            "kind": "payer",
            "consent": consent,
            "sensitive": sensitive,
            "types": _SOME,
            "views": views,
            "writes": CARE,
            "by_characteristic": ["Group"],
        },
    )
    for consent in ("opt-in", "opt-out")
    for view, views in [*_VIEWS.items()][:3]
    for sensitive in ([], ["hiv"], ["hiv", "mental-health"])
} | {
    "manager": _policy("Manages cases", "manager", "member", types="*", consent="not-asked", sensitive=["*"], writes=["*"]),
    "manager-shown": _policy(
        *("Manages cases, and is not told all", "manager", "member"),
        **{"types": "*", "views": _VIEWS["both"], "consent": "not-asked", "sensitive": ["*"], "writes": ["*"]},
    ),
    "treating": _policy("Treats", "member", types="*", consent="opt-out", sensitive=["hiv"], writes=["*"]),
    "receiving": _policy("Receives", "recipient", types=_SOME, kind="payer", consent="opt-in", by_characteristic=["Group"]),
    "whole": _policy("Sees all of some people", types="*", consent="not-asked", sensitive=["*"]),
    "supporting": _policy("Supports", "member", "manager", types=(*_SOME, "EpisodeOfCare"), kind="support", consent="opt-in"),
}
"""The policies of readers, by the name of the role, as a site writes them; `whole` is for `tests.access.shadow`."""
_WORKERS = ("manager", "supporting", "treating")
"""Those who are staff, and so may work on cases; every other of their worlds is asked so, too."""
_READERS = ("payer", "payer", "payer", "manager", "manager", "treating", "supporting", "receiving")
_PURPOSES = {
    "payer": ("HPAYMT", "COVERAGE"),
    "manager": ("CAREMGT",),
    "treating": ("TREAT", "COC"),
    "supporting": ("COC",),
    "receiving": ("COVERAGE",),
}


def world(seed: int, number: int) -> World:
    """The description of a world."""
    chance = Random(f"{seed} {number}")
    kind = chance.choice(_READERS)
    ties = _ties(chance, kind)
    cases = [tie["id"] for tie in ties if tie["type"] == "EpisodeOfCare"]
    things = [_thing(chance, place) for place in range(chance.randint(4, 7))]
    for thing in things:
        thing["case"] = chance.choice((None, *cases))
        others = [other["id"] for other in things if other is not thing]
        thing["links"] = chance.sample(others, chance.randint(0, 2))
    made = {
        "policy": chance.choice([name for name in POLICIES if name.startswith(kind)]),
        "purpose": chance.choice(_PURPOSES[kind]),
        "reader": "ins" if kind in ("payer", "receiving") else "noor",
        "team": ["sam"] if kind == "manager" and chance.random() < 0.4 else [],
        "glass": chance.choice((*[None] * 4, *PEOPLE)),
        "offered": chance.choice((*[None] * 12, *PEOPLE)),
        "worked": kind in _WORKERS and chance.random() < 0.5,
    }
    people = [_item("Patient", name, [_state([name])]) for name in PEOPLE]
    items = [*people, *ties, *_several(chance, "Consent", "k", 3, lambda: _consent(chance, things)), *things]
    return {**made, "items": items, "withheld": {}, "told": [_told(chance, f"v{place}", items) for place in range(chance.randint(0, 2))]}


def consented(seed: int, number: int) -> tuple[list[State], State, str]:
    """Some Consents, and something of care with its type that they may be about."""
    chance = Random(f"{seed} {number} consented")
    thing = _thing(chance, 0)
    several = [_consent(chance, [thing]) for _ in range(chance.randint(1, 4))]
    return several, thing["states"][-1], str(thing["type"])


def _item(type: str, id: str, states: list[State], *, deleted: bool = False) -> Item:
    return {"type": type, "id": id, "states": states, "deleted": deleted, "links": [], "case": None}


def _state(patients: list[str], **more: Any) -> State:
    return {"patients": patients, "secrets": [], "labelled": False, "codes": [], "time": EVER, "day": TODAY, "category": False, **more}


def _several(chance: Random, type: str, lead: str, most: int, made: Callable[[], State]) -> list[Item]:
    """Up to so many items of a type, some of which were something else before, or are there no more."""
    return [
        _item(type, f"{lead}{place}", [made() for _ in range(chance.choice((1, 1, 1, 2)))], deleted=chance.random() < 0.1)
        for place in range(chance.randint(0, most))
    ]


def _ties(chance: Random, kind: str) -> list[Item]:
    """What ties people to payers and staff: mostly the one person to the reader."""
    items = _several(chance, "Coverage", "c", 3, lambda: _coverage(chance))
    items += _several(chance, "EpisodeOfCare", "e", 2, lambda: _case(chance))
    items += _several(chance, "CareTeam", "g", 2, lambda: _team(chance))
    if chance.random() < 0.85:
        made = {
            "payer": ("Coverage", _state(["p"], payers=["ins"], status="active", period=None)),
            "receiving": ("Consent", _agreed("p", {"actor": "ins", "word": "permit"})),
            "manager": ("EpisodeOfCare", _state(["p"], manager="noor", status="active", period=None)),
        }
        member = ("CareTeam", _state(["p"], members=[{"who": "noor", "period": None}], status="active", period=None))
        type, state = made.get(kind, member)
        items.append(_item(type, "tie", [state]))
    if kind in _WORKERS[1:]:
        items.append(_item("EpisodeOfCare", "case", [_state(["p"], manager=chance.choice(STAFF), status="active", period=None)]))
    return items


def _span(chance: Random) -> list[int]:
    return chance.choice((sorted((chance.randint(18, 26), chance.randint(18, 26))), [TODAY - 3, TODAY + 3], [TODAY - 9, TODAY - 5]))


def _perhaps(chance: Random) -> list[int] | None:
    return _span(chance) if chance.random() < 0.5 else None


def _coverage(chance: Random) -> State:
    payers = chance.choice((["ins"], ["other"], ["ins", "other"]))
    status = chance.choice(("active", "active", "active", "cancelled"))
    return _state([chance.choice(PEOPLE)], payers=payers, status=status, period=_perhaps(chance))


def _case(chance: Random) -> State:
    status, period = chance.choice(("active", "planned", "finished", "cancelled")), _perhaps(chance)
    return _state([chance.choice(_MOSTLY)], manager=chance.choice(STAFF), status=status, period=period, time=period or EVER)


def _team(chance: Random) -> State:
    members = [{"who": who, "period": _perhaps(chance)} for who in chance.sample(STAFF, chance.randint(1, 2))]
    status, period = chance.choice(("active", "proposed", None, "inactive")), _perhaps(chance)
    return _state([chance.choice(_MOSTLY)], members=members, status=status, period=period, time=period or EVER)


def _consent(chance: Random, things: list[Item]) -> State:
    return _agreed(
        *(chance.choice(_MOSTLY), _rule(chance, things, 2, root=True)),
        status=chance.choice(("active", "active", "active", "inactive")),
        towards=chance.choice((None, None, "payer", "support")),
        base=chance.choice((None, "permit", "deny")),
    )


def _agreed(patient: str, rule: dict[str, Any], **more: Any) -> State:
    return _state(
        [patient],
        **{"status": "active", "towards": None, "base": None, "rule": rule, **more},
        # A Consent is as sensitive as what it speaks of, and its codes are those that it names.
        secrets=sorted({label for each in nested(rule) for label in each.get("labels", ())}),
        codes=sorted({each["code"] for each in nested(rule) if "code" in each}),
    )


def nested(rule: dict[str, Any]) -> list[dict[str, Any]]:
    """A provision and all those inside of it."""
    return [rule, *(found for inner in rule.get("rules", ()) for found in nested(inner))]


def _rule(chance: Random, things: list[Item], depth: int, *, root: bool) -> dict[str, Any]:
    ways: dict[str, Callable[[], Any]] = {
        "period": lambda: _span(chance),
        "actor": lambda: chance.choice((*PAYERS, *STAFF, "ins", "noor")),
        "custodian": lambda: chance.choice(("us", "elsewhere")),
        "purpose": lambda: chance.choice(("HPAYMT", "TREAT", "COVERAGE", "HOPERAT")),
        "action": lambda: chance.choice(("disclose", "access", "collect")),
        "types": lambda: chance.sample((*CARE, *CARE, "Coverage", "List", "Patient"), chance.randint(1, 3)),
        "labels": lambda: chance.sample(SECRETS, chance.randint(1, 3)),
        "code": lambda: chance.choice(CODES),
        "instance": lambda: _name(chance.choice(things)),
        "dates": lambda: _span(chance),
        "unclear": lambda: True,
    }
    if depth:
        ways["rules"] = lambda: [_rule(chance, things, depth - 1, root=False) for _ in range(chance.randint(1, 2))]
    found = {name: ways[name]() for name in chance.sample([*ways], chance.choice((0, 1, 1, 2)))}
    return found if root and chance.random() < 0.5 else found | {"word": chance.choice(("permit", "deny"))}


def _thing(chance: Random, place: int) -> Item:
    """Something of care."""
    type = chance.choice((*CARE, *THINGS, "Task"))
    states = [_care(chance, type) for _ in range(chance.choice((1, 1, 2, 3)))]
    return _item(type, f"t{place}", states, deleted=chance.random() < 0.2)


def _care(chance: Random, type: str) -> State:
    day = chance.randint(18, 26)
    # A condition and a goal last; of when a list, a group or a task is about care nothing is said.
    time = [day, EVER[1]] if type in ("Condition", "Goal") else EVER if type in ("Group", "List", "Task") else [day, day]
    patients = list(dict.fromkeys(chance.choices(_MOSTLY, k=chance.randint(1, 2))))
    secrets = chance.sample(SECRETS, chance.choice((0, 0, 0, 1, 2)))
    marks: dict[str, Any] = {"whose": chance.choice((None, *PAYERS, "ins"))} if type == "Group" else {}
    marks |= {"owner": chance.choice((None, *STAFF, "noor"))} if type == "Task" else {}
    marks |= {"labelled": chance.random() < 0.5, "codes": [chance.choice(CODES)], "category": chance.random() < 0.5}
    return _state(patients, secrets=secrets, time=time, day=day, **marks)


def _told(chance: Random, id: str, items: list[Item]) -> dict[str, Any]:
    """A Provenance of one or two of the items."""
    return {"id": id, "targets": sorted(map(_name, chance.sample(items, chance.randint(1, 2))))}


def _name(item: Item) -> str:
    return f"{item['type']}/{item['id']}"
