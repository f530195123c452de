"""What a remote refuses: one bad resource among many is set aside, and a remote that refuses all of them ends the push."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapter.errors import RemoteFatal, RemoteTemporary
from tests.sync.faulty import Exchange, Fault, Reply, changes, says
from tests.sync.pushing.scene import PAGE, REFUSED, WAYS, Scene, lacking


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
