"""The packet of a member: the plans that may be seen, what they lead to and what was done about them, step by step in the description."""

import json
from collections.abc import Set
from random import Random
from typing import Any

from adapter.sync.edge import own_id

from .. import resources, rule, worlds
from ..stage import Answered, Told

_NOBODY = 422
_WORK = ("Encounter", "Observation", "Task")
# What is told of a Group depends on who else may be seen: other doors ask it.
_APART = ("Group/", "Organization/", "Practitioner/")


def ask(told: Told, chance: Random) -> None:
    """A packet of one person, named by reference."""
    person = chance.choice(worlds.PEOPLE)
    form = chance.choice(("searchset", "searchset", "ndjson", "transaction"))
    given = [{"name": "patient", "valueReference": {"reference": told.local(f"Patient/{person}")}}, {"name": "form", "valueCode": form}]
    answer = told.post("$payer-packet", {"resourceType": "Parameters", "parameter": given})
    there = f"Patient/{person}" in told.seen
    told.same(200 if there else _NOBODY, answer.status, f"$payer-packet {person}")
    if there:
        found = {told.name_of(raw) for raw in _resources(answer, form)}
        found = {name for name in found if compared(told, name)}
        told.same(held(told, person, told.seen.keys()), found, f"$payer-packet {person} as {form}")


def _resources(answer: Answered, form: str) -> list[dict[str, Any]]:
    """What a packet holds, with the ids that it has here."""
    if form == "ndjson":
        return [json.loads(line) for line in answer.text.splitlines()[1:]]
    [bundle] = [each["resource"] for each in answer.body["parameter"] if each["name"] == "packet"]
    raws = [entry["resource"] for entry in bundle["entry"]]
    return [{**raw, "id": own_id(raw)} for raw in raws] if form == "transaction" else raws


def compared(told: Told, name: str) -> bool:
    """Whether the description says enough of it."""
    groups = [name] if not name.startswith("Provenance/") else _targets(told, name)
    return not name.startswith(_APART) and not any(each.startswith(_APART) for each in groups)


def held(told: Told, person: str, visible: Set[str]) -> set[str]:
    """What the packet of a person would hold if just this could be seen."""
    own = {name for name in visible if name in told.items and _own(told, name, person)}
    plans = {name for name in own if name.startswith("CarePlan/") and in_cover(told, name, person)}
    reached = _followed(told, {f"Patient/{person}"} | plans | {name for name in own if _covers(told, name)}, own)
    near = (plans | {to for name in plans for to in _led(told, name)}) & reached - {f"Patient/{person}"}
    work = {name for name in own if name.startswith(_WORK) and near & _led(told, name) and in_cover(told, name, person)}
    reached = _followed(told, reached | work, own)
    about = {f"Provenance/{each['id']}" for each in told.world["told"] if {*each["targets"]} <= own and {*each["targets"]} & reached}
    return {name for name in reached | (about & visible) if compared(told, name)}


def in_cover(told: Told, name: str, person: str) -> bool:
    """Whether something is about care in the time in which the reader, if it is a payer, covers the person."""
    covers = [
        item["states"][-1]
        for each, item in told.items.items()
        if each.startswith("Coverage/") and not item["deleted"] and _own(told, each, person)
    ]
    spans = [each["period"] or worlds.EVER for each in covers if each["status"] == "active" and told.world["reader"] in each["payers"]]
    if "payor" not in told.policy["ties"] or person == told.world["glass"] or not spans:
        return True
    low, high = told.items[name]["states"][-1]["time"]
    return any(low <= end and high >= start for start, end in spans)


def _covers(told: Told, name: str) -> bool:
    """Whether it is a coverage by the reader, in force today."""
    state = told.items[name]["states"][-1]
    if not name.startswith("Coverage/") or state["status"] != "active" or told.world["reader"] not in state["payers"]:
        return False
    start, end = state["period"] or worlds.EVER
    return start <= worlds.TODAY <= end


def _followed(told: Told, roots: set[str], own: Set[str]) -> set[str]:
    found: set[str] = set()
    while roots:
        found |= roots
        roots = {to for name in roots for to in _led(told, name)} & own - found
    return found


def _led(told: Told, name: str) -> set[str]:
    return {to for _, _, to in resources.linked(told.world, told.items[name])}


def _own(told: Told, name: str, person: str) -> bool:
    item = told.items[name]
    return rule.owners_of(item["type"], item["states"][-1]) == {person}


def _targets(told: Told, name: str) -> list[str]:
    [found] = [each["targets"] for each in told.world["told"] if f"Provenance/{each['id']}" == name]
    return [*found]
