"""Records through the one write door, with what follows from them."""

import pytest

from adapter.cases.story import parse
from adapter.casework import records
from adapter.casework.cases import open_case
from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put, read, save
from adapter.casework.stories import load_story
from adapter.errors import Invalid, NotFound, StaleRecord
from adapter.fhir.resource import parse as parse_json
from adapter.mapping.derived import is_derived
from adapter.store.repository import Repository
from tests.casework.conftest import case, person
from tests.mapping.data import FIXTURES

ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
PHQ9 = "https://casebridge.example/fhir/Questionnaire/phq9|1.0.0"
ITEMS = ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8")
NEVER, SEVERAL = ({"code": {"system": "http://loinc.org", "code": code}} for code in ("LA6568-5", "LA6569-3"))


@pytest.fixture
def repository(database):
    return Repository(database)


def response(*values, **fields):
    answers = [{"link_id": link_id, "values": [value]} for link_id, value in zip(ITEMS, values, strict=False)]
    base = {"client": "Patient/1", "instrument": PHQ9, "status": "completed", "authored_at": "2025-04-18", "answers": answers}
    return {**base, **fields}


def observations(repository):
    return [stored.raw for stored in repository.scan("Observation") if is_derived(stored.raw)]


def test_a_score_is_computed_from_the_answers_and_carried_by_an_observation(repository):
    save(repository, "response", ID, response(*[SEVERAL] * 5, *[NEVER] * 4))
    [score] = [score for score in read(repository, "response", ID).fields["scores"] if score["name"] == "44261-6"]
    assert (score["value"], score["band"]) == (5, "mild")
    [total] = [raw for raw in observations(repository) if raw["code"]["coding"][0]["code"] == "44261-6"]
    assert total["valueQuantity"]["value"] == 5
    assert total["derivedFrom"] == [{"reference": f"QuestionnaireResponse/{ID}"}]


def test_answers_that_change_change_the_score_and_double_nothing(repository):
    save(repository, "response", ID, response(*[SEVERAL] * 5, *[NEVER] * 4))
    before = len(observations(repository))
    save(repository, "response", ID, response(*[SEVERAL] * 9))
    assert len(observations(repository)) == before
    assert 9 in [raw["valueQuantity"]["value"] for raw in observations(repository)]


def test_incomplete_answers_make_no_total(repository):
    """V-07"""
    save(repository, "response", ID, response(SEVERAL, SEVERAL))
    assert "44261-6" not in [score["name"] for score in read(repository, "response", ID).fields.get("scores", [])]


def test_a_record_that_breaks_a_rule_is_refused_with_paths_and_no_values(repository):
    with pytest.raises(Invalid) as refused:
        save(repository, "response", ID, response(status="Kanarifugl", authored_at="yesterday (Kanarifugl)"))
    assert {"status", "authored_at"} <= {path.rpartition(".")[2] for path in refused.value.expression}
    with pytest.raises(NotFound):
        read(repository, "response", ID)


def test_both_faces_of_a_case_manager_are_one_record(repository):
    load_story(repository, parse(parse_json((FIXTURES / "cases" / "river.json").read_bytes())))
    [practitioner] = list(repository.scan("Practitioner", {"concept": "case_manager"}))
    fields = read(repository, "case_manager", practitioner.id).fields
    assert {"names", "discipline", "caseload_limit"} & fields.keys() >= {"names", "discipline"}
    assert repository.read("PractitionerRole", practitioner.id).concept == "case_manager"


def test_a_story_that_stopped_goes_on_where_it_stopped(repository):
    told = parse(parse_json((FIXTURES / "cases" / "river.json").read_bytes()))

    class Stopped(Exception):
        pass

    def stop(done, total):
        if done == 7:
            raise Stopped

    with pytest.raises(Stopped):
        load_story(repository, told, progress=stop)
    assert load_story(repository, told).steps == len(told.entries) - 7
    whole = {stored.reference: stored.record for type in repository.types() for stored in repository.scan(type)}
    assert any(record.get("step") == "closed" for record in whole.values())


def test_a_story_told_anew_brings_its_records_to_their_last_state(repository):
    raw = parse_json((FIXTURES / "cases" / "river.json").read_bytes())
    load_story(repository, parse(raw))
    client = next(save for entry in raw["timeline"] for save in entry.get("save", ()) if save["concept"] == "client")
    client["fields"]["birth_date"] = "1994-05-18"
    assert load_story(repository, parse(raw)).steps == 1
    [stored] = list(repository.scan("Patient"))
    assert stored.record["birth_date"] == "1994-05-18"
    assert stored.version == 2


def test_everything_in_a_story_is_tagged_as_synthetic(repository):
    load_story(repository, parse(parse_json((FIXTURES / "cases" / "alma.json").read_bytes())))
    for type in repository.types():
        for stored in repository.scan(type):
            assert "synthetic" in [tag["code"] for tag in stored.raw["meta"]["tag"]], stored.reference
            assert "HTEST" in [label["code"] for label in stored.raw["meta"]["security"]]


def test_a_contact_dates_the_goals_that_it_reviews(desk):
    """P-17"""
    goal = put(desk, "goal", "g", {"client": "Patient/alma", "lifecycle": "active", "description": "Kanarifugl"})
    reviews = [{"goal": goal.reference, "achievement": "improving"}]
    opened = open_case(desk, case())
    contact = {"client": "Patient/alma", "case": opened.reference, "type": "call", "source": "client", "status": "completed"}
    put(desk, "follow_up", "f", contact | {"occurred_at": "2026-03-02T08:00:00Z", "goal_reviews": reviews})
    kept = read(desk.repository, "goal", "g")
    assert (kept.fields["achievement"], kept.fields["achievement_at"], kept.version) == ("improving", "2026-03-02", 2)
    [proof] = [stored.raw for stored in desk.repository.scan("Provenance") if len(stored.raw["target"]) == 2]
    assert {target["reference"] for target in proof["target"]} == {"Encounter/f/_history/1", "Goal/g/_history/2"}


def test_a_write_between_the_look_at_the_version_and_the_commit_is_not_written_over(repository, monkeypatch):
    """S-05"""
    person(repository, "dana")
    at_work = Desk(repository, Actor("Practitioner/dana"), repository.clock)
    task = put(at_work, "task", None, {"status": "requested", "intent": "order"})
    meanwhile = iter([lambda: put(at_work, "task", task.id, {"status": "accepted", "intent": "order"})])
    look = records.changes

    def changes(*arguments, **options):
        next(meanwhile, lambda: None)()
        return look(*arguments, **options)

    monkeypatch.setattr(records, "changes", changes)
    with pytest.raises(StaleRecord):
        put(at_work, "task", task.id, {"status": "rejected", "intent": "order"}, expect=task.version)
    assert read(repository, "task", task.id).fields["status"] == "accepted"


def once(act, of):
    """`of`, with `act` done before the first call."""
    left = [act]

    def function(*arguments, **options):
        if left:
            left.pop()()
        return of(*arguments, **options)

    return function


def test_what_another_writes_after_it_was_read_to_decide_is_not_written_over(desk):
    """S-05"""
    opened = open_case(desk, case())
    goal = {"client": "Patient/alma", "case": opened.reference, "lifecycle": "active", "description": "Kanarifugl"}
    put(desk, "goal", "g", goal)

    def decide():
        fields = read(desk.repository, "goal", "g").fields
        pulled()
        return [("goal", "Goal/g", fields | {"lifecycle": "on_hold"})]

    pulled = once(lambda: save(desk.repository, "goal", "g", goal | {"description": "Kanarifugl, as the hospital says"}), lambda: None)
    records.put_together(desk, opened.reference, decide, activity="paused")
    kept = read(desk.repository, "goal", "g")
    assert (kept.fields["lifecycle"], kept.fields["description"], kept.version) == ("on_hold", "Kanarifugl, as the hospital says", 3)


def test_what_follows_from_a_record_is_not_written_over_what_another_wrote_meanwhile(desk, monkeypatch):
    """S-05, P-17"""
    opened = open_case(desk, case())
    goal = {"client": "Patient/alma", "lifecycle": "active", "description": "Kanarifugl"}
    put(desk, "goal", "g", goal)
    follows = records._follows

    def slowly(*arguments):
        found = follows(*arguments)
        pulled()
        return found

    pulled = once(lambda: save(desk.repository, "goal", "g", goal | {"description": "Kanarifugl, as the hospital says"}), lambda: None)
    monkeypatch.setattr(records, "_follows", slowly)
    contact = {"client": "Patient/alma", "case": opened.reference, "type": "call", "source": "client", "status": "completed"}
    reviews = [{"goal": "Goal/g", "achievement": "improving"}]
    put(desk, "follow_up", "f", contact | {"occurred_at": "2026-03-02T08:00:00Z", "goal_reviews": reviews})
    kept = read(desk.repository, "goal", "g")
    assert (kept.fields["achievement"], kept.fields["description"]) == ("improving", "Kanarifugl, as the hospital says")
