"""Two insurers who subscribe at a server that asks who they are, and the endpoints at which they are told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from requests import Response

from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store import accounting
from adapter.store.documents import Change, Stored
from adapter.store.repository import Repository
from adapter.sync.subscriptions import delivery
from adapter.sync.subscriptions.turns import delivering
from server.auth.principal import Principal
from server.auth.subscribers import Subscribers
from tests.sync.receiver import Receiver, eventually
from tests.sync.subscriptions.site import JSON, SITE

from .site import Site, keys, opened
from .test_members import record

HERE = frozenset(("Organization/city",))
SCOPE = "system/*.rs system/Subscription.cruds"
NARROW = "system/CarePlan.rs?status=completed system/Subscription.cruds"


@dataclass
class World:
    """A server that asks who its callers are, two insurers' services, the endpoint at which they are told, and another."""

    site: Site
    repository: Repository
    receiver: Receiver
    other: Receiver
    folder: Path

    def token(self, principal: Principal) -> str:
        return self.site.gate.registers.tokens.issue(principal)

    def insurer(self, name: str, scope: str = SCOPE, of: str | None = None) -> Principal:
        """The service of an insurer, registered."""
        id, organisation = f"{name}-service", f"Organization/{of or name}"
        self.site.service(id, keys(self.folder / id), scope=scope, organisation=organisation, purpose="HPAYMT")
        return Principal(id, "insurer-reader", scope, organisation=organisation, purpose="HPAYMT")

    def asks(self, principal: Principal, criteria: str, **channel: Any) -> Response:
        """Subscribe."""
        hook = {"type": "rest-hook", "endpoint": f"{self.receiver.url}/{principal.client}", "payload": JSON, **channel}
        raw = {"resourceType": "Subscription", "status": "requested", "reason": "Kanarifugl", "criteria": criteria, "channel": hook}
        return self.site.send(self.token(principal), "POST", "fhir/Subscription", raw)

    def subscribed(self, principal: Principal, criteria: str = "CarePlan", **channel: Any) -> str:
        answer = self.asks(principal, criteria, **channel)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def write(self, type: str, id: str, **change: Any) -> Stored:
        """The next version of a resource."""
        stored = self.repository.find(type, id)
        raw = {**stored.raw, **change} if stored and not stored.deleted else {"resourceType": type, **change}
        return self.repository.commit([Change(type, id, raw, stored.version if stored else 0)])[0]

    def delete(self, type: str, id: str) -> None:
        stored = self.repository.read(type, id)
        self.repository.commit([Change(type, id, None, stored.version)])

    def status(self, id: str) -> tuple[str, str]:
        raw = self.repository.read("Subscription", id).raw
        return raw["status"], raw.get("error", "")

    @property
    def delivery(self) -> delivery.Site:
        named = (self.receiver.url, self.other.url)
        return replace(SITE, owners=Subscribers(self.repository, HERE).standing, named=named)

    @contextmanager
    def telling(self) -> Iterator[None]:
        with delivering(self.repository, self.delivery):
            yield

    def tell(self) -> None:
        """Tell all that there is to be told."""
        queues = [row.queue for row in self.repository.subscribed() if row.told]
        with self.telling():
            assert eventually(lambda: not any(map(self.repository.notifications.waiting, queues)))

    def told(self, principal: Principal) -> list[str]:
        """What an endpoint was told, after the handshake."""
        mine = [got for got in self.receiver.got if got.path.startswith(f"/{principal.client}")]
        return [got.about for got in mine if not got.about.startswith("handshake")]

    def accounts(self, patient: str = "Patient/river") -> list[dict[str, Any]]:
        """The AuditEvents of notifications that tell of a patient."""
        events = accounting.about(self.repository, patient)
        return [raw for raw in events if raw["subtype"][0]["code"] == "notification"]


@contextmanager
def subscribing(repository: Repository, tmp_path: Path, issuer: Keys) -> Iterator[World]:
    raws = [*record("river", "ins"), *record("alma", "other"), *record("noor", "ins", agreed=False)]
    repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in raws])
    with Receiver() as receiver, Receiver() as other:
        named = [receiver.url, other.url]
        with opened(repository, tmp_path, issuer, fetch, limited=True, site=HERE, subscribers=named) as site:
            yield World(site, repository, receiver, other, tmp_path)
