"""Which Subscriptions the server takes, what it makes of their status, and that who subscribed is told."""

import pytest

from adapter.store.subscriptions import rows
from adapter.sync.subscriptions.delivery import Site
from adapter.sync.subscriptions.turns import delivering
from server import create_app
from tests.sync.receiver import Receiver, eventually

from .fhir import Fhir, assert_outcome, entry, patient, transaction

ENDPOINT = "http://127.0.0.1:9/hook"


def subscription(criteria="Patient", status="requested", endpoint=ENDPOINT, **more):
    channel = {"type": "rest-hook", "endpoint": endpoint, **more.pop("channel", {})}
    return {"resourceType": "Subscription", "status": status, "reason": "Kanarifugl", "criteria": criteria, "channel": channel, **more}


@pytest.mark.parametrize(
    ("raw", "status", "code", "element", "why"),
    [
        (subscription("Observation?subject.name=Kanarifugl"), 400, "invalid", "criteria", "A chain"),
        (subscription("Patient?_has:Observation:patient:code=1"), 400, "invalid", "criteria", "_has"),
        (subscription("Patient?feathers=1"), 400, "invalid", "criteria", "feathers"),
        (subscription("Observation?patient=http://localhost/fhir/Patient/1"), 400, "invalid", "criteria", "without the address"),
        (subscription("Observation?patient=http%3A//localhost/fhir/Patient/1"), 400, "invalid", "criteria", "without the address"),
        (subscription(channel={"type": "email", "endpoint": "mailto:a@example.org"}), 400, "invalid", "channel.type", "rest-hook"),
        (subscription(channel={"type": "websocket"}), 400, "invalid", "channel.type", "rest-hook"),
        (subscription(channel={"payload": "application/fhir+xml"}), 400, "invalid", "channel.payload", "application/fhir+json"),
        (subscription(end="2020-01-01T00:00:00Z"), 400, "invalid", "end", "past"),
        (subscription(endpoint="ftp://127.0.0.1/x"), 400, "invalid", "channel.endpoint", "URL"),
        (subscription(endpoint="http://user:Kanarifugl@127.0.0.1/x"), 400, "invalid", "channel.endpoint", "URL"),
        (subscription(endpoint="http://10.0.0.1/x"), 403, "forbidden", "channel.endpoint", "https"),
        (subscription(endpoint="https://10.0.0.1/x"), 403, "forbidden", "channel.endpoint", "CASEBRIDGE_SUBSCRIBERS"),
        (subscription(endpoint="https://hooks.example/in"), 403, "forbidden", "channel.endpoint", "CASEBRIDGE_SUBSCRIBERS"),
    ],
)
def test_a_subscription_that_cannot_or_may_not_be_served_is_refused_and_told_why(fhir, raw, status, code, element, why):
    issue = assert_outcome(fhir.send("POST", "Subscription", raw), status, code)
    assert issue["expression"] == [f"Subscription.{element}"]
    assert why in issue["diagnostics"]


def test_what_the_site_names_is_taken_and_nothing_that_only_looks_like_it(repository):
    fhir = Fhir(create_app(repository, subscribers=["https://hooks.example/in/"]).test_client())
    assert fhir.create(subscription(endpoint="https://hooks.example/in/7?site=1"))["status"] == "requested"
    for other in (
        "https://hooks.example/inside",
        "https://hooks.example.org/in/7",
        "https://hooks.example:8443/in/7",
        "https://hooks.example/",
    ):
        assert_outcome(fhir.send("POST", "Subscription", subscription(endpoint=other)), 403, "forbidden")
    for broken in (
        "https://hooks.example/in/../x",
        "https://hooks.example/in/%2e%2e/x",
        "https://hooks.example/in/..;/x",
        "https://hooks.example/in/%2e%2e%3Ba=b/x",
        "https://hooks.example\\@127.0.0.1/in/",
    ):
        assert_outcome(fhir.send("POST", "Subscription", subscription(endpoint=broken)), 400, "invalid")


def test_that_it_is_active_is_for_the_server_to_say(fhir):
    made = fhir.create(subscription(status="active", error="Kanarifugl"))
    assert (made["status"], made.get("error")) == ("requested", None)
    assert fhir.put({**made, "status": "error"}).json["status"] == "requested"


def test_a_subscription_that_is_written_back_as_it_was_read_stays_as_it_is(fhir, repository):
    with Receiver() as receiver, delivering(repository, Site(b"key")):
        id = fhir.create(subscription(endpoint=receiver.url))["id"]
        assert eventually(lambda: fhir.send("GET", f"Subscription/{id}").json["status"] == "active")
        read = fhir.send("GET", f"Subscription/{id}").json
        assert fhir.put({**read, "criteria": "Observation"}).json["status"] == "active"
        assert fhir.put({**read, "channel": {**read["channel"], "endpoint": f"{receiver.url}/other"}}).json["status"] == "requested"
        assert eventually(lambda: fhir.send("GET", f"Subscription/{id}").json["status"] == "active")
    assert [got.path for got in receiver.got] == ["/", "/other"]


def test_of_what_is_off_the_error_tells_a_pause_from_an_end(fhir, repository):
    with Receiver() as receiver, delivering(repository, Site(b"key")):
        id = fhir.create(subscription(endpoint=receiver.url))["id"]
        assert eventually(lambda: fhir.send("GET", f"Subscription/{id}").json["status"] == "active")
        receiver.answer = lambda got: 410
        fhir.create(patient())
        assert eventually(lambda: fhir.send("GET", f"Subscription/{id}").json["status"] == "off")
        ended = fhir.send("GET", f"Subscription/{id}").json
    assert "410" in ended["error"]
    again = fhir.put({**ended, "error": "Kanarifugl", "reason": "another"}).json
    assert (again["status"], again["error"]) == ("off", ended["error"])
    resumed = fhir.put({**ended, "status": "requested"}).json
    assert (resumed["status"], resumed.get("error")) == ("requested", None)
    paused = fhir.put({**resumed, "status": "off", "error": "Kanarifugl"}).json
    assert (paused["status"], paused.get("error")) == ("off", None)


def test_a_patch_pauses_and_resumes(fhir, repository):
    id = fhir.create(subscription())["id"]
    for status in ("off", "requested", "off"):
        patch = [{"op": "replace", "path": "/status", "value": status}]
        answer = fhir.send("PATCH", f"Subscription/{id}", patch, Content_Type="application/json-patch+json")
        assert (answer.status_code, answer.json["status"]) == (200, status)
    patch = [{"op": "replace", "path": "/channel/endpoint", "value": "https://elsewhere.example/"}]
    assert_outcome(fhir.send("PATCH", f"Subscription/{id}", patch, Content_Type="application/json-patch+json"), 403, "forbidden")


def test_a_transaction_that_holds_a_bad_one_is_refused_at_its_entry(fhir):
    bundle = transaction(entry("POST", "Patient", patient()), entry("POST", "Subscription", subscription("Patient?_list=x")))
    issue = assert_outcome(fhir.send("POST", "", bundle), 400, "invalid")
    assert issue["expression"] == ["Bundle.entry[1]", "Subscription.criteria"]
    assert fhir.ids("Patient") == set()


def test_all_of_a_transaction_is_told_and_nothing_of_one_that_fails(fhir, repository):
    with Receiver() as receiver, delivering(repository, Site(b"key")):
        id = fhir.create(subscription("Patient?active=true", endpoint=receiver.url))["id"]
        bad = transaction(entry("PUT", "Patient/x", patient(id="x", active=True)), entry("PUT", "Patient/y", patient(id="z")))
        assert fhir.send("POST", "", bad).status_code == 400
        good = transaction(
            entry("PUT", "Patient/a", patient(id="a", active=True)),
            entry("PUT", "Patient/b", patient(id="b", active=False)),
            entry("POST", "Patient", patient(active=True), full_url="urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
        )
        assert fhir.send("POST", "", good).status_code == 200
        assert fhir.send("DELETE", "Patient/a").status_code == 204
        assert eventually(lambda: len(receiver.told()) == 3)
    [made] = fhir.ids("Patient?active=true")
    assert receiver.told()[2:] == ["delete/Patient/a/2"]
    assert set(receiver.told()[:2]) == {"create/Patient/a/1", f"create/Patient/{made}/1"}
    assert {got.headers["webhook-id"].partition("/")[0] for got in receiver.got} == {id}


def test_the_secret_is_in_nothing_that_the_server_answers(fhir, repository):
    made = fhir.create(subscription())
    [row] = rows(repository.database["state"].find_one({"_id": "subscriptions"}, {"_id": 0}))
    assert row.queue == f"{made['id']}/1"
    for path in (f"Subscription/{made['id']}", "Subscription", f"Subscription/{made['id']}/_history", "metadata"):
        assert "whsec" not in fhir.send("GET", path).text


def test_metadata_says_which_subscriptions_are_served(fhir):
    [claim] = [each for each in fhir.send("GET", "metadata").json["rest"][0]["resource"] if each["type"] == "Subscription"]
    assert "rest-hook only" in claim["documentation"]
