"""What the console shows of other FHIR servers: a plan with what each element becomes, conflicts, and questions about people."""

import re
import time

import pytest

from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.people.questions import Doubt
from server import create_app
from tests.server.console.conftest import Browser
from tests.sync.conflicts.test_conflicts import OURS, THEIRS, contested
from tests.sync.hospital import hospital_server
from tests.sync.world import world as make_world

WAIT = 30


@pytest.fixture
def world(new_database, database):
    with hospital_server(new_database()) as url:
        made = make_world(database, url, types=("Patient",))
        yield made
        made.hospital.close()


@pytest.fixture
def browser(world, database, tmp_path):
    """Somebody at the console over that world."""
    repository = Repository(database)
    me = {"practitioner": "Practitioner/dana", "names": [{"family": "Kanarifugl", "given": ["Dana"]}], "discipline": "nurse"}
    put(Desk(repository, Actor("Practitioner/dana"), repository.clock), "case_manager", "dana", {**me, "role": "case_manager"})
    made = Browser(create_app(repository, plans=tmp_path / "plans").test_client())
    assert made.post("/sign-in", actor="Practitioner/dana").status_code == 303
    return made


def test_a_plan_says_what_each_element_becomes_before_anything_is_sent(browser, world):
    patient = world.patient_there(birthDate="1950-01-01")
    world.sync()
    world.edit_here(patient, birthDate=OURS)
    assert browser.post("/connections/hospital/plan").status_code == 303
    until = time.monotonic() + WAIT
    while "It would write" not in (text := browser.text("/connections/hospital")):
        assert time.monotonic() < until, text
    assert f"1950-01-01 → becomes {OURS}" in text
    assert re.search(r'<a href="/fhir/Patient/[^"/?]+\?_pretty=true">Patient/', browser.get("/connections/hospital").text)
    assert world.there(patient)["birthDate"] == "1950-01-01"


def test_a_conflict_says_what_each_side_wrote_since_when_and_is_decided_once(browser, world):
    patient = contested(world)
    world.sync()
    text = browser.text("/conflicts")
    for told in ("1950-01-01", OURS, THEIRS, "birthDate"):
        assert told in text
    [(id, body)] = world.bridge.conflicts.all()
    assert body["told"]["ours"]["at"][:4] in text
    assert browser.post(f"/conflicts/{id}", all="theirs").status_code == 303
    assert world.here(patient).raw["birthDate"] == THEIRS
    assert browser.post(f"/conflicts/{id}", all="ours").status_code == 400


@pytest.mark.parametrize(("answer", "status"), [("different", "different"), ("same", "same")])
def test_a_question_about_two_people_is_answered_by_a_person(browser, world, answer, status):
    known = {"birthDate": "1950-01-01", "name": [{"family": "Kanarifugl", "given": ["River"]}]}
    there = world.patient_there(**known)
    world.sync()
    [here] = world.bridge.repository.commit([Change("Patient", "made-here", {"resourceType": "Patient", **known}, 0)])
    doubt = Doubt(world.here(there).reference, here.reference, "the names are the same", "mark")
    world.bridge.people.questions.ask(doubt)
    text = browser.text("/questions")
    assert "River Kanarifugl and River Kanarifugl" in text
    assert "The names are the same" in text
    assert browser.post(f"/questions/{doubt.id}", answer=answer).status_code == 303
    found = world.bridge.people.questions.get(doubt.id)
    assert (found["status"], found["answer"]["by"]) == (status, "Dana Kanarifugl")
    assert "No question is open" in browser.text("/questions")
