"""Who decides about an element that both sides changed: the mapping's word, and the remote's settings over it.

A setting names an element by its type and path, `CarePlan.title` or `Patient.name[official].family`: what is in brackets is what tells a
list's item from its siblings, without them all items are meant. The closest setting counts; where there is none, a person decides.
"""

import re
from collections.abc import Mapping

from adapter.fhir.resource import Raw
from adapter.fhir.structure import elements, is_modelled, model_of
from adapter.mapping.merge import OWNERS
from adapter.mapping.registry import mapping_for

_KEY = re.compile(r"\[(?!x\]).*?\](?=\.|\[|$)")


def owners(settings: Mapping[str, str], raw: Raw) -> dict[str, str]:
    """Who decides about which elements of this resource, by path: one of `adapter.mapping.merge.OWNERS`."""
    mapping, own = mapping_for(raw), f"{raw.get('resourceType')}."
    ruled = mapping.owners if mapping else {}
    return {**ruled, **{path.removeprefix(own): owner for path, owner in settings.items() if path.startswith(own)}}


def check_owners(settings: Mapping[str, str]) -> str:
    """What the setting must be, where it is not; empty where it is."""
    for path, owner in settings.items():
        if owner not in OWNERS:
            return f"give each element one of {', '.join(OWNERS)}"
        if not _is_element(path):
            return f"name elements of R4 types, such as CarePlan.title; {_KEY.sub('[…]', path)} is none"
    return ""


def _is_element(path: str) -> bool:
    type, *names = _KEY.sub("", path).split(".")
    if not (type.isalpha() and names and is_modelled(type)):
        return False
    model = model_of(type)
    for name in names:
        known = elements(model) if model else {}
        bare = name.removesuffix("[x]")
        found = known.get(name) or next((each for each in known.values() if each.choice == bare), None)
        if found is None:
            return False
        model = None if name != found.name else found.model
    return True
