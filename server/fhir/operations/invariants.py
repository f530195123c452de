"""Rules of R4 that no data type can express, for the types of care planning: one row each, by its key in the specification.

http://hl7.org/fhir/R4/conformance-rules.html#constraints. Rules about the vocabulary of other publishers and about narratives are not here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from adapter.fhir.dates import span
from adapter.fhir.resource import Raw

_DONE_CONDITION = ("inactive", "resolved", "remission")
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


@dataclass(frozen=True)
class Invariant:
    """`holds` is asked of each element at `path`; a dot goes one element down, lists are looked through, "" is the resource."""

    key: str
    type: str
    path: str
    holds: Callable[[Raw], bool]
    text: str


def broken(raw: Raw) -> Iterator[tuple[Invariant, str]]:
    """The rules that a resource of sound structure breaks, each with the path of an element that breaks it."""
    type = str(raw["resourceType"])
    for row in INVARIANTS:
        if row.type == type:
            for path, node in _at(raw, type, [step for step in row.path.split(".") if step]):
                if not row.holds(node):
                    yield row, path
    for path, node in _everywhere(raw, type):
        if not _period(node):
            yield PERIOD, path


def _at(node: Any, path: str, steps: list[str]) -> Iterator[tuple[str, Raw]]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _at(item, f"{path}[{index}]", steps)
    elif isinstance(node, dict):
        if not steps:
            yield path, node
        elif steps[0] in node:
            yield from _at(node[steps[0]], f"{path}.{steps[0]}", steps[1:])


def _everywhere(node: Any, path: str) -> Iterator[tuple[str, Raw]]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _everywhere(item, f"{path}[{index}]")
    elif isinstance(node, dict):
        yield path, node
        for name, value in node.items():
            yield from _everywhere(value, f"{path}.{name}")


def _has(node: Raw, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in node)


def _coded(concept: Any, system: str) -> set[str]:
    codings = concept.get("coding", []) if isinstance(concept, dict) else []
    return {coding.get("code", "") for coding in codings if coding.get("system") == system}


def _period(node: Raw) -> bool:
    if not isinstance(node.get("start"), str) or not isinstance(node.get("end"), str):
        return True
    start, end = span(node["start"]), span(node["end"])
    return start is None or end is None or start[0] < end[1]


def _same_code(node: Raw) -> bool:
    """Whether no component says the code of the observation itself, where that has a value."""
    own = {(c.get("system"), c.get("code")) for c in node["code"].get("coding", [])}
    inner = {(c.get("system"), c.get("code")) for part in node.get("component", []) for c in part["code"].get("coding", [])}
    return not (_has(node, "value") and own & inner)


def _first(bundle: Raw) -> str | None:
    """The type of the first resource of a Bundle."""
    return next((str(entry.get("resource", {}).get("resourceType")) for entry in bundle.get("entry", ())), None)


PERIOD = Invariant("per-1", "Period", "", _period, "A period does not end before it starts.")

INVARIANTS = (
    Invariant(
        "pat-1",
        "Patient",
        "contact",
        lambda node: any(name in node for name in ("name", "telecom", "address", "organization")),
        "A contact says at least a name, a way to reach it, an address or an organization.",
    ),
    Invariant(
        "app-2",
        "Appointment",
        "",
        lambda node: ("start" in node) == ("end" in node),
        "An appointment has a start and an end, or neither.",
    ),
    Invariant(
        "app-3",
        "Appointment",
        "",
        lambda node: ("start" in node and "end" in node) or node["status"] in ("proposed", "cancelled", "waitlist"),
        "Only a proposed, cancelled or waiting appointment may lack its start and end.",
    ),
    Invariant(
        "app-4",
        "Appointment",
        "",
        lambda node: "cancelationReason" not in node or node["status"] in ("cancelled", "noshow"),
        "Only an appointment that did not take place has a reason for that.",
    ),
    Invariant(
        "bdl-9",
        "Bundle",
        "",
        lambda node: node["type"] != "document" or node.get("identifier", {}).keys() >= {"system", "value"},
        "A document has an identifier with a system and a value.",
    ),
    Invariant("bdl-10", "Bundle", "", lambda node: node["type"] != "document" or "timestamp" in node, "A document has a date."),
    Invariant(
        "bdl-11",
        "Bundle",
        "",
        lambda node: node["type"] != "document" or _first(node) == "Composition",
        "The first resource of a document is its Composition.",
    ),
    Invariant(
        "bdl-12",
        "Bundle",
        "",
        lambda node: node["type"] != "message" or _first(node) == "MessageHeader",
        "The first resource of a message is its MessageHeader.",
    ),
    Invariant(
        "cpl-3",
        "CarePlan",
        "activity",
        lambda node: "detail" not in node or "reference" not in node,
        "An activity has its detail or a reference to it, not both.",
    ),
    Invariant(
        "con-4",
        "Condition",
        "",
        lambda node: not _has(node, "abatement") or bool(_coded(node.get("clinicalStatus"), _CLINICAL) & {*_DONE_CONDITION}),
        "A condition that has abated is inactive, resolved or in remission.",
    ),
    Invariant(
        "con-5",
        "Condition",
        "",
        lambda node: "clinicalStatus" not in node or "entered-in-error" not in _coded(node.get("verificationStatus"), _VERIFICATION),
        "A condition that was entered in error has no clinical status.",
    ),
    Invariant(
        "gol-1",
        "Goal",
        "target",
        lambda node: not _has(node, "detail") or "measure" in node,
        "A target with a detail says what is measured.",
    ),
    Invariant(
        "obs-6",
        "Observation",
        "",
        lambda node: "dataAbsentReason" not in node or not _has(node, "value"),
        "An observation with a value has no reason for its absence.",
    ),
    Invariant("obs-7", "Observation", "", _same_code, "A component does not repeat the code of an observation that has a value itself."),
    Invariant(
        "qrs-1",
        "QuestionnaireResponse",
        "item",
        lambda node: "answer" not in node or "item" not in node,
        "An item has answers, with items nested in these, or items; not both.",
    ),
    Invariant(
        "inv-1",
        "Task",
        "",
        lambda node: _period({"start": node.get("authoredOn"), "end": node.get("lastModified")}),
        "A task is not modified before it is authored.",
    ),
)
