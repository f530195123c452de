"""The code systems of our own and a value set of each, made from the code tables that the mappings read and write by."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, get_args

from adapter.access.policy import policies
from adapter.access.reasons import BASES, RULES
from adapter.audit.codes import DETAILS, INTERACTIONS
from adapter.audit.event import INTERACTION
from adapter.care import data
from adapter.care.blood_pressure import Category
from adapter.care.instrument import load, names
from adapter.care.questionnaire import SYSTEMS, questionnaire
from adapter.cases.workflow import TRANSITIONS
from adapter.config import CS, EXT, SYNTHETIC_TAG
from adapter.fhir.elements import parse_path
from adapter.fhir.resource import Raw
from adapter.ig.canonical import canonical, url_of
from adapter.mapping.derived import DERIVED_TAG
from adapter.mapping.document import rows
from adapter.mapping.readings import CODINGS
from adapter.mapping.registry import MAPPINGS
from adapter.mapping.rules import Row
from adapter.mapping.task import KINDS

# What was done is named by whoever does it; only the transitions of a case are a closed list.
_ACTIVITY = "activity"
_INTERACTION = INTERACTION.rpartition("/")[2]
# What is done by operations, routes and pages is named by those.
_OPEN = frozenset({_ACTIVITY, _INTERACTION})


@cache
def code_systems() -> MappingProxyType[str, Raw]:
    """By url, each code system of ours, with its codes: all of them, unless it says that it is a fragment. http://hl7.org/fhir/R4/codesystem.html"""
    return MappingProxyType({f"{CS}/{id}": _code_system(id, codes) for id, codes in sorted(_codes().items())})


@cache
def value_sets() -> MappingProxyType[str, Raw]:
    """By url, a value set of all codes for each code system of ours. http://hl7.org/fhir/R4/valueset.html"""
    return MappingProxyType({url_of("ValueSet", system["id"]): _value_set(system) for system in code_systems().values()})


def _codes() -> dict[str, dict[str, list[str]]]:
    """By the id of the code system: its codes, with what they say; an instrument may say it in words of its own."""
    found: dict[str, dict[str, list[str]]] = {}
    for mapping in MAPPINGS:
        for row in rows(mapping):
            name = _system_of(row)
            if name and row.codes:
                found.setdefault(name, {}).update({code: [word.replace("_", " ")] for code, word in row.codes.pairs.items()})
        for constant in mapping.const.get("extension", ()):  # type: ignore[attr-defined]
            name = next(row.codes.name for each in MAPPINGS for row in rows(each) if row.codes and f"={constant['url']}]." in row.path)
            found.setdefault(name, {}).setdefault(constant["valueCode"], [constant["valueCode"].replace("-", " ")])
    for coding in _codings([MAPPINGS, SYNTHETIC_TAG, DERIVED_TAG, *CODINGS, KINDS, *_instruments(), *_evaluations(), *_transitions()]):
        says = found.setdefault(coding["system"].rpartition("/")[2], {}).setdefault(coding["code"], [])
        display = coding.get("display") or coding["code"].replace("-", " ").replace("_", " ")
        if display not in says and ("display" in coding or not says):
            says.append(display)
    return found | {id: {code: [text] for code, text in codes.items()} for id, codes in _accounts().items()}


def _accounts() -> dict[str, Mapping[str, str]]:
    """The codes by which it is told who saw what, why they might, and what was withheld."""
    roles = {name: policy.title for name, policy in policies(None).items()}
    return {_INTERACTION: INTERACTIONS, "audit-detail": DETAILS, "role": roles, "disclosure-basis": BASES, "withholding-rule": RULES}


def _instruments() -> Iterator[Raw]:
    """The codings of instruments: those of their questionnaires, and of the scores that they come to."""
    for name in names():
        found = load(name)
        yield questionnaire(name)
        scores = {found.total: f"{found.title}: score"} | {part.code: f"{found.title}: {part.name}" for part in found.scoring.subtotals}
        yield from ({"system": SYSTEMS[found.system], "code": code, "display": display} for code, display in scores.items() if code)


def _evaluations() -> Iterator[Raw]:
    """The codings of what a risk evaluation says beside the mapped codes: categories of blood pressure, and its policy."""
    for category in get_args(Category):
        yield {"system": f"{CS}/bp-category", "code": category.replace("_", "-")}
    for policy in data.names("policies"):
        words, _, version = policy.rpartition("_")
        title = f"{words.replace('_', ' ').capitalize()} policy {version}"
        yield {"system": f"{CS}/risk-policy", "code": policy.replace("_", "-"), "display": title}


def _transitions() -> Iterator[Raw]:
    """The codings of a case's transitions, which Provenance says were carried out."""
    for transition in TRANSITIONS:
        yield {"system": f"{CS}/{_ACTIVITY}", "code": transition.id, "display": transition.trigger}


def _system_of(row: Row) -> str:
    """The id of the code system of ours that a coded row's codes are of, `` where R4 or another publisher defines them."""
    coding = next((str(step.values[0]) for step in parse_path(row.path)[-2:] if step.name == "coding" and step.values), None)
    if coding is not None:
        return coding.removeprefix(f"{CS}/") if coding.startswith(f"{CS}/") else ""
    own = f"extension[url={EXT}/" in row.path or ".answer.valueCoding." in row.path
    return row.codes.name if own and row.codes else ""


def _codings(value: Any) -> Iterator[Raw]:
    """The codings of code systems of ours, wherever they stand in constants."""
    if isinstance(value, dict):
        if str(value.get("system", "")).startswith(f"{CS}/") and "code" in value:
            yield value
        yield from _codings(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _codings(item)
    elif is_dataclass(value):
        yield from _codings([getattr(value, each.name) for each in fields(value)])


def _code_system(id: str, codes: dict[str, list[str]]) -> Raw:
    whole = {"content": "fragment"} if id in _OPEN else {"content": "complete", "count": len(codes)}
    return {
        **canonical("CodeSystem", id, f"Codes of case management: {id.replace('-', ' ')}."),
        "caseSensitive": True,
        "valueSet": url_of("ValueSet", id),
        **whole,
        "concept": [_concept(code, *says) for code, says in sorted(codes.items())],
    }


def _concept(code: str, display: str, *further: str) -> Raw:
    said = {"designation": [{"language": "en", "value": each} for each in further]} if further else {}
    return {"code": code, "display": display} | said


def _value_set(system: Raw) -> Raw:
    return {
        **canonical("ValueSet", system["id"], f"All codes of the code system {system['id']}."),
        "compose": {"include": [{"system": system["url"]}]},
    }
