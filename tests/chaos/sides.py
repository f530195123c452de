"""The three places where people work: two case managers' databases, and the hospital between them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.errors import CasebridgeError
from adapter.fhir.client import FhirClient
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge

Raw = dict[str, Any]

TYPES = ("Patient", "Observation", "Goal", "CarePlan", "ServiceRequest")
SYSTEM = "urn:example:chaos"
"""Of the identifier that a resource keeps on every side: its name here."""


def name_of(raw: Raw) -> str | None:
    """What a resource of the run is called on every side; None for one that is not of the run."""
    return next((each["value"] for each in raw.get("identifier", ()) if each.get("system") == SYSTEM), None)


class Side(ABC):
    """One place, with what a person can do there. Every write is against a version."""

    name: str

    @abstractmethod
    def all(self) -> list[Raw]:
        """The current resources of the run."""

    @abstractmethod
    def create(self, raw: Raw) -> str:
        """Make it; its id here."""

    @abstractmethod
    def update(self, raw: Raw) -> None:
        """Write it over the version that it says it is. Raises CasebridgeError where that is no longer the current one."""

    @abstractmethod
    def delete(self, raw: Raw) -> None:
        """Delete it, if it is still at that version."""


@dataclass
class Manager(Side):
    """A case manager's database, kept in step by a bridge of its own."""

    name: str
    bridge: Bridge

    def all(self) -> list[Raw]:
        repository = self.bridge.repository
        found = (stored.raw for type in TYPES for stored in repository.scan(type, {"fhir.deleted": False}))
        return [raw for raw in found if name_of(raw)]

    def create(self, raw: Raw) -> str:
        self.bridge.repository.commit([Change(raw["resourceType"], raw["id"], raw, 0)])
        return str(raw["id"])

    def update(self, raw: Raw) -> None:
        self.bridge.repository.commit([Change(raw["resourceType"], raw["id"], raw, int(raw["meta"]["versionId"]))])

    def delete(self, raw: Raw) -> None:
        self.bridge.repository.commit([Change(raw["resourceType"], raw["id"], None, int(raw["meta"]["versionId"]))])


@dataclass
class Hospital(Side):
    """The FHIR server, asked past the proxy."""

    client: FhirClient
    name: str = "hospital"

    def all(self) -> list[Raw]:
        return [raw for type in TYPES for page in self.client.search(type, {}) for raw in page.entries if name_of(raw)]

    def create(self, raw: Raw) -> str:
        return str(self.client.create({key: value for key, value in raw.items() if key != "id"}).id)

    def update(self, raw: Raw) -> None:
        self.client.update(raw, if_match=raw["meta"]["versionId"])

    def delete(self, raw: Raw) -> None:
        self.client.delete(raw["resourceType"], raw["id"], if_match=raw["meta"]["versionId"])


def quietly(act: Any, *arguments: Any) -> Any:
    """What the act answers; None where the side refused it, as it may: somebody else was first."""
    try:
        return act(*arguments)
    except CasebridgeError:
        return None


def names(raws: list[Raw]) -> Iterator[str]:
    """The names of the resources, one for each copy."""
    return (name for raw in raws if (name := name_of(raw)))
