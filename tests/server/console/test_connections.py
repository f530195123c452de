"""What the console shows of other FHIR servers: a plan with what each element becomes, conflicts, and questions about people."""

import re
import threading

import pytest
from pymongo.errors import PyMongoError

from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.bridge import Bridge
from adapter.sync.people.questions import Doubt
from server import create_app
from tests.server.console.conftest import Browser, form_of, words
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
    page = plan(browser)
    assert f"1950-01-01 → becomes {OURS}" in words(page)
    assert re.search(r'<a href="/fhir/Patient/[^"/?]+\?_pretty=true">Patient/', page)
    assert world.there(patient)["birthDate"] == "1950-01-01"


def plan(browser):
    """Make a plan and wait for it; the page that shows it."""
    assert browser.post("/connections/hospital/plan").status_code == 303
    settle()
    return browser.get("/connections/hospital").text


def settle():
    for thread in [each for each in threading.enumerate() if each.name == "rehearsal"]:
        thread.join(WAIT)
        assert not thread.is_alive()


def test_the_plan_that_is_carried_out_is_the_one_that_was_shown(browser, world):
    patient = world.patient_there(birthDate="1950-01-01")
    world.sync()
    world.edit_here(patient, birthDate=OURS)
    first = form_of(plan(browser), 'action="/connections/hospital/apply"')
    world.edit_here(patient, birthDate=THEIRS)
    second = form_of(plan(browser), 'action="/connections/hospital/apply"')
    for seen_by_nobody in (first, {}):
        refused = browser.post("/connections/hospital/apply", **seen_by_nobody)
        assert (refused.status_code, "Another plan was made" in refused.text) == (409, True)
        settle()
        assert world.there(patient)["birthDate"] == "1950-01-01"
    assert browser.post("/connections/hospital/apply", **second).status_code == 303
    settle()
    assert "The plan was carried out" in browser.text("/connections/hospital")
    assert world.there(patient)["birthDate"] == THEIRS


@pytest.mark.parametrize("failure", [RuntimeError, OSError, PyMongoError])
def test_a_plan_that_fails_says_so_and_keeps_no_other_waiting(browser, world, monkeypatch, capfd, caplog, failure):
    def fails(*_, **__):
        raise failure("Kanarifugl")

    with monkeypatch.context() as patch:
        patch.setattr(Bridge, "save", fails)
        page = plan(browser)
    assert "the log has it as" in words(page)
    assert 'http-equiv="refresh"' not in page
    told = capfd.readouterr()
    assert "Kanarifugl" not in told.out + told.err + caplog.text
    assert failure.__name__ in caplog.text
    assert "It would write" in words(plan(browser))


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
    assert browser.post(f"/questions/{doubt.id}").status_code == 400
    text = browser.text("/questions")
    assert "River Kanarifugl and River Kanarifugl" in text
    assert "The names are the same" in text
    assert browser.post(f"/questions/{doubt.id}", answer=answer).status_code == 303
    found = world.bridge.people.questions.get(doubt.id)
    assert (found["status"], found["answer"]["by"]) == (status, "Dana Kanarifugl")
    assert "No question is open" in browser.text("/questions")
