"""Our extensions as StructureDefinitions: http://hl7.org/fhir/R4/defining-extensions.html"""

from collections.abc import Iterator

from adapter.fhir.resource import Raw
from adapter.ig.canonical import canonical, url_of
from adapter.ig.places import Extension, extensions

_CORE = "http://hl7.org/fhir/StructureDefinition"


def extension_definitions() -> list[Raw]:
    """A StructureDefinition for each of our extensions, with where it may stand, how often, and what is in it."""
    return [_definition(extension) for extension in extensions().values()]


def _definition(extension: Extension) -> Raw:
    head = canonical("StructureDefinition", extension.name, extension.description)
    root = {
        "id": "Extension",
        "path": "Extension",
        "short": head["title"],
        "definition": extension.description,
        "min": 0,
        "max": "*" if extension.many else "1",
    }
    return {
        **head,
        "fhirVersion": "4.0.1",
        "kind": "complex-type",
        "abstract": False,
        "context": [{"type": "element", "expression": context} for context in sorted(extension.contexts)],
        "type": "Extension",
        "baseDefinition": f"{_CORE}/Extension",
        "derivation": "constraint",
        "differential": {"element": [root, *_inside(extension, "Extension", "Extension", head["url"], extension.contexts)]},
    }


def _inside(extension: Extension, id: str, path: str, url: str, contexts: dict[str, None]) -> Iterator[Raw]:
    """The elements of an extension below its root, in the order of the base definition: extension, url, value."""
    if extension.parts:
        yield {
            "id": f"{id}.extension",
            "path": f"{path}.extension",
            "min": sum(_least(part, contexts) for part in extension.parts.values()),
        }
        for name, part in extension.parts.items():
            slice = {"id": f"{id}.extension:{name}", "path": f"{path}.extension", "sliceName": name}
            yield slice | {
                "short": name,
                "definition": part.description,
                "min": _least(part, contexts),
                "max": "*" if part.many else "1",
            }
            yield from _inside(part, slice["id"], slice["path"], name, contexts)
    else:
        yield {"id": f"{id}.extension", "path": f"{path}.extension", "max": "0"}
    yield {"id": f"{id}.url", "path": f"{path}.url", "fixedUri": url}
    value = {"id": f"{id}.value[x]", "path": f"{path}.value[x]"}
    yield value | ({"max": "0"} if extension.parts else {"min": 1, "type": [_type(extension)]} | _binding(extension))


def _least(part: Extension, contexts: dict[str, None]) -> int:
    """1 for a part that every use of the extension must have."""
    return int(part.required == set(contexts))


def _type(extension: Extension) -> Raw:
    targets = [f"{_CORE}/{target}" for target in sorted(extension.targets)]
    return {"code": extension.type, **({"targetProfile": targets} if targets else {})}


def _binding(extension: Extension) -> Raw:
    if not extension.codes:
        return {}
    return {"binding": {"strength": "required", "valueSet": url_of("ValueSet", extension.codes)}}
