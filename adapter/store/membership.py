"""By which references a resource belongs to somebody's compartment.

`compartments.json` holds, by compartment and type, the search parameters that make a resource a member: HL7's definitions
(hl7.fhir.r4.core 4.0.1, CC0). http://hl7.org/fhir/R4/compartmentdefinition.html
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from adapter.store.search_parameters import table

COMPARTMENTS = ("Device", "Encounter", "Patient", "Practitioner", "RelatedPerson")


@cache
def members_by(code: str) -> MappingProxyType[str, tuple[str, ...]]:
    """By type, the parameters by which its resources are members of a compartment, as R4 has it: for asking others."""
    rows = json.loads(resources.files("adapter.store").joinpath("compartments.json").read_text("utf-8"))[code]
    return MappingProxyType({type: tuple(names) for type, names in rows.items()})


@cache
def compartment(code: str) -> MappingProxyType[str, tuple[str, ...]]:
    """By type, the parameters by which its resources are members of a compartment; only what the search table indexes."""
    named = {
        type: tuple(name for name in names if name in table()[type] and table()[type][name].kind == "reference")
        for type, names in members_by(code).items()
        if type in table()
    }
    return MappingProxyType({type: names for type, names in named.items() if names})


@cache
def record(code: str) -> MappingProxyType[str, tuple[str, ...]]:
    """The compartment and, for a patient, its devices: R4 puts them into none, but a record without the implants is not whole; and without
    AuditEvents, which R4 puts there: who read a record is no part of it."""
    found = dict(compartment(code))
    if code == "Patient":
        del found["AuditEvent"]
        found["Device"] = ("patient",)
    return MappingProxyType(found)


def outside(type: str, keys: Iterable[str], references: Mapping[str, list[Any]]) -> list[str]:
    """The owners of compartments that are among a resource's keys without its being a member, given its references by parameter."""
    inside = {reference for _, names in _owners(type) for name in names for reference in references.get(name, ())}
    return sorted(key for key in keys if key not in inside and any(key.startswith(lead) for lead, _ in _owners(type)))


@cache
def _owners(type: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((f"{code}/", record(code)[type]) for code in COMPARTMENTS if type in record(code))
