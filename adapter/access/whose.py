"""Whose a resource is, as the search index keeps it: each patient, alone and joined with the sensitive categories it belongs to.

`Patient/x` and `Patient/x|hiv,mental-health`: the first finds all of a patient's, the second what has just these categories, none of them
behind the bar for what has none.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from adapter.access.sensitive import labels
from adapter.fhir.references import split
from adapter.fhir.resource import Raw

PATIENT = "Patient"
_BAR = "|"
# Whose record a resource belongs to is said by one of these. Who did or reported something is no owner of it: a mother who is a patient
# too and answers for her child.
_OWNERS = ("subject", "patient", "beneficiary", "for", "individual", "candidate")
# Types that can be about several patients, and where.
_SHARED: dict[str, tuple[str, ...]] = {
    "Account": ("subject",),
    "Appointment": ("participant", "actor"),
    "Group": ("member", "entity"),
    "Person": ("link", "target"),
    "Schedule": ("actor",),
}
_ONE = {"AppointmentResponse": "actor"}


def shared(type: str) -> bool:
    """Whether a resource of this type can belong to several patients: it is seen by who may see it of each of them."""
    return type in _SHARED


def owners(raw: Raw) -> list[str]:
    """The patients whose record the resource belongs to, as `Patient/x`; none where it says none, or not by a reference to one here."""
    type = raw.get("resourceType", "")
    if type == PATIENT:
        return [f"{PATIENT}/{raw['id']}"] if isinstance(raw.get("id"), str) else []
    if type in _SHARED:
        references = _at(raw, _SHARED[type])
    else:
        names = (_ONE[type],) if type in _ONE else _OWNERS
        # One owner and no more, whatever else it has that has no place in its type.
        said = (_patient(value) for name in names if isinstance(value := raw.get(name), dict))
        return [*islice(filter(None, said), 1)]
    return sorted({owner for reference in references if (owner := _patient(reference))})


def entries(raw: Raw) -> list[str]:
    """The entries of a resource; none where it is nobody's."""
    found = owners(raw)
    if not found:
        return []
    ending = _BAR + ",".join(sorted(labels(raw)))
    return [entry for owner in found for entry in (owner, owner + ending)]


def read(entries: Iterable[str]) -> dict[str, frozenset[str]]:
    """By owner, the categories that entries tell."""
    parted = (entry.partition(_BAR) for entry in entries)
    return {owner: frozenset(filter(None, told.split(","))) for owner, bar, told in parted if bar}


def entry(owner: str, categories: Iterable[str] | None) -> str:
    """The entry of what belongs to an owner and to just these categories; of all that is the owner's where None."""
    return owner if categories is None else f"{owner}{_BAR}{','.join(sorted(categories))}"


def followed(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The entries of an old version that is followed by one with others: it is as sensitive as both, and nobody's where the owner is
    another now."""
    before, after = read(old), read(new)
    if before.keys() != after.keys():
        return []
    return [found for owner, told in sorted(before.items()) for found in (owner, entry(owner, told | after[owner]))]


def _at(node: Any, path: Sequence[str]) -> Iterator[Raw]:
    if isinstance(node, list):
        for item in node:
            yield from _at(item, path)
    elif isinstance(node, dict):
        if path:
            yield from _at(node.get(path[0]), path[1:])
        else:
            yield node


def _patient(reference: Raw) -> str | None:
    text = reference.get("reference")
    found = split(text) if isinstance(text, str) else None
    return f"{PATIENT}/{found[1]}" if found and found[0] == PATIENT else None
