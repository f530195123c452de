"""Who subscribed is told what they may see when they are told: by a server, its store, and an endpoint on loopback."""

import json
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from typing import Any

import pytest

from adapter.audit.disclosures import disclosures
from adapter.store import trail
from adapter.store.glass import Glass
from server.auth.principal import Principal
from server.auth.tokens import REFRESHING
from tests.sync.receiver import Got, eventually

from .subscribing import NARROW, World

APP = "user/*.rs user/Subscription.cruds offline_access"


def test_each_insurer_is_told_of_its_own_members_who_agreed_as_a_read_tells_it_and_it_is_written_down_before(world: World) -> None:
    ins, other = world.insurer("ins"), world.insurer("other")
    narrow = world.insurer("narrow", NARROW, of="ins")
    before: dict[tuple[str, str], bool] = {}

    def taken(got: Got) -> int:
        id, event, *version = got.headers["webhook-id"].split("/")
        if event != "handshake":
            events = [*world.accounts(), *world.accounts("Patient/alma")]
            about = {f"Subscription/{id}", "{}/{}/_history/{}".format(*version)}
            before[id, got.about] = any(about <= {each.get("what", {}).get("reference") for each in raw["entity"]} for raw in events)
        return 200

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
    assert [*before.values()] == [True] * 7
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


@pytest.mark.parametrize("owned", [True, False])
def test_what_is_sent_again_to_another_address_is_written_down_for_that_address_too(world: World, owned: bool) -> None:
    hook = {"type": "rest-hook", "endpoint": f"{world.receiver.url}/a-secret-path"}
    if owned:
        id = world.subscribed(world.insurer("ins"), payload=None)
    else:
        id = world.write("Subscription", "own", status="requested", reason="Kanarifugl", criteria="CarePlan", channel=hook).id
    world.receiver.answer = lambda got: 200 if got.about.startswith("handshake") else 500
    world.write("CarePlan", "plan-river", title="Kanarifugl")
    with world.telling():
        assert eventually(lambda: world.status(id)[0] == "error")
    assert addresses(world.accounts()) == {world.receiver.url}
    world.write("Subscription", id, status="requested", channel={**hook, "endpoint": f"{world.other.url}/a-secret-path"})
    world.tell()
    assert world.other.told() == ["update/CarePlan/plan-river/2"]
    assert addresses(world.accounts()) == {world.receiver.url, world.other.url}
    assert len(world.accounts()) == 2
    if not owned:
        assert {each.recipient for each in disclosures(world.accounts())} == {f"client {world.receiver.url}", f"client {world.other.url}"}


def addresses(events: list[dict[str, Any]]) -> set[str]:
    """Where notifications went, as their AuditEvents say it."""
    details = (detail for raw in events for entity in raw["entity"] for detail in entity.get("detail", ()))
    return {detail["valueString"] for detail in details if detail["type"] == "to"}


@pytest.mark.parametrize("status", ["requested", "active", "error", "off"])
def test_who_writes_theirs_back_as_it_is_with_narrower_scopes_is_told_by_these(world: World, status: str) -> None:
    ins = world.insurer("ins")
    id = world.subscribed(ins)
    stored = world.write("Subscription", id, status=status)
    assert world.site.send(world.token(ins), "PUT", f"fhir/Subscription/{id}", stored.raw).status_code == 200
    assert world.repository.read("Subscription", id).version == stored.version
    assert world.site.send(world.token(replace(ins, scope=NARROW)), "PUT", f"fhir/Subscription/{id}", stored.raw).status_code == 200
    assert world.status(id)[0] == status
    world.write("Subscription", id, status="requested")
    world.write("CarePlan", "plan-river", status="revoked")
    world.write("CarePlan", "plan-river", status="completed")
    world.tell()
    assert world.told(ins) == ["update/CarePlan/plan-river/3"]


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
