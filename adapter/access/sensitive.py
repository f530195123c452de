"""Which sensitive categories a resource belongs to: by the codes in it, the instrument it answers, and its security labels.

`sensitive.json` holds the value sets with their sources and licences. A resource that only refers to a sensitive one, or says so in
narrative or free text alone, is not recognised: whoever writes such a text labels it (`meta.security`).
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from adapter.fhir.resource import Raw

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
RESTRICTED = "restricted"
"""What carries a label whose meaning is not known here belongs to it."""

_ICD10 = frozenset(("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10", "urn:oid:2.16.840.1.113883.6.90"))
_SYSTEMS = {
    "labels": ACT_CODE,
    "confidentiality": CONFIDENTIALITY,
    "loinc": "http://loinc.org",
    "snomed": "http://snomed.info/sct",
}
_NESTED = (dict, list)
_NONE: frozenset[str] = frozenset()


@cache
def _read() -> tuple[Raw, ...]:
    return tuple(json.loads(resources.files("adapter.access").joinpath("sensitive.json").read_text("utf-8"))["categories"])


@cache
def categories() -> MappingProxyType[str, str]:
    """The titles of all categories, by id."""
    return MappingProxyType({row["id"]: row["title"] for row in _read()})


@cache
def _by_code() -> MappingProxyType[tuple[str, str], frozenset[str]]:
    found: dict[tuple[str, str], frozenset[str]] = {}
    for row in _read():
        for name, system in _SYSTEMS.items():
            for code in row.get(name, ()):
                found[system, code] = found.get((system, code), _NONE) | {row["id"]}
    return MappingProxyType(found)


@cache
def _by_beginning() -> MappingProxyType[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for row in _read():
        for beginning in row.get("icd10", ()):
            found[beginning] = found.get(beginning, _NONE) | {row["id"]}
    return MappingProxyType(found)


@cache
def _by_questionnaire() -> MappingProxyType[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for row in _read():
        for id in row.get("questionnaires", ()):
            found[id] = found.get(id, _NONE) | {row["id"]}
    return MappingProxyType(found)


def of_label(coding: Raw) -> frozenset[str]:
    """The categories that a security label means; none where its meaning is not known here."""
    return _of_code(coding.get("system"), coding.get("code"))


def security(several: Iterable[Raw]) -> list[Raw]:
    """The security labels of what says all that these resources say: restricted, and one for each category that they belong to."""
    found = frozenset[str]().union(*map(labels, several))
    marks = [{"system": ACT_CODE, "code": row["labels"][0]} for row in _read() if row["id"] in found]
    return [{"system": CONFIDENTIALITY, "code": "R"}, *marks]


def labels(raw: Raw) -> frozenset[str]:
    """The categories that a resource belongs to."""
    found: set[str] = set()
    for coding in codings(raw):
        found |= _of_code(coding.get("system"), coding.get("code"))
    for coding in _security(raw):
        known = of_label(coding)
        if coding.get("system") == ACT_CODE and not known:
            found.add(RESTRICTED)
    if raw.get("confidentiality") in ("R", "V"):
        # A Composition has it as a plain code.
        found.add(RESTRICTED)
    if isinstance(canonical := raw.get("questionnaire"), str):
        found |= _by_questionnaire().get(canonical.partition("|")[0].rpartition("/")[2].removeprefix("screening-"), _NONE)
    return frozenset(found)


def codings(value: Any) -> Iterator[Raw]:
    """Every Coding in a resource, contained resources and extensions included."""
    if isinstance(value, dict):
        if isinstance(value.get("code"), str) and isinstance(value.get("system"), str):
            yield value
        for item in value.values():
            if isinstance(item, _NESTED):
                yield from codings(item)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, _NESTED):
                yield from codings(item)


def _security(raw: Raw) -> list[Raw]:
    meta = raw.get("meta")
    found = meta.get("security") if isinstance(meta, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _of_code(system: Any, code: Any) -> frozenset[str]:
    if not (isinstance(system, str) and isinstance(code, str)):
        return _NONE
    if system in _ICD10:
        return frozenset().union(*(found for end in range(1, len(code) + 1) if (found := _by_beginning().get(code[:end]))))
    return _by_code().get((system, code), _NONE)
