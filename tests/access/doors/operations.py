"""Operations: a patient's and a case's everything, the last observations, tags, traces of a case, who a member is."""

from random import Random

from .. import resources, worlds
from ..criteria import matching, withheld
from ..stage import Told

_NOT_THERE = 404
_OUTSIDE = ("Organization", "Practitioner")


def ask(told: Told, chance: Random) -> None:
    """Each of them, of some items."""
    _everything(told, chance)
    _case(told, chance)
    _last(told, chance)
    _tags(told, chance)
    _member(told, chance)


def _everything(told: Told, chance: Random) -> None:
    patient = chance.choice(worlds.PEOPLE)
    path = f"{told.local(f'Patient/{patient}')}/$everything"
    if f"Patient/{patient}" not in told.seen:
        told.same(_NOT_THERE, told.get(path).status, path)
        return
    found = told.found(f"{path}?_count={chance.choice((1, 3, 100))}")
    own = {name for name in told.seen if name in told.items and told.seen[name]["patients"][:1] == [patient]}
    told.same(set(), {name for name in found - told.seen.keys() if not name.startswith(_OUTSIDE)}, path)
    # A task is in no compartment, and who is in a Group need not be told.
    outside = ("Task/", "Group/") if withheld(told, "Group", "member") else ("Task/",)
    told.same(set(), {name for name in own - found if not name.startswith(outside)}, f"{path} lacks")


def _case(told: Told, chance: Random) -> None:
    for name in [name for name in told.items if name.startswith("EpisodeOfCare/")]:
        path = f"{told.local(name)}/$everything"
        expected = 200 if name in told.seen else 410 if (name, len(told.items[name]["states"]) + 1) in told.versions else _NOT_THERE
        told.same(expected, told.get(path).status, path)
        if expected == 200:
            told.same(set(), {found for found in told.found(path) - told.seen.keys() if not found.startswith(_OUTSIDE)}, path)
        if expected == _NOT_THERE:
            element = told.local(chance.choice([*told.items]))
            traced, unknown = (told.get(f"{told.local(each)}/$case-trace?element={element}") for each in (name, "EpisodeOfCare/none"))
            told.same((unknown.status, unknown.text), (traced.status, traced.text), f"{name} $case-trace")


def _last(told: Told, chance: Random) -> None:
    patient, code = chance.choice(worlds.PEOPLE), chance.choice(worlds.CODES)
    found = {
        name for name in matching(told, "Observation") if told.seen[name]["patients"][0] == patient and code in told.seen[name]["codes"]
    }
    path = f"Observation/$lastn?patient={told.lead}{patient}&code={resources.CODED}|{code}&max=9"
    told.same(found, told.found(path), path)


def _tags(told: Told, chance: Random) -> None:
    for name in chance.sample([*told.items], 3):
        item, path = told.items[name], f"{told.local(name)}/$meta"
        gone = (name, len(item["states"]) + 1) in told.versions
        told.same(200 if name in told.seen else 410 if gone else _NOT_THERE, told.get(path).status, path)


def _member(told: Told, chance: Random) -> None:
    """A member is found by an identifier of a patient or of a coverage that may be seen, and only a patient who may be seen."""
    patient, coverage = chance.choice(worlds.PEOPLE), f"c{chance.randint(0, 2)}"
    by_coverage = chance.random() < 0.5
    wanted = {
        "resourceType": "Patient",
        **{"name": [{"family": "Kanarifugl", "given": [patient]}], "birthDate": "1980-01-01"},
        "identifier": [{"system": resources.SYSTEM, "value": "nobody" if by_coverage else f"{told.lead}{patient}"}],
    }
    covered = {
        "resourceType": "Coverage",
        **{"status": "active", "beneficiary": {"reference": "Patient/1"}, "payor": [{"display": "somebody"}]},
        "identifier": [{"system": resources.SYSTEM, "value": f"{told.lead}{coverage}" if by_coverage else "none"}],
    }
    given = [{"name": "MemberPatient", "resource": wanted}, {"name": "CoverageToMatch", "resource": covered}]
    answer = told.post("Patient/$member-match", {"resourceType": "Parameters", "parameter": given})
    held = told.seen.get(f"Coverage/{coverage}")
    there = f"Patient/{patient}" in told.seen and not withheld(told, "Patient", "birthDate")
    fits = there and (not by_coverage or (held is not None and held["patients"] == [patient]))
    told.same(200 if fits else 422, answer.status, f"$member-match {patient} {coverage if by_coverage else ''}")
    if fits:
        [found] = [each for each in answer.body["parameter"] if each["name"] == "MemberId"]
        told.same(told.local(f"Patient/{patient}"), found["valueReference"]["reference"], "$member-match")
