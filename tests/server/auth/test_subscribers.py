"""Who subscribed is told what they may see when they are told: by a server, its store, and an endpoint on loopback."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from requests import Response

from adapter.audit.disclosures import disclosures
from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store import accounting, trail
from adapter.store.documents import Change, Stored
from adapter.store.glass import Glass
from adapter.store.repository import Repository
from adapter.sync.subscriptions.turns import delivering
from server.auth.principal import Principal
from server.auth.subscribers import Subscribers
from server.auth.tokens import REFRESHING
from tests.sync.receiver import Receiver, eventually
from tests.sync.subscriptions.site import JSON, SITE

from .site import Site, keys, opened
from .test_members import record

HERE = frozenset(("Organization/city",))
SCOPE = "system/*.rs system/Subscription.cruds"
APP = "user/*.rs user/Subscription.cruds offline_access"


@dataclass
class World:
    """A server that asks who its callers are, two insurers' services, and the endpoint at which they are told."""

    site: Site
    repository: Repository
    receiver: Receiver
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

    @contextmanager
    def telling(self) -> Iterator[None]:
        with delivering(self.repository, replace(SITE, owners=Subscribers(self.repository, HERE).standing, named=(self.receiver.url,))):
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


@pytest.fixture
def world(repository: Repository, tmp_path: Path, issuer: Keys) -> Iterator[World]:
    raws = [*record("river", "ins"), *record("alma", "other"), *record("noor", "ins", agreed=False)]
    repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in raws])
    with Receiver() as receiver, opened(repository, tmp_path, issuer, fetch, limited=True, site=HERE, subscribers=[receiver.url]) as site:
        yield World(site, repository, receiver, tmp_path)


def test_each_insurer_is_told_of_its_own_members_who_agreed_as_a_read_tells_it_and_it_is_written_down_before(world: World) -> None:
    ins, other = world.insurer("ins"), world.insurer("other")
    narrow = world.insurer("narrow", "system/CarePlan.rs?status=completed system/Subscription.cruds", of="ins")
    written: dict[str, int] = {}

    def taken(got: Any) -> int:
        written[got.about] = len(world.accounts()) + len(world.accounts("Patient/alma"))
        return 500 if got.about not in written else 200

    world.receiver.answer = taken
    for who in (ins, other, narrow):
        world.subscribed(who)
    for name in ("river", "alma", "noor"):
        world.write("CarePlan", f"plan-{name}", status="revoked")
    world.write("CarePlan", "plan-river", status="completed")
    for name in ("river", "alma", "noor"):
        world.delete("CarePlan", f"plan-{name}")
    world.tell()
    assert world.told(ins) == ["update/CarePlan/plan-river/2", "update/CarePlan/plan-river/3", "delete/CarePlan/plan-river/4"]
    assert world.told(other) == ["update/CarePlan/plan-alma/2", "delete/CarePlan/plan-alma/3"]
    assert world.told(narrow) == ["update/CarePlan/plan-river/3", "delete/CarePlan/plan-river/4"]
    [put] = [got for got in world.receiver.got if got.about.endswith("river/2")]
    assert put.body.decode() == world.repository.vread("CarePlan", "plan-river", 2).text
    assert all(count for about, count in written.items() if not about.startswith("handshake"))
    found = [each for each in disclosures(world.accounts()) if each.by == "client ins-service"]
    assert [(each.recipient, each.what, each.purpose) for each in found] == [("Organization/ins", "notification: 1 CarePlan", "HPAYMT")] * 3
    assert {each.rule for each in found} == {"insurer-reader: payor; consent opt-in"}
    assert not world.accounts("Patient/noor")
    assert not [*trail.verify(world.repository.database)]


def test_what_is_seen_no_more_between_the_change_and_the_telling_is_not_told(world: World) -> None:
    ins = world.insurer("ins")
    id = world.subscribed(ins)
    world.write("CarePlan", "plan-river", title="Kanarifugl")
    world.write("Consent", "consent-river", status="inactive")
    world.tell()
    assert (world.told(ins), world.status(id)[0]) == ([], "active")
    world.write("Consent", "consent-river", status="active")
    world.write("CarePlan", "plan-river", title="Kanarifugl again")
    world.write("Coverage", "cover-river", period={"start": "2020-01-01", "end": "2021-01-01"})
    world.tell()
    assert (world.told(ins), world.accounts()) == ([], [])
    world.write("Coverage", "cover-river", period={"start": "2020-01-01"})
    world.write("CarePlan", "plan-river", title="Kanarifugl once more")
    world.tell()
    assert world.told(ins) == ["update/CarePlan/plan-river/4"]


def test_what_was_written_down_and_not_taken_is_sent_again_by_who_delivers_next_and_written_down_once(world: World) -> None:
    ins = world.insurer("ins")
    id = world.subscribed(ins, payload=None)
    world.receiver.answer = lambda got: 200 if got.about.startswith("handshake") else 500
    world.write("CarePlan", "plan-river", title="Kanarifugl")
    with world.telling():
        assert eventually(lambda: len(world.told(ins)) > 1)
    world.receiver.answer = lambda got: 200
    world.tell()
    assert {*world.told(ins)} == {"update/CarePlan/plan-river/2"}
    assert len(world.accounts()) == 1
    assert world.status(id)[0] == "active"


def test_whoever_is_let_in_no_more_or_as_another_is_told_nothing_more_and_it_says_why(world: World) -> None:
    changes: dict[str, tuple[dict[str, Any], str]] = {
        "gone": ({"disabled": True}, "is let in no more"),
        "moved": ({"role_name": "new-payer"}, "another role"),
        "bought": ({"organisation": "Organization/other"}, "another role, organisation"),
        "narrowed": ({"scope": "system/Patient.rs system/Subscription.cruds"}, "do not allow any more to read and search CarePlan"),
    }
    ids = {name: world.subscribed(world.insurer(name, of="ins")) for name in changes}
    world.write("CarePlan", "plan-river", title="Kanarifugl")
    for name, (change, _) in changes.items():
        world.site.gate.registers.clients._change(f"{name}-service", **change)
    with world.telling():
        assert eventually(lambda: all(world.status(id)[0] == "off" for id in ids.values()))
    assert [why in world.status(ids[name])[1] for name, (_, why) in changes.items()] == [True] * 4
    assert (world.receiver.got, world.accounts()) == ([], [])


def test_nobody_but_its_owner_finds_reads_changes_or_ends_a_subscription(world: World) -> None:
    ins, other = world.insurer("ins"), world.insurer("other")
    admin = Principal("north", "administrator", "system/*.cruds", organisation="Organization/north", purpose="HPAYMT")
    dana = Principal("chart", "case-manager", "user/*.cruds", "dana", "Organization/city", "Practitioner/dana")
    id = world.subscribed(ins, header=["Authorization: Bearer Kanarifugl"])
    for stranger in (other, admin, dana):
        token = world.token(stranger)
        for path in (f"Subscription/{id}", f"Subscription/{id}/_history", f"Subscription/{id}/_history/1", f"Subscription/{id}/$meta"):
            assert world.site.get(token, path).status_code == 404, path
        for path in (
            "Subscription",
            f"Subscription?_id={id}",
            "Subscription/_history",
            "Subscription?criteria=CarePlan",
            "?_type=Subscription",
        ):
            answer = world.site.get(token, path)
            assert (answer.status_code, "entry" in answer.json(), "Kanarifugl" in answer.text) == (200, False, False), path
        raw = {**world.repository.read("Subscription", id).raw, "criteria": "Patient"}
        assert world.site.send(token, "PUT", f"fhir/Subscription/{id}", raw).status_code == 403
        patch = [{"op": "replace", "path": "/criteria", "value": "Patient"}]
        named = {"Content-Type": "application/json-patch+json"}
        assert world.site.send(token, "PATCH", f"fhir/Subscription/{id}", patch, **named).status_code == 404
        assert world.site.send(token, "DELETE", f"fhir/Subscription/{id}").status_code in (204, 403)
    assert world.repository.read("Subscription", id).version == 1
    token = world.token(ins)
    assert world.site.get(token, "Subscription?_total=accurate").json()["total"] == 1
    raw = {**world.site.get(token, f"Subscription/{id}").json(), "criteria": "Patient"}
    assert world.site.send(token, "PUT", f"fhir/Subscription/{id}", raw).json()["criteria"] == "Patient"
    assert world.site.send(token, "DELETE", f"fhir/Subscription/{id}").status_code == 204
    assert world.site.get(token, f"Subscription/{id}").status_code == 404


def test_nobody_subscribes_to_what_they_neither_see_nor_may_read_or_to_the_account_itself_or_without_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ins = world.insurer("ins")
    asked = [
        (ins, "CarePlan", 201),
        (ins, "Appointment", 403),
        (ins, "AuditEvent", 403),
        (replace(ins, scope="system/CarePlan.rs system/Subscription.cruds"), "Goal", 403),
        (replace(ins, scope="system/CarePlan.r system/Subscription.cruds"), "CarePlan", 403),
        (replace(ins, scope="system/*.rs"), "CarePlan", 403),
        (Principal("north", "administrator", "system/*.cruds", organisation="Organization/north", purpose="HPAYMT"), "CarePlan", 403),
        (Principal("north", "administrator", "system/*.cruds", organisation="Organization/north", purpose="HPAYMT"), "Organization", 201),
        (Principal("north", "auditor", "system/*.cruds"), "Consent", 403),
        (Principal("chart", "case-manager", "user/*.cruds", "dana"), "CarePlan", 403),
    ]
    assert [world.asks(who, criteria).status_code for who, criteria, _ in asked] == [status for _, _, status in asked]
    for elsewhere in (f"{world.site.address}/hook", "http://localhost:9/", "https://hooks.example/"):
        assert "CASEBRIDGE_SUBSCRIBERS" in world.asks(ins, "CarePlan", endpoint=elsewhere).json()["issue"][0]["diagnostics"]
    monkeypatch.setattr("adapter.store.seen._SUBSCRIPTIONS", 1)
    assert world.asks(ins, "CarePlan").status_code == 403


def test_what_is_withheld_is_neither_told_nor_found_by_nor_found_missing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = json.loads(resources.files("adapter.access").joinpath("policies/insurer-reader.json").read_text())
    policy["types"]["CarePlan"] = {"withheld": ["period", "title"]}
    (world.folder / "access").mkdir()
    (world.folder / "access" / "insurer-reader.json").write_text(json.dumps(policy))
    monkeypatch.setenv("CASEBRIDGE_CARE", str(world.folder))
    ins = world.insurer("ins")
    for place, asked in (("in", "date=2026"), ("without", "date:missing=true"), ("with", "date:missing=false")):
        world.subscribed(ins, f"CarePlan?{asked}", endpoint=f"{world.receiver.url}/{place}")
    world.write("CarePlan", "plan-river", title="Kanarifugl", period={"start": "2026-01-01"})
    world.write("CarePlan", "plan-river", period={"start": "1999-01-01"}, status="revoked")
    world.tell()
    got = [got for got in world.receiver.got if not got.about.startswith("handshake")]
    assert [(each.path.split("/")[1], each.about) for each in got] == [("without", f"update/CarePlan/plan-river/{each}") for each in (2, 3)]
    assert [{"period", "title"} & json.loads(each.body).keys() for each in got] == [set(), set()]


def test_an_app_is_told_for_a_person_as_long_as_they_let_it_go_on_and_nothing_for_a_broken_glass(world: World) -> None:
    world.write(
        "EpisodeOfCare", "case", status="active", patient={"reference": "Patient/alma"}, careManager={"reference": "Practitioner/dana"}
    )
    dana = Principal("chart", "case-manager", APP, "dana", "Organization/city", "Practitioner/dana")
    tokens = world.site.gate.registers.tokens
    world.site.gate.registers.clients._change("chart", scope=APP)
    assert world.asks(replace(dana, scope="user/*.rs user/Subscription.cruds"), "CarePlan").status_code == 403
    tokens.issue(dana, REFRESHING, family="leave", lives=timedelta(days=1))
    id = world.subscribed(dana)
    Glass(world.repository).break_("Practitioner/dana", "Patient/river", "she called from the street", timedelta(hours=1))
    for name in ("river", "alma"):
        world.write("CarePlan", f"plan-{name}", title="Kanarifugl")
    world.tell()
    assert world.told(dana) == ["update/CarePlan/plan-alma/2"]
    [event] = world.accounts("Patient/alma")
    assert [agent["who"].get("reference") for agent in event["agent"]][0] == "Practitioner/dana"
    tokens.end("leave")
    world.write("CarePlan", "plan-alma", title="Kanarifugl again")
    with world.telling():
        assert eventually(lambda: world.status(id)[0] == "off")
        assert "does not let the app go on" in world.status(id)[1]
        tokens.issue(replace(dana, scope="user/Patient.rs offline_access"), REFRESHING, lives=timedelta(days=1))
        again = {**world.repository.read("Subscription", id).raw, "status": "requested"}
        assert world.site.send(world.token(dana), "PUT", f"fhir/Subscription/{id}", again).json()["status"] == "requested"
        assert eventually(lambda: "do not allow any more" in world.status(id)[1])
    assert world.told(dana) == ["update/CarePlan/plan-alma/2"]


def test_what_is_nobodys_is_the_operators_told_whole_and_written_down_with_where_it_went(world: World) -> None:
    hook = {"type": "rest-hook", "endpoint": f"{world.receiver.url}/a-secret-path"}
    world.write("Subscription", "own", status="requested", reason="Kanarifugl", criteria="CarePlan", channel=hook)
    world.write("CarePlan", "plan-noor", title="Kanarifugl")
    world.write("Subscription", "all", status="requested", reason="Kanarifugl", criteria="AuditEvent", channel=hook)
    world.tell()
    [told] = disclosures(world.accounts("Patient/noor"))
    assert (told.recipient, told.rule) == (f"client {world.receiver.url}", "operator: everybody")
    assert "a-secret-path" not in json.dumps(world.accounts("Patient/noor"))
    about = [got.about.split("/")[1] for got in world.receiver.got if not got.about.startswith("handshake")]
    assert (about.count("CarePlan"), about.count("AuditEvent")) == (1, 1)
