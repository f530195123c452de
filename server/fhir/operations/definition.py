"""The OperationDefinitions, read from `definitions/<id>.json`: what each operation is asked on, and its parameters.

Those that HL7 defines name HL7's in `base` and hold the parameters that are served here; names and types are HL7's (R4 4.0.1, CC0).
http://hl7.org/fhir/R4/operationdefinition.html
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from adapter.config import BASE
from adapter.fhir.resource import Raw, parse

SYSTEM = ""
"""In place of a type: the server itself."""


@dataclass(frozen=True)
class Parameter:
    """One row of a definition's `parameter` with use `in`."""

    name: str
    type: str | None
    """A FHIR data type or resource type; None where the parameter has parts."""
    required: bool
    repeats: bool
    parts: tuple["Parameter", ...] = ()


@dataclass(frozen=True)
class Definition:
    """An operation as its OperationDefinition describes it; `raw` is that resource."""

    raw: Raw
    parameters: MappingProxyType[str, Parameter]

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def code(self) -> str:
        return str(self.raw["code"])

    @property
    def url(self) -> str:
        return str(self.raw["url"])

    @property
    def writes(self) -> bool:
        """Whether it changes what is stored, so that GET cannot ask for it: http://hl7.org/fhir/R4/operations.html#executing"""
        return bool(self.raw["affectsState"])

    @property
    def listed(self) -> list[str]:
        """With which types a CapabilityStatement lists it: `Resource` for all, SYSTEM for none."""
        return [*([SYSTEM] if self.raw["system"] else []), *self.raw.get("resource", ())]

    @property
    def places(self) -> list[tuple[str | None, bool]]:
        """(type, SYSTEM, or None for any type; whether on an instance) of each place where it is asked."""
        types = [None if type == "Resource" else type for type in self.raw.get("resource", ())]
        on_types = [(type, level == "instance") for type in types for level in ("type", "instance") if self.raw[level]]
        return [*([(SYSTEM, False)] if self.raw["system"] else []), *on_types]


@cache
def definitions() -> MappingProxyType[str, Definition]:
    """All operations by the id of their OperationDefinition."""
    folder = resources.files("server.fhir.operations.definitions")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda file: file.name)
    return MappingProxyType({file.name.removesuffix(".json"): _definition(parse(file.read_bytes())) for file in files})


def _definition(body: Raw) -> Definition:
    raw = {"resourceType": "OperationDefinition", "id": body["id"], "url": f"{BASE}/OperationDefinition/{body['id']}", **body}
    taken = [_parameter(row) for row in raw.get("parameter", ()) if row["use"] == "in"]
    return Definition(raw, MappingProxyType({parameter.name: parameter for parameter in taken}))


def _parameter(row: Raw) -> Parameter:
    parts = tuple(map(_parameter, row.get("part", ())))
    return Parameter(row["name"], row.get("type"), row["min"] > 0, row["max"] == "*", parts)
