"""The measures, as data (`measures.json`) and as FHIR Measures. http://hl7.org/fhir/R4/measure.html"""

from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

import msgspec

from adapter.config import BASE
from adapter.errors import NotFound
from adapter.fhir.resource import Raw

VERSION, DATE = "1.0.0", "2026-11-22"
_THO = "http://terminology.hl7.org/CodeSystem"
_TITLES = {
    "initial-population": "Initial Population",
    "denominator": "Denominator",
    "numerator": "Numerator",
    "measure-population": "Measure Population",
    "measure-observation": "Measure Observation",
}


class GroupDefinition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a group counts, in words."""

    code: str
    initial: str
    denominator: str
    numerator: str


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measure."""

    id: str
    title: str
    row: str
    """Of the domain's catalogue."""
    scoring: Literal["proportion", "continuous-variable"]
    better: Literal["increase", "decrease"]
    description: str
    groups: tuple[GroupDefinition, ...]
    unit: str = ""
    """Of what is observed, in UCUM."""

    @property
    def url(self) -> str:
        return f"{BASE}/Measure/{self.id}"

    @property
    def populations(self) -> tuple[str, str, str]:
        """The codes of the three populations of each group."""
        proportion = self.scoring == "proportion"
        return (
            "initial-population",
            "denominator" if proportion else "measure-population",
            "numerator" if proportion else "measure-observation",
        )


@cache
def definitions() -> MappingProxyType[str, Definition]:
    """All measures by id."""
    text = resources.files("adapter.casework.measures").joinpath("measures.json").read_bytes()
    return MappingProxyType({each.id: each for each in msgspec.json.decode(text, type=tuple[Definition, ...])})


def definition(id: str) -> Definition:
    """The measure of that id, or canonical url. Raises NotFound."""
    found = definitions().get(id.partition("|")[0].removeprefix(f"{BASE}/Measure/"))
    if found is None:
        raise NotFound(f"There is no such measure; there are {', '.join(definitions())}.", expression=["measure"])
    return found


def population(code: str) -> Raw:
    """The concept of a kind of population."""
    return {"coding": [{"system": f"{_THO}/measure-population", "code": code, "display": _TITLES[code]}]}


def measure(found: Definition) -> Raw:
    """The measure as a FHIR Measure."""
    return {
        "resourceType": "Measure",
        "id": found.id,
        "url": found.url,
        "version": VERSION,
        "name": found.id.title().replace("-", ""),
        "title": found.title,
        "status": "active",
        "experimental": False,
        "date": DATE,
        "publisher": "casebridge",
        "description": f"{found.description} Row {found.row} of the domain's catalogue.",
        "scoring": {"coding": [{"system": f"{_THO}/measure-scoring", "code": found.scoring}]},
        "type": [{"coding": [{"system": f"{_THO}/measure-type", "code": "outcome"}]}],
        "improvementNotation": {"coding": [{"system": f"{_THO}/measure-improvement-notation", "code": found.better}]},
        "group": [_group(found, each) for each in found.groups],
    }


def _group(found: Definition, group: GroupDefinition) -> Raw:
    texts = zip(found.populations, (group.initial, group.denominator, group.numerator), strict=True)
    return {
        "code": {"text": group.code},
        "population": [
            {"code": population(code), "criteria": {"language": "text/plain", "expression": text, "description": text}}
            for code, text in texts
        ],
    }
