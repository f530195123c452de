"""What R4 says of an element: its JSON names, its type, whether it is a list. From the models of fhir.resources, read once per type.

fhir.resources has R4B models, not R4; they agree on every type that casebridge maps. http://hl7.org/fhir/R4/json.html
"""

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any, get_args, get_origin

from adapter.errors import Invalid
from adapter.fhir.resource import UNLIKE_R4, Raw


@dataclass(frozen=True, slots=True)
class Element:
    """One element as its parent's definition has it. `name` is the JSON name, such as `valueQuantity`."""

    name: str
    kind: str
    """FHIR's primitive type with a capital (`Uri`, `Canonical`, `Bool`), or the complex type's name."""
    many: bool
    choice: str | None = None
    """`value` for `valueQuantity`."""
    model: Any = None
    """The definition of its parts, None for a primitive."""
    summary: bool = False
    """Whether `_summary=true` shows it."""
    required: bool = False
    codes: frozenset[str] = frozenset()
    """All the codes that it may have, where R4 requires them and the definition lists them whole; else none."""


def model_of(type: str) -> Any:
    """R4's definition of a resource type; None where there is none."""
    if type in UNLIKE_R4:
        return None
    try:
        return getattr(importlib.import_module(f"fhir.resources.R4B.{type.lower()}"), type)
    except (ModuleNotFoundError, AttributeError):
        return None


def is_modelled(type: str) -> bool:
    """Whether there is a definition of a resource type. It is not read for that: those of all types together take 2 seconds and 60 MB."""
    return type not in UNLIKE_R4 and importlib.util.find_spec(f"fhir.resources.R4B.{type.lower()}") is not None


@cache
def elements(model: Any) -> Mapping[str, Element]:
    """The elements of a definition by JSON name."""
    found = {}
    for field in model.model_fields.values():
        extra = field.json_schema_extra or {}
        if extra.get("element_property") or field.alias in ("id", "extension", "modifierExtension", "url"):
            required = bool(field.is_required() or extra.get("element_required") or extra.get("one_of_many_required"))
            element = _element(field.alias, field.annotation, extra.get("one_of_many"))
            listed = extra.get("enum_values") or ()
            # A list that is cut short in the definition ends in "+". Whole ones were right for 923 of HL7's R4 examples and profiles.
            codes = frozenset(listed) if element.kind == "Code" and "+" not in listed else frozenset()
            summary = bool(extra.get("summary_element_property"))
            found[field.alias] = replace(element, summary=summary, required=required, codes=codes)
    return MappingProxyType(found)


def parts(model: Any, value: Raw) -> Mapping[str, Element]:
    """The elements that an object may have: a contained resource says itself what it is."""
    type = value.get("resourceType")
    found = model_of(type) if isinstance(type, str) and type.isalpha() else model
    return elements(found) if found is not None else {}


def check_codes(raw: Raw) -> None:
    """Raise Invalid, naming element paths only, where a code is not of the value set that R4 requires. http://hl7.org/fhir/R4/terminologies.html#required

    Only where the definition lists the codes itself: most required bindings, and no extensible ones.
    """
    wrong = [*_wrong_codes(raw, None, raw["resourceType"])]
    if wrong:
        raise Invalid(f"Not a valid {raw['resourceType']}: a code that R4 does not have at {', '.join(wrong[:5])}", expression=wrong)


def _wrong_codes(value: Raw, model: Any, path: str) -> Iterator[str]:
    known = parts(model, value)
    for name, item in value.items():
        element = known.get(name)
        if element is None or not (element.codes or element.model):
            continue
        for part in item if isinstance(item, list) else (item,):
            if element.codes:
                if isinstance(part, str) and part not in element.codes:
                    yield f"{path}.{name}"
            elif isinstance(part, dict):
                yield from _wrong_codes(part, element.model, f"{path}.{name}")


def _element(name: str, annotation: Any, choice: str | None) -> Element:
    # What must be there is not Optional: a list's own argument is not to be taken for what is in an Optional.
    inner = annotation
    if get_origin(annotation) is not list:
        inner = next((part for part in get_args(annotation) if part is not type(None)), annotation)
    many = get_origin(inner) is list
    if many:
        inner = next(part for part in get_args(inner) if part is not type(None))
        # A list of primitives may hold nulls: Optional again.
        inner = next((part for part in get_args(inner) if part is not type(None)), inner) if not hasattr(inner, "__metadata__") else inner
    if hasattr(inner, "get_model_klass"):
        model = inner.get_model_klass()
        return Element(name, model.__name__, many, choice, model)
    metadata = getattr(inner, "__metadata__", ())
    return Element(name, type(metadata[0]).__name__ if metadata else inner.__name__.capitalize(), many, choice)
