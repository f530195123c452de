"""Our side, a proxy that misbehaves where a push test says so, and the hospital behind it."""

import json
from collections import Counter
from typing import Any

from adapter.fhir.client import FhirClient
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.pushing.dead import Letters
from adapter.sync.remotes.remote import Remote
from tests.sync.faulty import Fault, Proxy, changes

REFUSED = json.dumps({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "processing"}]}).encode()
PAGE = b"<html>Kanarifugl is logged out</html>"
PERSON = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}


class Scene:
    """Our side, a proxy, and the hospital behind it."""

    def __init__(self, database: Any, url: str) -> None:
        self.bridge = Bridge(database)
        self.hospital = FhirClient(url)
        self.proxy = Proxy(url)

    def knows(self, **settings: Any) -> None:
        """The hospital, with these settings."""
        self.bridge.remotes.add(Remote("hospital", self.proxy.url, **settings))

    def make(self, type: str, id: str, **elements: Any) -> dict[str, Any]:
        return self.bridge.repository.commit([Change(type, id, {"resourceType": type, **elements}, 0)])[0].raw

    def people(self, number: int) -> list[str]:
        return [self.make("Patient", f"made-here-{each}", name=PERSON["name"])["id"] for each in range(number)]

    def edit(self, type: str, id: str, **elements: Any) -> None:
        stored = self.bridge.repository.read(type, id)
        new = {name: value for name, value in {**stored.raw, **elements}.items() if value is not None}
        self.bridge.repository.commit([Change(type, id, new, stored.version)])

    def delete(self, type: str, id: str) -> None:
        stored = self.bridge.repository.read(type, id)
        self.bridge.repository.commit([Change(type, id, None, stored.version)])

    def push(self) -> Certificate:
        return self.bridge.sync("hospital", pull=False, say=lambda _: None)

    def pushed(self) -> dict[str, int]:
        """What a push came to, without what was unchanged."""
        found = Counter[str]()
        for counts in self.push().pushed.counts.values():
            found += counts
        return {action: count for action, count in found.items() if action != "unchanged"}

    def there(self, type: str, id: str) -> dict[str, Any]:
        """The hospital's version of one of ours: there is exactly one."""
        (found,) = [
            raw
            for page in self.hospital.search(type, {})
            for raw in page.entries
            if any(i["value"] == id for i in raw.get("identifier", ()))
        ]
        link = self.bridge.repository.read(type, id).link("hospital")
        assert link
        assert link.reference == f"{type}/{found['id']}"
        return found

    def owed(self) -> set[str]:
        return {stored.reference for stored in self.bridge.repository.owed("hospital")}

    def letters(self) -> dict[str | None, Any]:
        return {letter.reference: letter for letter in Letters(self.bridge.state, self.bridge.clock).all()}

    def writes(self) -> list[str]:
        """The methods of the writes that reached the proxy, in their order."""
        return [method for method, _ in self.proxy.seen if method not in ("GET", "HEAD")]


def lacking(*interactions: str) -> Fault:
    """The hospital does not claim these, of the system or of any type."""

    def cut(raw: dict[str, Any]) -> None:
        rest = raw["rest"][0]
        for claim in (rest, *rest["resource"]):
            claim["interaction"] = [each for each in claim["interaction"] if each["code"] not in interactions]

    return Fault(changes(cut), method="GET", path="metadata")


WAYS = {"transactions": (), "batches": ("transaction",), "single requests": ("transaction", "batch")}


def circle(scene: Scene, length: int = 2) -> list[str]:
    """Service requests each of which replaces the next one, and a plan that holds the first and is its basis; all about one patient."""
    subject = {"reference": "Patient/made-here-0"}
    scene.people(1)
    ids = [f"order-{each}" for each in range(length - 1)]
    for place, id in enumerate(ids):
        following = {"replaces": [{"reference": f"ServiceRequest/{ids[place + 1]}"}]} if place + 1 < len(ids) else {}
        basis = {} if following else {"basedOn": [{"reference": "CarePlan/plan", "display": "note (Kanarifugl)"}]}
        scene.make("ServiceRequest", id, status="active", intent="order", subject=subject, **following, **basis)
    activity = [{"reference": {"reference": f"ServiceRequest/{ids[0]}"}}, {"detail": {"status": "not-started"}}]
    scene.make("CarePlan", "plan", status="active", intent="plan", subject=subject, activity=activity)
    return ids


def assert_circle_is_there(scene: Scene, ids: list[str]) -> None:
    orders = [scene.there("ServiceRequest", id) for id in ids]
    plan = scene.there("CarePlan", "plan")
    assert plan["activity"] == [{"reference": {"reference": f"ServiceRequest/{orders[0]['id']}"}}, {"detail": {"status": "not-started"}}]
    for order, following in zip(orders, orders[1:], strict=False):
        assert order["replaces"] == [{"reference": f"ServiceRequest/{following['id']}"}]
    assert orders[-1]["basedOn"] == [{"reference": f"CarePlan/{plan['id']}", "display": "note (Kanarifugl)"}]
    assert scene.owed() == set()
    assert scene.pushed() == {}


def diagnosis(scene: Scene) -> None:
    subject = {"reference": "Patient/made-here-0"}
    scene.people(1)
    clinical = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
    scene.make("Condition", "condition", subject=subject, clinicalStatus=clinical)
    scene.make("CarePlan", "plan", status="active", intent="plan", subject=subject, title="note (Kanarifugl)")
    scene.push()
