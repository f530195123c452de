"""`CodeSystem/$lookup`, `ValueSet/$expand` and `ConceptMap/$translate`, for the resources that are held here.

http://hl7.org/fhir/R4/terminology-service.html. Code systems of other publishers are not part of casebridge: store them to ask about them.
"""

import uuid
from collections.abc import Iterator
from typing import Any

from adapter.clock import instant
from adapter.errors import Invalid, NotFound
from adapter.fhir.resource import Raw, check_structure, dumps
from adapter.store.values import folded
from server.fhir.messages import Answer
from server.fhir.operations import held
from server.fhir.operations.call import Call, parameters
from server.fhir.operations.concepts import Concept, concepts, expanded

Code = tuple[str | None, str]
"""(system, code)"""
_NO_MATCH = ("unmatched", "disjoint")


def lookup(call: Call) -> Answer:
    """What a code means: http://hl7.org/fhir/R4/codesystem-operation-lookup.html. Raises NotFound."""
    inputs = call.inputs
    [(system, code), *more] = [*_asked(call)] or [(None, "")]
    if more or not system:
        raise Invalid("$lookup needs code and system, or one coding with both.", expression=["code", "system"])
    version = inputs.one("version") or (inputs.one("coding") or {}).get("version")
    code_system = held.get(call.repository, "CodeSystem", system, version)
    known = list(concepts(code_system))
    found = next((concept for concept in known if concept.code == code), None)
    if found is None:
        raise NotFound("The code system that is held here does not have this code.")
    head: list[tuple[str, str, Any]] = [("name", "valueString", code_system.get("name", system))]
    if "version" in code_system:
        head.append(("version", "valueString", code_system["version"]))
    head.append(("display", "valueString", found.raw.get("display", code)))
    wanted = inputs.all("property")
    parts = [
        *(
            ("designation", _parts(item, ("language", "Code"), ("use", "Coding"), ("value", "String")))
            for item in found.raw.get("designation", ())
        ),
        *(("property", item) for name, item in _properties(found, known) if not wanted or name in wanted),
    ]
    return parameters(*head, *((name, "part", items) for name, items in parts))


def expand(call: Call) -> Answer:
    """The value set with its expansion: http://hl7.org/fhir/R4/valueset-operation-expand.html. Raises NotFound, NotSupported."""
    inputs = call.inputs
    value_set = _resource(call, "ValueSet", "valueSet", "url", "valueSetVersion")
    found = expanded(call.repository, value_set)
    needle = folded(inputs.one("filter") or "")
    kept = [concept for concept in found if needle in folded(concept.raw.get("display", "")) or needle in folded(concept.code)]
    offset, count = inputs.one("offset") or 0, inputs.one("count")
    if offset < 0 or (count is not None and count < 0):
        raise Invalid("offset and count are not negative.", expression=["offset", "count"])
    page = kept[offset:] if count is None else kept[offset : offset + count]
    shown = [concept.contains(designations=bool(inputs.one("includeDesignations"))) for concept in page]
    given = [("filter", "valueString"), ("offset", "valueInteger"), ("count", "valueInteger")]
    used = [{"name": name, key: inputs.one(name)} for name, key in given if inputs.one(name) is not None]
    expansion: Raw = {
        "identifier": f"urn:uuid:{uuid.uuid4()}",
        "timestamp": instant(call.repository.clock()),
        "total": len(kept),
        "offset": offset,
        **({"parameter": used} if used else {}),
        **({"contains": shown} if shown else {}),
    }
    return Answer(200, dumps({**{name: value for name, value in value_set.items() if name != "compose"}, "expansion": expansion}))


def translate(call: Call) -> Answer:
    """What a code is elsewhere: http://hl7.org/fhir/R4/conceptmap-operation-translate.html. No match is an answer, not an error."""
    inputs = call.inputs
    codes = [*_asked(call)]
    if not codes:
        raise Invalid("$translate needs code and system, coding or codeableConcept.", expression=["code"])
    backward = bool(inputs.one("reverse"))
    matches = [match for map in _maps(call, codes, backward) for match in _matches(map, codes, backward, inputs.one("targetsystem"))]
    result = any(match[0]["valueCode"] not in _NO_MATCH for match in matches)
    note = [] if matches else [("message", "valueString", "No map that is held here has this code.")]
    return parameters(("result", "valueBoolean", result), *note, *(("match", "part", match) for match in matches))


def _asked(call: Call) -> Iterator[Code]:
    """The codes that a call is about, however it says them."""
    inputs = call.inputs
    if inputs.one("code"):
        yield inputs.one("system"), inputs.one("code")
    codings = [*inputs.all("coding"), *(coding for concept in inputs.all("codeableConcept") for coding in concept.get("coding", ()))]
    yield from ((coding.get("system"), coding["code"]) for coding in codings if "code" in coding)


def _resource(call: Call, type: str, given: str, url: str, version: str) -> Raw:
    """The resource that a call is about: the instance, the one sent along, or the one of a url."""
    inputs = call.inputs
    if call.id is not None:
        return call.repository.read(type, call.id).raw
    if inputs.one(given):
        found: Raw = inputs.one(given)
        check_structure(found)
        return found
    if not inputs.one(url):
        raise Invalid(f"This needs the parameter {url} or {given}.", expression=[url])
    return held.get(call.repository, type, inputs.one(url), inputs.one(version))


def _properties(concept: Concept, known: list[Concept]) -> Iterator[tuple[str, list[Raw]]]:
    for item in concept.raw.get("property", ()):
        key = next((name for name in item if name.startswith("value")), None)
        if key:
            yield item["code"], [{"name": "code", "valueCode": item["code"]}, {"name": "value", key: item[key]}]
    near = [("parent", code) for code in concept.above[-1:]]
    near += [("child", other.code) for other in known if other.above[-1:] == (concept.code,)]
    for name, code in near:
        yield name, [{"name": "code", "valueCode": name}, {"name": "value", "valueCode": code}]


def _parts(item: Raw, *names: tuple[str, str]) -> list[Raw]:
    return [{"name": name, f"value{type}": item[name]} for name, type in names if name in item]


def _maps(call: Call, codes: list[Code], backward: bool) -> list[Raw]:
    if call.id is not None or call.inputs.one("conceptMap") or call.inputs.one("url"):
        return [_resource(call, "ConceptMap", "conceptMap", "url", "conceptMapVersion")]
    systems = {system for system, _ in codes if system}
    if not systems:
        raise Invalid("Without a map, $translate needs the system of the code.", expression=["system"])
    name = "target-system" if backward else "source-system"
    return [map for system in sorted(systems) for map in held.every(call.repository, "ConceptMap", [(name, system)])]


def _matches(map: Raw, codes: list[Code], backward: bool, target: str | None) -> Iterator[list[Raw]]:
    source = [{"name": "source", "valueUri": map["url"]}] if "url" in map else []
    for group in map.get("group", ()):
        near, far = (group.get("target"), group.get("source")) if backward else (group.get("source"), group.get("target"))
        wanted = [code for system, code in codes if system in (None, near)]
        if not wanted or target not in (None, far):
            continue
        for equivalence, concept in _backward(group, wanted) if backward else _forward(group, wanted):
            coding = {name: value for name, value in (("system", far), *concept) if value is not None}
            said = [{"name": "concept", "valueCoding": coding}] if "code" in coding else []
            yield [{"name": "equivalence", "valueCode": equivalence}, *said, *source]


_Pair = tuple[str, list[tuple[str, str | None]]]


def _forward(group: Raw, wanted: list[str]) -> Iterator[_Pair]:
    elements = {element.get("code"): element for element in group.get("element", ())}
    unmapped = group.get("unmapped", {})
    for code in wanted:
        if code in elements:
            for target in elements[code].get("target", ()):
                yield target.get("equivalence", "relatedto"), [("code", target.get("code")), ("display", target.get("display"))]
        elif unmapped.get("mode") == "provided":
            yield "equal", [("code", code)]
        elif unmapped.get("mode") == "fixed":
            yield "wider", [("code", unmapped.get("code")), ("display", unmapped.get("display"))]


# Read from the target's side, what was wider is narrower.
_TURNED = {"wider": "narrower", "narrower": "wider", "subsumes": "specializes", "specializes": "subsumes"}


def _turned(equivalence: str) -> str:
    return _TURNED.get(equivalence, equivalence)


def _backward(group: Raw, wanted: list[str]) -> Iterator[_Pair]:
    for element in group.get("element", ()):
        for target in element.get("target", ()):
            if target.get("code") in wanted:
                equivalence = _turned(target.get("equivalence", "relatedto"))
                yield equivalence, [("code", element.get("code")), ("display", element.get("display"))]
