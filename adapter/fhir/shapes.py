"""`_summary` and `_elements`: a resource with a part of its elements, marked as SUBSETTED. http://hl7.org/fhir/R4/search.html#summary

Which elements are in a summary, and which must be there, is read off the models that check structure.
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any

from adapter.errors import Invalid
from adapter.fhir.resource import Raw, dumps, parse
from adapter.fhir.structure import elements, model_of

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
# R4 asks for them whatever is chosen; `implicitRules` changes what all others mean.
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules"})
_KEPT = frozenset({"resourceType", "id", "modifierExtension"})

Shape = Callable[[str], str]
"""From a resource's text to that of a part of it."""


def shape(params: Sequence[tuple[str, str]]) -> Shape | None:
    """What `_summary` or `_elements` does to each resource that matches; None where they ask for all of it. Raises Invalid."""
    chosen = {name: value for name, value in params if name in ("_summary", "_elements") and value}
    elements, summary = chosen.get("_elements"), chosen.get("_summary", "false")
    if elements is not None and summary not in ("false", "count"):
        raise Invalid("_elements and _summary exclude each other.", expression=["_elements"])
    if elements is not None:
        return _elements([name.strip() for name in elements.split(",")])
    return {"true": _summary, "text": _text, "data": _data}.get(summary)


def _elements(names: Sequence[str]) -> Shape:
    def shaped(text: str) -> str:
        raw = parse(text)
        type = raw["resourceType"]
        wanted = {name.removeprefix(f"{type}.").partition(".")[0] for name in names if "." not in name or name.startswith(f"{type}.")}
        return _told(_only(raw, wanted | _required(type)))

    return shaped


def _summary(text: str) -> str:
    raw = parse(text)
    model = model_of(raw["resourceType"])
    return _told(_summarised(raw, model)) if model else text


def _text(text: str) -> str:
    raw = parse(text)
    return _told(_only(raw, {"text"} | _required(raw["resourceType"])))


def _data(text: str) -> str:
    raw = parse(text)
    return _told({name: value for name, value in raw.items() if name != "text"})


def _only(raw: Raw, names: AbstractSet[str]) -> Raw:
    kept = _ALWAYS | _KEPT
    return {name: value for name, value in raw.items() if name in kept or name.lstrip("_") in names}


def _summarised(raw: Raw, model: Any) -> Raw:
    """The object with those elements that R4 marks for summaries; data types are whole, parts of the resource are summaries too."""
    known = elements(model)
    found = {}
    for name, value in raw.items():
        element = known.get(name.lstrip("_"))
        if name in _KEPT or (element is not None and element.summary):
            found[name] = _part(value, element.model) if element is not None and _is_part(element.model) else value
    return found


def _part(value: Any, model: Any) -> Any:
    if isinstance(value, list):
        return [_part(item, model) for item in value]
    return _summarised(value, model) if isinstance(value, dict) else value


def _is_part(model: Any) -> bool:
    return model is not None and any(base.__name__ == "BackboneElement" for base in model.__mro__)


def _told(raw: Raw) -> str:
    meta = raw.get("meta") or {}
    tags = [tag for tag in meta.get("tag") or () if tag.get("code") != SUBSETTED["code"]]
    return dumps({**raw, "meta": {**meta, "tag": [*tags, SUBSETTED]}})


@cache
def _required(type: str) -> frozenset[str]:
    """The elements that must be there; of a choice, those of each type."""
    return frozenset(name for name, element in elements(model_of(type)).items() if element.required) if model_of(type) else frozenset()
