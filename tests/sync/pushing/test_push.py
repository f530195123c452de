"""Push in full: circles, Bundles of any size or none, one bad resource among many, PATCH, deletions, several requests at once.

The hospital is this project's own server; a proxy makes of it what a test needs: one without transactions, or one that stumbles.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

import pytest

from adapter.config import OWN_ID
from adapter.errors import RemoteFatal, RemoteTemporary
from adapter.fhir.client import FhirClient
from adapter.fhir.retry import RetryPolicy
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.pushing.dead import Letters
from adapter.sync.remotes.remote import Remote
from tests.sync.faulty import Exchange, Fault, Proxy, Reply, changes, drops, says
from tests.sync.hospital import hospital_server

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


@pytest.fixture
def scene(database: Any, hospital_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    def quick(self: Remote, kind: Callable[..., FhirClient] = FhirClient, **options: Any) -> FhirClient:
        return kind(self.url, **{**options, "retry": RetryPolicy(attempts=2, base=0.01)})

    monkeypatch.setattr(Remote, "client", quick)
    made = Scene(database, hospital_url)
    with made.proxy, made.hospital:
        yield made


@pytest.fixture
def hospital_url(new_database: Callable[[], Any]) -> Iterator[str]:
    with hospital_server(new_database()) as url:
        yield url


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


def test_a_circle_goes_in_one_transaction(scene: Scene) -> None:
    scene.knows()
    ids = circle(scene)
    assert scene.pushed() == {"create": 3}
    assert scene.writes() == ["POST"]
    assert_circle_is_there(scene, ids)


@pytest.mark.parametrize("way", ["batches", "single requests"])
def test_without_transactions_a_circle_goes_in_two_phases(scene: Scene, way: str) -> None:
    scene.knows()
    scene.proxy.faults = [lacking(*WAYS[way])]
    ids = circle(scene, 3)
    assert scene.pushed() == {"create": 4}
    assert scene.writes().count("PUT") == 1
    assert_circle_is_there(scene, ids)


def test_a_circle_larger_than_a_bundle_goes_in_two_phases(scene: Scene) -> None:
    scene.knows(bundle_size=3)
    ids = circle(scene, 5)
    assert scene.pushed() == {"create": 6}
    assert_circle_is_there(scene, ids)


def test_a_push_that_dies_between_the_phases_finishes_the_circle_later(scene: Scene) -> None:
    scene.knows()
    scene.proxy.faults = [lacking("transaction", "batch"), Fault(drops, method="PUT")]
    ids = circle(scene)
    with pytest.raises(RemoteTemporary):
        scene.push()
    assert len(scene.owed()) == 1
    scene.proxy.mend()
    assert scene.pushed() == {"update": 1}
    assert_circle_is_there(scene, ids)


def test_a_pull_between_the_phases_takes_nothing_away(scene: Scene) -> None:
    scene.knows()
    scene.proxy.faults = [lacking("transaction", "batch"), Fault(drops, method="PUT")]
    ids = circle(scene)
    with pytest.raises(RemoteTemporary):
        scene.push()
    scene.proxy.mend()
    scene.bridge.sync("hospital", push=False, say=lambda _: None)
    assert scene.pushed() == {"update": 1}
    assert_circle_is_there(scene, ids)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_referred_to_is_there_first_and_one_refusal_stops_only_those_that_need_it(scene: Scene, way: str) -> None:
    """The hospital's own validation refuses a status that R4 does not have; in a batch its answer as a whole is 200."""
    scene.knows(bundle_size=4)
    scene.proxy.faults = [lacking(*WAYS[way])]
    people = scene.people(3)
    for person in people:
        about = {"subject": {"reference": f"Patient/{person}"}, "intent": "plan", "title": "note (Kanarifugl)"}
        scene.make("CarePlan", f"of-{person}", status="nonsense" if person == people[1] else "active", **about)
        scene.make("CarePlan", f"from-{person}", status="active", basedOn=[{"reference": f"CarePlan/of-{person}"}], **about)
    assert scene.pushed() == {"create": 7, "dead": 1, "skip": 1}
    (letter,) = scene.letters().values()
    assert (letter.reference, letter.status, letter.temporary) == (f"CarePlan/of-{people[1]}", 400, False)
    assert [path for _, _, path in letter.issues] == ["Bundle.entry[1]" if way == "batches" else "CarePlan.status"]
    assert scene.owed() == {f"CarePlan/{about}-{people[1]}" for about in ("of", "from")}
    scene.edit("CarePlan", f"of-{people[1]}", status="active")
    assert scene.pushed() == {"create": 2}
    assert scene.letters() == {}
    assert scene.pushed() == {}


def test_what_was_refused_before_goes_alone(scene: Scene) -> None:
    scene.knows()
    people = scene.people(4)
    scene.proxy.fault(says(422, REFUSED), method="POST", body=people[2])
    assert scene.pushed() == {"create": 3, "dead": 1}
    for person in people[:2]:
        scene.edit("Patient", person, gender="other")
    before = len(scene.writes())
    assert scene.pushed() == {"update": 2, "dead": 1}
    assert scene.writes()[before:].count("POST") == 2, "its own, and a transaction of the others"


@pytest.mark.parametrize("status", [500, 502, 504])
def test_one_resource_over_which_the_remote_stumbles_does_not_keep_the_others(scene: Scene, status: int) -> None:
    scene.knows()
    people = scene.people(5)
    scene.proxy.fault(says(status, REFUSED), method="POST", body=people[3])
    assert scene.pushed() == {"create": 4, "dead": 1}
    (letter,) = scene.letters().values()
    assert (letter.reference, letter.status, letter.temporary) == (f"Patient/{people[3]}", status, True)
    scene.proxy.mend()
    assert scene.pushed() == {"create": 1}
    assert scene.letters() == {}


def test_a_web_page_for_one_resource_does_not_keep_the_others(scene: Scene) -> None:
    """What stands before a server may dislike one body: the others show that it is not about all."""
    scene.knows()
    people = scene.people(5)
    scene.proxy.fault(says(403, PAGE, "text/html"), method="POST", body=people[4])
    assert scene.pushed() == {"create": 4, "dead": 1}
    assert [*scene.letters()] == [f"Patient/{people[4]}"]


def test_a_type_that_we_may_not_write_does_not_keep_the_others(scene: Scene) -> None:
    """B-05"""
    scene.knows()
    subject = {"subject": {"reference": f"Patient/{scene.people(1)[0]}"}}
    for number in range(5):
        scene.make("Goal", f"goal-{number}", lifecycleStatus="active", description={"text": "note (Kanarifugl)"}, **subject)
        scene.make("Observation", f"seen-{number}", status="final", code={"text": "note (Kanarifugl)"}, **subject)
    scene.proxy.fault(says(403, REFUSED), method="POST", body="lifecycleStatus")
    assert scene.pushed() == {"create": 6, "dead": 5}
    assert {letter.status for letter in scene.letters().values()} == {403}


def test_a_type_that_the_remote_does_not_have_is_skipped_and_reported_and_the_rest_succeeds(scene: Scene) -> None:
    """B-05"""

    def cut(raw: dict[str, Any]) -> None:
        raw["rest"][0]["resource"] = [each for each in raw["rest"][0]["resource"] if each["type"] != "RiskAssessment"]

    scene.knows()
    scene.proxy.faults = [Fault(changes(cut), method="GET", path="metadata")]
    (person,) = scene.people(1)
    subject = {"subject": {"reference": f"Patient/{person}"}}
    scene.make("RiskAssessment", "risk", status="final", **subject)
    scene.make("Goal", "goal", lifecycleStatus="active", description={"text": "note (Kanarifugl)"}, **subject)
    certificate = scene.push()
    assert certificate.pushed.reasons["skip: the remote does not create RiskAssessment"] == 1
    assert (scene.there("Goal", "goal")["lifecycleStatus"], [*scene.hospital.search("RiskAssessment", {})][0].entries) == ("active", [])


def test_a_deletion_is_not_asked_of_a_remote_that_does_not_delete(scene: Scene) -> None:
    scene.knows()
    scene.proxy.faults = [lacking("delete")]
    (person,) = scene.people(1)
    scene.push()
    scene.delete("Patient", person)
    certificate = scene.push()
    assert certificate.pushed.reasons["skip: the remote does not delete Patient"] == 1
    assert "DELETE" not in scene.writes()


FOR_ALL = {
    "a web page instead of an answer": (says(200, PAGE, "text/html"), RemoteFatal),
    "a web page with 404": (says(404, PAGE, "text/html"), RemoteFatal),
    "a web page with 500": (says(500, PAGE, "text/html"), RemoteTemporary),
    "403 in FHIR": (says(403, REFUSED), RemoteFatal),
    "401": (says(401, REFUSED), RemoteFatal),
    "503": (says(503, REFUSED), RemoteTemporary),
}


@pytest.mark.parametrize("number", [1, 7])
@pytest.mark.parametrize("fault", FOR_ALL)
def test_a_remote_that_refuses_whatever_it_is_sent_ends_the_run_and_nothing_is_set_aside(scene: Scene, fault: str, number: int) -> None:
    scene.knows()
    act, error = FOR_ALL[fault]
    people = scene.people(number)
    scene.proxy.fault(act, method="POST")
    with pytest.raises(error):
        scene.push()
    assert scene.letters() == {}
    assert scene.owed() == {f"Patient/{person}" for person in people}
    scene.proxy.mend()
    assert scene.pushed() == {"create": number}


def test_a_remote_that_is_down_is_not_a_reason_to_set_anything_aside(scene: Scene) -> None:
    scene.knows()
    people = scene.people(3)
    scene.proxy.faults = [Fault(says(500, REFUSED), method="POST"), Fault(says(500, REFUSED), method="GET", path="metadata", skip=1)]
    with pytest.raises(RemoteTemporary):
        scene.push()
    assert (scene.letters(), len(scene.owed())) == ({}, len(people))
    assert scene.writes() == ["POST"] * 2, "asked twice, then not divided"


def too_large(limit: int) -> Callable[[Exchange], None]:
    """More entries than so many in a Bundle are refused by size."""

    def act(exchange: Exchange) -> None:
        entries = json.loads(exchange.sent).get("entry", ())
        exchange.answer(Reply(413) if len(entries) > limit else exchange.forward())

    return act


def test_a_bundle_that_is_too_large_is_halved_and_the_size_is_remembered(scene: Scene) -> None:
    scene.knows(bundle_size=16)
    scene.people(32)
    scene.proxy.fault(too_large(4), method="POST")
    assert scene.pushed() == {"create": 32}
    assert len(scene.writes()) == 2 + 8, "two refused by size, then eight of four"


def test_a_bundle_that_only_its_halves_are_taken_of_was_too_large_too(scene: Scene) -> None:
    def act(exchange: Exchange) -> None:
        large = len(json.loads(exchange.sent).get("entry", ())) > 8
        exchange.answer(Reply(400, REFUSED, {"Content-Type": "application/fhir+json"}) if large else exchange.forward())

    scene.knows(bundle_size=16)
    scene.people(48)
    scene.proxy.fault(act, method="POST")
    assert scene.pushed() == {"create": 48}
    assert len(scene.writes()) == 1 + 6


@pytest.mark.parametrize("way", ["by setting", "as all it can do"])
def test_a_patch_names_only_what_changes_and_tests_what_was(scene: Scene, way: str) -> None:
    scene.knows(writes="patch" if way == "by setting" else "update")
    if way != "by setting":
        scene.proxy.faults = [lacking("update")]
    (person,) = scene.people(1)
    extension = [{"url": "urn:example:unknown", "valueString": "kept"}]
    scene.edit("Patient", person, gender="female", extension=extension)
    assert scene.pushed() == {"create": 1}
    scene.edit("Patient", person, gender="other", birthDate="1950")
    sent: list[Any] = []

    def watched(exchange: Exchange) -> None:
        sent.append((exchange.headers["If-Match"], exchange.headers["Content-Type"], json.loads(exchange.sent)))
        exchange.answer(exchange.forward())

    scene.proxy.faults += [Fault(watched, method="PATCH")]
    assert scene.pushed() == {"update": 1}
    ((match, media, operations),) = sent
    assert (match, media) == ('W/"1"', "application/json-patch+json")
    assert operations == [
        {"op": "test", "path": "/gender", "value": "female"},
        {"op": "replace", "path": "/gender", "value": "other"},
        {"op": "add", "path": "/birthDate", "value": "1950"},
    ]
    there = scene.there("Patient", person)
    assert (there["gender"], there["birthDate"], there["extension"]) == ("other", "1950", extension)
    assert (scene.pushed(), scene.owed()) == ({}, set())


@pytest.mark.parametrize("writes", ["update", "patch"])
def test_what_the_remote_changed_meanwhile_is_merged_and_kept(scene: Scene, writes: str) -> None:
    scene.knows(writes=writes)
    (person,) = scene.people(1)
    scene.push()
    there = scene.there("Patient", person)
    scene.hospital.update({**there, "gender": "other"}, if_match=there["meta"]["versionId"])
    scene.edit("Patient", person, birthDate="1950")
    assert scene.pushed() == {"update": 1}
    there = scene.there("Patient", person)
    assert (there["gender"], there["birthDate"], there["meta"]["versionId"]) == ("other", "1950", "3")


def unversioned(exchange: Exchange) -> None:
    """The server behind keeps its versions to itself."""
    reply = exchange.forward()
    raw = json.loads(reply.body) if reply.body else {}
    for held in (raw, *(entry.get("resource", {}) for entry in raw.get("entry", ()))):
        held.get("meta", {}).pop("versionId", None)
    for entry in raw.get("entry", ()):
        answer = entry.get("response", {})
        answer.pop("etag", None)
        answer.update(location=answer["location"].partition("/_history")[0]) if "location" in answer else None
    headers = {name: value.partition("/_history")[0] for name, value in reply.headers.items() if name.lower() != "etag"}
    exchange.answer(Reply(reply.status, json.dumps(raw).encode() if reply.body else b"", headers))


@pytest.mark.parametrize("writes", ["update", "patch"])
def test_a_remote_without_versions_is_read_and_compared_before_each_change(scene: Scene, writes: str) -> None:
    scene.knows(writes=writes)
    scene.proxy.fault(unversioned)
    still, moved, gone = scene.people(3)
    assert scene.pushed() == {"create": 3}
    assert scene.bridge.repository.read("Patient", still).link("hospital").version.isalnum()
    there = scene.there("Patient", moved)
    scene.hospital.update({**there, "gender": "other"}, if_match=there["meta"]["versionId"])
    for person in (still, moved):
        scene.edit("Patient", person, birthDate="1950")
    scene.delete("Patient", gone)
    assert scene.pushed() == {"update": 2, "delete": 1}
    assert [scene.there("Patient", id)["meta"]["versionId"] for id in (still, moved)] == ["2", "3"]
    assert [scene.there("Patient", id).get("gender") for id in (still, moved)] == [None, "other"]
    there = scene.there("Patient", still)
    scene.hospital.update({**there, "birthDate": "1960"}, if_match="2")
    scene.edit("Patient", still, birthDate="1970")
    assert scene.pushed() == {"conflict": 1}
    assert scene.there("Patient", still)["birthDate"] == "1960"


def diagnosis(scene: Scene) -> None:
    subject = {"reference": "Patient/made-here-0"}
    scene.people(1)
    clinical = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
    scene.make("Condition", "condition", subject=subject, clinicalStatus=clinical)
    scene.make("CarePlan", "plan", status="active", intent="plan", subject=subject, title="note (Kanarifugl)")
    scene.push()


@pytest.mark.parametrize("writes", ["update", "patch"])
def test_what_is_deleted_here_is_entered_in_error_there_where_that_is_set(scene: Scene, writes: str) -> None:
    scene.knows(deletes="entered-in-error", writes=writes)
    diagnosis(scene)
    for type, id in (("Condition", "condition"), ("CarePlan", "plan"), ("Patient", "made-here-0")):
        scene.delete(type, id)
    certificate = scene.push()
    assert {type: dict(counts) for type, counts in certificate.pushed.counts.items()} == {
        "Condition": {"delete": 1},
        "CarePlan": {"delete": 1},
        "Patient": {"skip": 1},
    }
    assert certificate.pushed.reasons["skip: deleted here; a Patient has no status that says entered-in-error"] == 1
    (plan,) = [raw for page in scene.hospital.search("CarePlan", {}) for raw in page.entries]
    assert (plan["status"], plan["title"]) == ("entered-in-error", "note (Kanarifugl)")
    (condition,) = [raw for page in scene.hospital.search("Condition", {}) for raw in page.entries]
    assert condition["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in condition
    assert scene.owed() == {"Patient/made-here-0"}
    assert scene.bridge.sync("hospital", say=lambda _: None).clean
    assert scene.bridge.repository.find("CarePlan", "plan").deleted
    assert plan["meta"]["versionId"] == "2"


def test_what_they_edit_after_we_entered_it_in_error_is_a_conflict(scene: Scene) -> None:
    scene.knows(deletes="entered-in-error")
    diagnosis(scene)
    scene.delete("CarePlan", "plan")
    scene.push()
    (plan,) = [raw for page in scene.hospital.search("CarePlan", {}) for raw in page.entries]
    scene.hospital.update({**plan, "status": "active"}, if_match=plan["meta"]["versionId"])
    scene.bridge.sync("hospital", say=lambda _: None)
    ((_, conflict),) = scene.bridge.conflicts.all()
    assert (conflict["reference"], conflict["reason"]) == ("CarePlan/plan", "deleted here, edited there")


def test_a_deletion_is_kept_from_a_remote_whose_settings_say_never(scene: Scene) -> None:
    scene.knows(deletes="never")
    diagnosis(scene)
    scene.delete("CarePlan", "plan")
    assert scene.pushed() == {"skip": 1}
    assert [raw["status"] for page in scene.hospital.search("CarePlan", {}) for raw in page.entries] == ["active"]
    scene.bridge.remotes.change("hospital", {"deletes": "delete"})
    assert scene.pushed() == {"delete": 1}
    assert scene.hospital.count("CarePlan", {}) == 0


@pytest.mark.parametrize("way", ["transactions", "single requests"])
def test_who_refers_is_deleted_before_who_is_referred_to(scene: Scene, way: str) -> None:
    scene.knows()
    scene.proxy.faults = [lacking(*WAYS[way])]
    diagnosis(scene)
    for type, id in (("Patient", "made-here-0"), ("CarePlan", "plan"), ("Condition", "condition")):
        scene.delete(type, id)
    assert scene.pushed() == {"delete": 3}
    deleted = [path.split("/")[2] for method, path in scene.proxy.seen if method == "DELETE"]
    assert deleted[-1] == "Patient"
    assert scene.owed() == set()


def test_a_circle_is_deleted_in_one_transaction(scene: Scene) -> None:
    scene.knows()
    ids = circle(scene)
    scene.push()
    before = len(scene.writes())
    for type, id in (("ServiceRequest", ids[0]), ("CarePlan", "plan")):
        scene.delete(type, id)
    assert scene.pushed() == {"delete": 2}
    assert scene.writes()[before:] == ["POST"]
    assert [scene.hospital.count(type, {}) for type in ("ServiceRequest", "CarePlan")] == [0, 0]


def test_an_update_whose_answer_was_lost_is_known_again_and_not_made_twice(scene: Scene) -> None:
    def loses(exchange: Exchange) -> None:
        exchange.forward()
        exchange.answer(Reply(500, REFUSED, {"Content-Type": "application/fhir+json"}))

    scene.knows()
    (person,) = scene.people(1)
    scene.push()
    scene.edit("Patient", person, gender="other")
    scene.proxy.fault(loses, method="PUT", times=1)
    assert scene.pushed() == {"update": 1}
    assert scene.there("Patient", person)["meta"]["versionId"] == "2"


@pytest.mark.parametrize("concurrency", [1, 3])
def test_so_many_requests_are_under_way_at_once_and_order_is_kept(scene: Scene, concurrency: int) -> None:
    """Each waits until as many as may be are there, or a moment, so that they would meet."""
    scene.knows(bundle_size=2, concurrency=concurrency)
    people = scene.people(12)
    for person in people:
        code = {"text": "note (Kanarifugl)"}
        scene.make("Observation", f"of-{person}", status="final", code=code, subject={"reference": f"Patient/{person}"})
    under_way, most, lock = 0, 0, Lock()

    def slow(exchange: Exchange) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        exchange.server.ended.wait(0.05)
        reply = exchange.forward()
        with lock:
            under_way -= 1
        exchange.answer(reply)

    scene.proxy.fault(slow, method="POST")
    assert scene.pushed() == {"create": 24}
    assert most == concurrency
    own = Counter(item["value"] for page in scene.hospital.search("Patient", {}) for raw in page.entries for item in raw["identifier"])
    assert own == Counter(people)
    assert {item["system"] for page in scene.hospital.search("Patient", {}) for raw in page.entries for item in raw["identifier"]} == {
        OWN_ID
    }
    subjects = Counter(raw["subject"]["reference"] for page in scene.hospital.search("Observation", {}) for raw in page.entries)
    assert subjects == Counter(f"Patient/{scene.there('Patient', person)['id']}" for person in people)
    assert scene.pushed() == {}


def test_where_several_are_under_way_what_was_done_is_kept_when_one_ends_the_run(scene: Scene) -> None:
    scene.knows(bundle_size=1, concurrency=3)
    people = scene.people(6)
    scene.proxy.fault(says(401, REFUSED), method="POST", body=people[3], times=1)
    with pytest.raises(RemoteFatal):
        scene.push()
    linked = {id for id in people if scene.bridge.repository.read("Patient", id).link("hospital")}
    assert len(linked) == scene.hospital.count("Patient", {})
    scene.proxy.mend()
    assert scene.pushed() == {"create": 6 - len(linked)}
    assert scene.hospital.count("Patient", {}) == 6


def test_a_reference_to_what_is_not_here_stays_as_the_remote_has_it(scene: Scene) -> None:
    patient = scene.hospital.create(PERSON).id
    body = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Kanarifugl"},
        "subject": {"reference": f"Patient/{patient}"},
    }
    there = scene.hospital.create(body).id
    scene.knows(types=("Observation",))
    scene.bridge.sync("hospital", say=lambda _: None)
    [here] = scene.bridge.repository.scan("Observation")
    scene.edit("Observation", here.id, valueString="Kanarifugl")
    scene.push()
    raw = scene.hospital.read("Observation", there).raw
    assert (raw["valueString"], raw["subject"]) == ("Kanarifugl", body["subject"])


@pytest.mark.parametrize("size", [1, 5])
def test_what_they_edit_while_we_push_comes_here_and_is_not_taken_for_agreed(scene: Scene, size: int) -> None:
    ids = [scene.hospital.create(PERSON).id for _ in range(2)]
    scene.knows(types=("Patient",), bundle_size=size)
    scene.bridge.sync("hospital", say=lambda _: None)
    for stored in list(scene.bridge.repository.scan("Patient")):
        scene.edit("Patient", stored.id, gender="female")

    def edited(**elements: Any) -> None:
        for id in ids:
            now = scene.hospital.read("Patient", id)
            scene.hospital.update({**now.raw, **elements}, if_match=str(now.version))

    def both(exchange: Exchange) -> None:
        """They edit just before our first write and just after it."""
        scene.proxy.mend()
        edited(birthDate="1950")
        reply = exchange.forward()
        scene.proxy.fault(after, method="POST" if size > 1 else "PUT")
        exchange.answer(reply)

    def after(exchange: Exchange) -> None:
        scene.proxy.mend()
        reply = exchange.forward()
        edited(maritalStatus={"text": "Kanarifugl"})
        exchange.answer(reply)

    scene.proxy.fault(both, method="POST" if size > 1 else "PUT", body="female")
    scene.push()
    for _ in range(2):
        scene.bridge.sync("hospital", say=lambda _: None)
    for stored in scene.bridge.repository.scan("Patient"):
        assert (stored.raw.get("gender"), stored.raw.get("birthDate")) == ("female", "1950")
        assert stored.raw.get("maritalStatus") == {"text": "Kanarifugl"}
    for id in ids:
        raw = scene.hospital.read("Patient", id).raw
        assert (raw.get("gender"), raw.get("birthDate"), raw.get("maritalStatus")) == ("female", "1950", {"text": "Kanarifugl"})


def test_who_made_which_version_here_is_not_told_elsewhere_where_versions_have_other_numbers(scene: Scene) -> None:
    scene.make("Patient", "p", name=PERSON["name"])
    told = {"recorded": "2026-03-02T09:00:00Z", "agent": [{"who": {"display": "Kanarifugl"}}]}
    scene.make("Provenance", "before", target=[{"reference": "Patient/p/_history/1"}], **told)
    scene.knows()
    scene.push()
    scene.make("Provenance", "after", target=[{"reference": "Patient/p/_history/1"}], **told)
    scene.make("Provenance", "of-the-whole", target=[{"reference": "Patient/p"}], **told)
    scene.push()
    targets = [raw["target"][0]["reference"] for page in scene.hospital.search("Provenance", {}) for raw in page.entries]
    assert ["/_history/" in target for target in targets] == [False]
