"""The search parameters of every type, one table: search, index and CapabilityStatement are made from it.

`search_parameters.json` holds, by type and parameter: the kind, the element paths, and for references the types they may point to (absent
where any), for composites the kind and paths of each part, for tokens of elements of type code the one system of the value set that
R4 requires of them. It is taken from HL7's R4 definitions (hl7.fhir.r4.core 4.0.1, CC0). A path is dotted element names, lists looked
through; `telecom[system=phone]` keeps the items with that value, `item[extension.url=…]` those with an extension, `subject:Patient` the
references to that type, and `deceased?` stands for "true where the element is there and not false, else false"; an empty path is the
resource itself. Types beyond care planning have `identifier` only, besides what is common to all.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from adapter.errors import NotFound


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the table. `kind` is FHIR's search parameter type, or `phonetic` for a string that is compared by its sound."""

    name: str
    kind: str
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ()
    """The types that a reference may point to; empty where any."""
    parts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of a composite: kind and paths of each part, from one of `paths`."""
    whole: tuple[str, ...] = ()
    """Of a composite of the resource itself: the parameters that have just its parts' paths, so that it needs no entries of its own."""
    system: str = ""
    """The system that the codes of a token's elements are implied to be of; none where the elements say it themselves."""

    @property
    def roots(self) -> tuple[str, ...]:
        """The paths whose elements have entries in the index."""
        return tuple(path for path in self.paths if path) if self.whole else self.paths

    @property
    def fhir_kind(self) -> str:
        return "string" if self.kind == "phonetic" else self.kind


# Their values are shared by so many resources that an index on them is no help.
COMMONPLACE = frozenset(
    ("_profile", "_security", "_source", "_tag", "active", "category", "class", "clinical-status", "deceased", "gender", "intent")
    + ("language", "lifecycle-status", "priority", "status", "verification-status")
)

# `_id` and `_lastUpdated` have no path: the document itself has them.
COMMON = (
    Parameter("_id", "token", ()),
    Parameter("_lastUpdated", "date", ()),
    Parameter("_profile", "uri", ("meta.profile",)),
    Parameter("_security", "token", ("meta.security",)),
    Parameter("_source", "uri", ("meta.source",)),
    Parameter("_tag", "token", ("meta.tag",)),
)


@cache
def table() -> MappingProxyType[str, MappingProxyType[str, Parameter]]:
    """The parameters by type and name. Its keys are all the R4 types that are stored."""
    rows = json.loads(resources.files("adapter.store").joinpath("search_parameters.json").read_text("utf-8"))
    return MappingProxyType({type: MappingProxyType(_rows(named)) for type, named in rows.items()})


def _rows(named: Mapping[str, Sequence[Any]]) -> dict[str, Parameter]:
    found = {parameter.name: parameter for parameter in COMMON} | {name: _row(name, *row) for name, row in named.items()}
    by_paths = {(row.kind, row.paths): row.name for row in found.values()}
    for name, row in found.items():
        if row.paths == ("",) and all(part in by_paths for part in row.parts):
            found[name] = replace(row, whole=tuple(by_paths[part] for part in row.parts))
    return found


def _row(name: str, kind: str, paths: list[str], more: Any = ()) -> Parameter:
    if kind == "composite":
        return Parameter(name, kind, tuple(paths), parts=tuple((kind, tuple(inner)) for kind, inner in more))
    if isinstance(more, str):
        return Parameter(name, kind, tuple(paths), system=more)
    return Parameter(name, kind, tuple(paths), tuple(more))


def parameters(type: str) -> MappingProxyType[str, Parameter]:
    """The search parameters of a type, by name. Raises NotFound for what is not an R4 resource type."""
    try:
        return table()[type]
    except KeyError:
        raise NotFound("There is no such resource type in FHIR R4.") from None
