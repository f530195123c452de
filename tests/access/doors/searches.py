"""Search in all its forms: of a type, of a compartment, of several types; by address, form, batch and transaction; pages and counts."""

from collections.abc import Sequence
from random import Random

from .. import worlds
from ..criteria import CODE, NO_COMPARTMENT, TYPES, criterion, matching, member, withheld
from ..stage import Told

_SHAPES = (
    "",
    "_count=1",
    "_count=2&_sort=_id",
    "_count=1&_sort=-_id",
    "_count=2&_sort=-_lastUpdated",
    "_count=3&_sort=_lastUpdated&_total=accurate",
    "_elements=id",
    "_summary=true",
    "_summary=text&_count=2",
    "_summary=data",
)
_WAYS = ("GET", "GET", "GET", "form", "batch", "transaction")


def ask(told: Told, chance: Random) -> None:
    """Some types, a compartment, and several types at once."""
    for type in (*chance.sample(TYPES, 2), *chance.sample(worlds.CARE, 2)):
        _one(told, type, chance)
    _compartment(told, chance)
    _by_withheld(told, chance)
    _several(told, chance.sample(("CarePlan", "Condition", "Observation", "Patient"), 2), chance)


def _one(told: Told, type: str, chance: Random) -> None:
    wanted = criterion(told, type, chance)
    expected = matching(told, type, wanted)
    shapes = [*_SHAPES, f"_sort={CODE[type]}&_count=2"] if type in CODE else _SHAPES
    path, way = f"{type}?{wanted}&{chance.choice(shapes)}", chance.choice(_WAYS)
    told.same(expected, told.found(path, way), f"{way} {path}")
    count = f"{type}?{wanted}&{chance.choice(('_summary=count', '_count=0', '_count=1&_total=accurate'))}"
    told.same(len(expected), told.page(chance.choice(_WAYS), count)["total"], count)


def _compartment(told: Told, chance: Random) -> None:
    type = chance.choice([each for each in TYPES if each not in NO_COMPARTMENT])
    patient, wanted = chance.choice(worlds.PEOPLE), criterion(told, type, chance)
    path = f"{told.local(f'Patient/{patient}')}/{type}?{wanted}&{chance.choice(_SHAPES)}"
    expected = {name for name in matching(told, type, wanted) if member(told, name, patient)}
    told.same(expected, told.found(path, chance.choice(("GET", "form", "batch"))), path)


def _by_withheld(told: Told, chance: Random) -> None:
    """By an element that is withheld nothing is found, however it is asked for."""
    person = told.local(f"Patient/{chance.choice(worlds.PEOPLE)}")
    asked = {
        ("Observation", "performer"): (f"Observation?performer={person}", "Observation?performer:missing=false"),
        ("Patient", "birthDate"): ("Patient?birthdate=1980-01-01", "Patient?birthdate:missing=false"),
        ("Group", "member"): (f"Group?member={person}", "Group?member:missing=false", f"{person}/Group"),
    }
    for (type, element), paths in asked.items():
        if withheld(told, type, element):
            path = chance.choice(paths)
            told.same(set(), told.found(path), path)


def _several(told: Told, types: Sequence[str], chance: Random) -> None:
    expected = {name for type in types for name in matching(told, type)}
    shape = chance.choice(("_count=2", "_count=1&_sort=-_lastUpdated", "_count=2&_sort=_id", "_count=50"))
    path = f"?_type={','.join(types)}&_lastUpdated=gt2020-01-01&{shape}"
    told.same(expected, told.found(path, chance.choice(("GET", "form"))), path)
    counted = f"?_type={types[0]}&_summary=count"
    told.same(len(matching(told, types[0])), told.page("GET", counted)["total"], counted)
