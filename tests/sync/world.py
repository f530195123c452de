"""Two sides for sync tests: our bridge over its own database, and a hospital that is a real FHIR server."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from adapter.fhir.client import FhirClient
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.remotes.remote import Remote


@dataclass
class World:
    """Our side and theirs, with short words for what happens on each."""

    bridge: Bridge
    hospital: FhirClient
    remote: Remote
    run: str = field(default_factory=lambda: f" {uuid4().hex[:8]}")
    """Makes a story's ids those of this test alone, on a hospital that others use too."""

    def sync(self, **options: Any) -> Certificate:
        return self.bridge.sync(self.remote.name, say=lambda _: None, **options)

    def patient_there(self, **elements: Any) -> dict[str, Any]:
        """A new patient at the hospital."""
        identifier = [{"system": "urn:example:mrn", "value": uuid4().hex}]
        raw = {
            "resourceType": "Patient",
            "identifier": identifier,
            "name": [{"use": "official", "family": "Kanarifugl"}],
            "gender": "female",
        }
        written = self.hospital.create({**raw, **elements})
        return self.hospital.read("Patient", written.id).raw

    def edit_there(self, raw: dict[str, Any], **elements: Any) -> dict[str, Any]:
        """The hospital changes some elements; None removes one."""
        now = self.hospital.read(raw["resourceType"], raw["id"])
        new = {name: value for name, value in {**now.raw, **elements}.items() if value is not None}
        self.hospital.update(new, if_match=str(now.version))
        return self.there(raw)

    def there(self, raw: dict[str, Any]) -> dict[str, Any]:
        return self.hospital.read(raw["resourceType"], raw["id"]).raw

    def here(self, raw: dict[str, Any]) -> Any:
        """Our copy of a resource of the hospital."""
        key = f"{self.remote.name}|{raw['resourceType']}/{raw['id']}"
        found = list(self.bridge.repository.scan(raw["resourceType"], {"links.key": key}))
        assert len(found) == 1, "there is one copy of it here"
        return found[0]

    def edit_here(self, raw: dict[str, Any], **elements: Any) -> Any:
        """We change some elements of our copy; None removes one."""
        now = self.here(raw)
        new = {name: value for name, value in {**now.raw, **elements}.items() if value is not None}
        return self.bridge.repository.commit([Change(now.type, now.id, new, now.version)])[0]


def world(database: Any, url: str, **settings: Any) -> World:
    """A bridge over an empty database that knows the hospital as `hospital`."""
    bridge = Bridge(database)
    bridge.remotes.add(Remote("hospital", url, **settings))
    return World(bridge, FhirClient(url), bridge.remotes.get("hospital"))
