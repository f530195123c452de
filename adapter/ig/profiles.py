"""A profile for each face of a record: what casebridge reads and writes of a resource. http://hl7.org/fhir/R4/profiling.html

It is as open as the mapping is: what it does not name is kept as it was sent.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from adapter.config import EXT
from adapter.fhir.elements import Step, parse_path
from adapter.fhir.resource import Raw
from adapter.fhir.structure import Element, elements, model_of
from adapter.ig.canonical import canonical, url_of
from adapter.ig.places import Extension, extensions, field_of
from adapter.mapping.document import rows
from adapter.mapping.registry import MAPPINGS
from adapter.mapping.table import Mapping as Face

_CORE = "http://hl7.org/fhir/StructureDefinition"


def profiles() -> list[Raw]:
    """A StructureDefinition for each face of each concept."""
    return [_profile(face) for face in MAPPINGS]


def profile_url(face: Face) -> str:
    """The canonical url of a mapping's profile."""
    return url_of("StructureDefinition", _id(face))


def _id(face: Face) -> str:
    return f"{face.concept.replace('_', '-')}-{face.type.lower()}"


def _profile(face: Face) -> Raw:
    words = face.concept.replace("_", " ").capitalize()
    return {
        **canonical("StructureDefinition", _id(face), f"{words}, a concept of case management, as {face.type}.", title=words),
        "fhirVersion": "4.0.1",
        "kind": "resource",
        "abstract": False,
        "type": face.type,
        "baseDefinition": f"{_CORE}/{face.type}",
        "derivation": "constraint",
        "differential": {"element": [{"id": face.type, "path": face.type}, *_elements(face)]},
    }


def _elements(face: Face) -> Iterator[Raw]:
    """What is mapped, in the order of the base definition: our extensions as slices, of all else the elements of the first level."""
    model = model_of(face.type)
    known = elements(model)
    least: dict[str, int] = {}
    table = [*rows(face)]
    told = Counter(row.attr for row in table)
    for row in table:
        steps = parse_path(row.path)
        if steps and not row.attr.startswith("("):
            attr, kept = field_of(face.concept, row.attr)
            # What several elements say together, such as a status and an extension that refines it, none of them must say.
            demanded = kept is not None and kept.required and "." not in attr and told[row.attr] == 1
            name = _name(steps[0], known)
            demanded = demanded or (steps[0].name in known and known[steps[0].name].required)
            least[name] = max(int(demanded), least.get(name, 0))
    for name in dict.fromkeys(_name(Step(name), known) for name in model.elements_sequence()):
        if name == "extension":
            own = [each for each in extensions().values() if f"{EXT}/{each.name}" in least and face.type in each.contexts]
            yield from (_slice(face.type, each, least[f"{EXT}/{each.name}"]) for each in own)
        elif name in least:
            yield {"id": f"{face.type}.{name}", "path": f"{face.type}.{name}", "min": least[name], "mustSupport": True}


def _name(step: Step, known: Mapping[str, Element]) -> str:
    """What the first step of a path is about: an element of the base definition, `value[x]` for all of a choice, or an extension's url."""
    if step.name == "extension" and step.values:
        return str(step.values[0])
    choice = known[step.name].choice if step.name in known else step.name if step.probe == ("x",) else None
    return f"{choice}[x]" if choice else step.name


def _slice(type: str, extension: Extension, least: int) -> Raw:
    return {
        "id": f"{type}.extension:{extension.name}",
        "path": f"{type}.extension",
        "sliceName": extension.name,
        "min": least,
        "max": "*" if extension.many else "1",
        "type": [{"code": "Extension", "profile": [url_of("StructureDefinition", extension.name)]}],
        "mustSupport": True,
    }
