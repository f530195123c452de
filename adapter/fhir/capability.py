"""What a remote can do, read from its CapabilityStatement. It knows FHIR's interactions and nothing of cases.

http://hl7.org/fhir/R4/capabilitystatement.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapter.errors import RemoteFatal
from adapter.fhir.resource import Raw


@dataclass(frozen=True)
class TypeCapability:
    """What a remote says of one resource type."""

    interactions: frozenset[str]
    search_params: frozenset[str]
    conditional_create: bool


_NOTHING = TypeCapability(frozenset(), frozenset(), False)


@dataclass(frozen=True)
class Capability:
    """What a remote says of itself. `system` holds its system-level interactions, such as `transaction` and `history-system`."""

    fhir_version: str
    software: str
    types: Mapping[str, TypeCapability]
    system: frozenset[str]

    @staticmethod
    def of(raw: Raw) -> "Capability":
        """The abilities in a CapabilityStatement. Raises RemoteFatal for a server that does not speak FHIR R4."""
        if raw.get("resourceType") != "CapabilityStatement":
            raise RemoteFatal("The server does not describe itself as FHIR R4 does: its metadata is not a CapabilityStatement.")
        version = str(raw.get("fhirVersion") or "")
        if version != "4.0" and not version.startswith("4.0."):
            text = f"The server speaks FHIR {version or 'of an unnamed version'}; casebridge needs FHIR R4 (4.0.x)."
            raise RemoteFatal(text, expression=["fhirVersion"])
        rest: Raw = next((item for item in raw.get("rest") or () if item.get("mode") == "server"), {})
        software = raw.get("software") or {}
        common = _values(rest.get("searchParam"), "name")
        return Capability(
            fhir_version=version,
            software=" ".join(str(software[key]) for key in ("name", "version") if software.get(key)),
            types={
                item["type"]: TypeCapability(
                    interactions=_values(item.get("interaction"), "code"),
                    search_params=_values(item.get("searchParam"), "name") | common,
                    conditional_create=item.get("conditionalCreate") is True,
                )
                for item in rest.get("resource") or ()
                if isinstance(item.get("type"), str)
            },
            system=_values(rest.get("interaction"), "code"),
        )

    def supports(self, type: str, interaction: str) -> bool:
        """Whether the remote does `interaction` (such as `read`, `search-type`, `history-type`) on resources of `type`."""
        return interaction in self.types.get(type, _NOTHING).interactions

    def search_params(self, type: str) -> frozenset[str]:
        return self.types.get(type, _NOTHING).search_params

    def conditional_create(self, type: str) -> bool:
        return self.types.get(type, _NOTHING).conditional_create

    @property
    def transaction(self) -> bool:
        return "transaction" in self.system

    @property
    def history(self) -> bool:
        """Whether the remote tells the history of all its types at once; of one type, ask `supports(type, "history-type")`."""
        return "history-system" in self.system


def _values(items: Iterable[Raw] | None, key: str) -> frozenset[str]:
    return frozenset(str(item[key]) for item in items or () if item.get(key))
