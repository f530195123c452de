"""Extraction by definition: a group, or the whole form, that says which resource it makes, and questions that say which element they fill.

http://hl7.org/fhir/uv/sdc/STU3/extraction.html#definition-based-extraction. Whose resource it is, where the form does not ask, is the
subject of the response.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from adapter.errors import NotSupported, RuleViolated
from adapter.fhir.resource import Raw
from adapter.fhir.structure import elements, model_of
from adapter.store.search_parameters import table
from server.fhir.operations.answered import SDC, Question, extension, items, slot, value

_CONTEXT = f"{SDC}/sdc-questionnaire-itemExtractionContext"
_ROOT = ""
"""Stands for the linkId of the whole form."""
_OWNERS = ("subject", "patient", "beneficiary")


def contexts(questionnaire: Raw, asked: dict[str, Question]) -> Iterator[tuple[str, str]]:
    """(linkId, resource type) of each place that makes a resource. Raises NotSupported for one that says so by a query."""
    places = {_ROOT: questionnaire} | {link_id: question.raw for link_id, question in asked.items()}
    for link_id, node in places.items():
        said = extension(node, _CONTEXT)
        if isinstance(said, dict):
            raise NotSupported("An extraction context is a resource type here; queries are not served.")
        if said is not None:
            if said not in table() or model_of(said) is None:
                raise RuleViolated("An extraction context names no resource type whose elements are known here.", code="extract-context")
            yield link_id, said


def extracted(raw: Raw, questionnaire: Raw, asked: dict[str, Question]) -> Iterator[Raw]:
    """The resources that the answers make, each with its id. Raises RuleViolated where a definition fits no element."""
    types = dict(contexts(questionnaire, asked))
    counts: Counter[str] = Counter()
    for link_id, node in _occurrences(raw, _ROOT):
        if link_id not in types:
            continue
        type, number = types[link_id], counts[link_id]
        counts[link_id] += 1
        made: Raw = {"resourceType": type}
        _fill(node, type, model_of(type), made, asked, types)
        made = _pruned(made)
        if len(made) > 1:
            yield {"resourceType": type, "id": slot(raw["id"], type, link_id, number), **_owner(type, made, raw), **made}


def _occurrences(node: Raw, link_id: str) -> Iterator[tuple[str, Raw]]:
    yield link_id, node
    for item in items(node):
        yield from _occurrences(item, str(item.get("linkId")))


def _owner(type: str, made: Raw, raw: Raw) -> Raw:
    known = elements(model_of(type))
    name = next((name for name in _OWNERS if name in known), None)
    return {name: raw["subject"]} if name and name not in made and "subject" in raw and not known[name].many else {}


def _fill(node: Raw, path: str, model: Any, scope: Raw, asked: dict[str, Question], types: dict[str, str]) -> None:
    """Fill `scope`, the part of a resource that is at `path`, from the items below a node of the response."""
    for item in items(node):
        if item.get("linkId") in types:
            continue
        question = asked.get(str(item.get("linkId")))
        target = str(question.raw.get("definition", "")).partition("#")[2] if question else ""
        inner, inner_path, inner_model = scope, path, model
        if target.startswith(f"{path}."):
            steps = target[len(path) + 1 :].split(".")
            if question and question.raw.get("type") == "group":
                inner, inner_model = _opened(scope, model, steps, new=True)
                inner_path = target
            else:
                for answer in item.get("answer", ()):
                    found = value(answer)
                    if found:
                        _put(scope, model, steps, *found)
        _fill(item, inner_path, inner_model, inner, asked, types)


def _pruned(value: Any) -> Any:
    """The value without the objects and lists that were opened and then filled with nothing."""
    if isinstance(value, dict):
        return {name: kept for name, item in value.items() if (kept := _pruned(item)) not in ({}, [])}
    return [kept for item in value if (kept := _pruned(item)) not in ({}, [])] if isinstance(value, list) else value


def _opened(scope: Raw, model: Any, steps: list[str], *, new: bool) -> tuple[Raw, Any]:
    """The object at the path, with its definition: the last of a list, or where `new` one more."""
    for place, name in enumerate(steps, start=1):
        element = elements(model).get(name) if model else None
        if element is None or element.model is None:
            raise _misfit()
        if element.many:
            several = scope.setdefault(name, [])
            if not several or (new and place == len(steps)):
                several.append({})
            scope = several[-1]
        else:
            scope = scope.setdefault(name, {})
        model = element.model
    return scope, model


def _put(scope: Raw, model: Any, steps: list[str], type: str, held: Any) -> None:
    scope, model = _opened(scope, model, steps[:-1], new=False)
    known = elements(model) if model else {}
    name = steps[-1].removesuffix("[x]")
    element = known.get(f"{name}{type}") if steps[-1].endswith("[x]") else known.get(name)
    if element is None and type == "Coding":
        element = known.get(f"{name}CodeableConcept")
    if element is None:
        raise _misfit()
    said = _converted(element.kind, type, held)
    if element.many:
        scope.setdefault(element.name, []).append(said)
    else:
        scope[element.name] = said


def _converted(kind: str, type: str, held: Any) -> Any:
    if kind == "CodeableConcept":
        return {"coding": [held]} if type == "Coding" else {"text": held}
    return held.get("code") if type == "Coding" and kind != "Coding" else held


def _misfit() -> RuleViolated:
    return RuleViolated("A question's definition fits no element of the resource that it is to fill.", code="extract-definition")
