"""Which diseases a client's Conditions show, by published groupings of codes, read from `groupings/<id>.json`.

A disease is found by a code, never excluded by the want of one: what is not coded here, a person has to know.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapter.care import data
from adapter.care.data import Data, Named
from adapter.errors import NotFound

_FOLDER = "groupings"

Records = Mapping[str, Mapping[str, Any]]
"""The fields of records by reference, as adapter/cases names them."""

ICD10 = ("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10")
SNOMED = "http://snomed.info/sct"
_NOT_THERE = ("unconfirmed", "provisional", "differential", "refuted", "entered_in_error")
_OVER = ("inactive", "remission", "resolved")
_ICD = re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?")


class Source(Data, frozen=True, kw_only=True):
    """Where a part of the codes is from."""

    what: str
    source: str
    licence: str


class Group(Data, frozen=True, kw_only=True):
    """A disease: the codes that say it, and what they build on them. `icd10` has categories, and ranges of them as `I60-I69`."""

    code: str
    past: bool = False
    """It counts after it is over, too: an infarction once had."""
    icd10: tuple[str, ...] = ()
    snomed: dict[str, str] = {}
    """Names by concept id."""
    groups: tuple[str, ...] = ()
    """Groups of the base grouping whose codes say it as well."""

    def __post_init__(self) -> None:
        ends = [end for entry in self.icd10 for end in entry.split("-")]
        if not all(map(_ICD.fullmatch, ends)) or any(len(first) != len(last) or first >= last for first, last in _ranges(self)):
            raise ValueError("a category of ICD-10 is written like I25.2, and a range like I60-I69")
        if not all(concept.isdigit() for concept in self.snomed):
            raise ValueError("a concept id of SNOMED CT has digits only")


class Grouping(Named, frozen=True, kw_only=True):
    """Diseases, as the answers of an instrument's item."""

    version: str
    title: str
    instrument: str | None = None
    item: str | None = None
    base: str | None = None
    sources: tuple[Source, ...]
    groups: tuple[Group, ...]


def _ranges(group: Group) -> list[tuple[str, str]]:
    return [(first, last) for first, dash, last in (entry.partition("-") for entry in group.icd10) if dash]


def names() -> tuple[str, ...]:
    """The ids of all groupings, in alphabetical order."""
    return data.names(_FOLDER)


def grouping(name: str) -> Grouping:
    """The grouping of that id. Raises NotFound, and Invalid, naming file and path, for a file that breaks the rules above."""
    if name not in names():
        raise NotFound("There is no grouping of codes of that name.")
    return data.read(_FOLDER, name, Grouping)


def present(name: str, conditions: Records) -> dict[str, tuple[str, ...]]:
    """By disease of the grouping, in its order, the references of the conditions that show it.

    Conditions that are not certain or were an error do not count, and those that are over only where the disease counts for good.
    """
    found = grouping(name)
    base = {group.code: group for group in grouping(found.base).groups} if found.base else {}
    shown = {group.code: _showing(group, base, conditions) for group in found.groups}
    return {code: references for code, references in shown.items() if references}


def _showing(group: Group, base: Mapping[str, Group], conditions: Records) -> tuple[str, ...]:
    alike = [group, *(base[name] for name in group.groups)]
    return tuple(
        reference
        for reference, condition in conditions.items()
        if condition.get("verification_status") not in _NOT_THERE
        and any((each.past or condition.get("clinical_status") not in _OVER) and _says(each, codings(condition)) for each in alike)
    )


def codings(fields: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    """The codes of a record's `code`, its translations among them."""
    code = fields.get("code", {})
    return [code, *code.get("translations", ())]


def _says(group: Group, codes: Sequence[Mapping[str, str]]) -> bool:
    return any(
        code.get("code") in group.snomed
        if code.get("system") == SNOMED
        else code.get("system") in ICD10 and _within(group, code.get("code", ""))
        for code in codes
    )


def _within(group: Group, code: str) -> bool:
    """Whether an ICD-10 code is in one of the categories, or below it: I60-I69 has I63.9, and I25.2 is in I25 but not in I25.5."""
    return any(first <= code[: len(first)] <= (last or first) for first, _, last in (entry.partition("-") for entry in group.icd10))
