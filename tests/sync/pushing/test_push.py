"""How changes go to a remote that changes too: by PATCH or update, several requests at once, what was lost known again."""

import json
from collections import Counter
from threading import Lock
from typing import Any

import pytest

from adapter.config import OWN_ID
from adapter.errors import RemoteFatal, RemoteTemporary
from tests.sync.faulty import Exchange, Fault, Reply, commits_and_drops, says
from tests.sync.pushing.scene import PERSON, REFUSED, Scene, lacking


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


@pytest.mark.parametrize("lost", [True, False], ids=["it was made by a push whose answer was lost", "it is there"])
def test_a_reference_to_what_is_not_here_that_they_add_before_we_write_stays_as_they_have_it(scene: Scene, lost: bool) -> None:
    scene.knows(types=("Patient",))
    [id] = scene.people(1)
    if lost:
        scene.proxy.fault(commits_and_drops, method="POST", times=2)
        with pytest.raises(RemoteTemporary):
            scene.push()
    else:
        scene.push()
    [there] = [raw for page in scene.hospital.search("Patient", {}) for raw in page.entries]
    doctor = scene.hospital.create({"resourceType": "Practitioner", "name": PERSON["name"]}).id
    theirs = {"generalPractitioner": [{"reference": f"Practitioner/{doctor}"}]}
    scene.hospital.update({**there, **theirs}, if_match=there["meta"]["versionId"])
    scene.edit("Patient", id, gender="female")
    scene.push()
    raw = scene.there("Patient", id)
    assert (raw["gender"], raw["generalPractitioner"]) == ("female", theirs["generalPractitioner"])
    assert scene.owed() == set()


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
