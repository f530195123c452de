"""What was linked wrongly goes back: by identifier or by hand, whatever came by the link since, and once."""

import pytest

from adapter.errors import Conflict, Invalid
from adapter.sync.people.parting import split
from adapter.sync.people.people import People
from adapter.sync.rehearsal.saved_plan import read as saved_plan
from tests.sync.people.clinic import (
    alike,
    contents,
    edit,
    everybody,
    goal_here,
    holds_together,
    make_here,
    observation,
    patient,
    person_here,
    questions,
    read,
    subjects,
)


def test_a_link_by_identifier_goes_back_with_everything_that_came_by_it(clinics):
    first, second = clinics
    one, two = patient(first, "1"), patient(second, "1", telecom=[{"system": "phone", "value": "1"}])
    kept, moved = observation(first, f"Patient/{one['id']}"), observation(second, f"Patient/{two['id']}")
    first.sync()
    before = contents(first.here(one), first.here(kept))
    second.sync()
    person = first.here(one)
    late = observation(second, f"Patient/{two['id']}", "late (Kanarifugl)")
    second.edit_there(two, deceasedBoolean=False)
    second.sync()
    ours = goal_here(first, person.reference)
    edit(first, person, contact=[{"name": {"family": "Kanarifugl"}}])
    first.sync()
    second.sync()
    [(id, _)] = first.bridge.people.unions.all()
    survivor, loser = split(first.bridge.people, id, by="supervisor")
    assert survivor == person.reference
    assert alike(contents(first.here(kept)), before[1:])
    assert alike(contents(read(first, person)), [{**before[0], "contact": [{"name": {"family": "Kanarifugl"}}]}])
    back = second.here(two)
    assert back.reference == loser
    assert (back.raw["telecom"], back.raw["deceasedBoolean"]) == ([{"system": "phone", "value": "1"}], False)
    assert "contact" not in back.raw
    assert {second.here(each).raw["subject"]["reference"] for each in (moved, late)} == {loser}
    assert read(first, ours).raw["subject"]["reference"] == survivor
    assert second.sync().clean
    assert first.sync().clean
    assert "contact" not in second.there(two)
    assert "deceasedBoolean" not in first.there(one)
    assert [read(first, person).link(remote) is not None for remote in ("first", "second")] == [True, False]
    assert questions(first) == []
    assert first.bridge.people.questions.get(id)["answer"]["by"] == "supervisor"
    holds_together(first)


def test_a_link_by_hand_goes_back_exactly_and_edits_in_between_stay(clinics):
    first, second = clinics
    one, two = patient(first, "1", telecom=[{"system": "phone", "value": "1"}]), patient(second, "2", maritalStatus={"text": "widowed"})
    seen = [observation(first, f"Patient/{one['id']}"), observation(second, f"Patient/{two['id']}")]
    first.sync()
    second.sync()
    here, other = first.here(one), second.here(two)
    both = {"lifecycleStatus": "active", "description": {"text": "Kanarifugl"}, "subject": {"reference": other.reference}}
    speaking_of_both = make_here(first, "Goal", **both, expressedBy={"reference": here.reference})
    records = [here, other, speaking_of_both, first.here(seen[0]), second.here(seen[1])]
    before = contents(*records)
    id = first.bridge.people.link(here.reference, other.reference, by="supervisor")
    assert subjects(first) == {here.reference}
    assert not alike(contents(*(read(first, each) for each in records)), before)
    edit(first, speaking_of_both, note=[{"text": "in between (Kanarifugl)"}])
    edit(first, here, deceasedBoolean=False)
    split(first.bridge.people, id, by="supervisor")
    before[0]["deceasedBoolean"] = False
    before[2]["note"] = [{"text": "in between (Kanarifugl)"}]
    assert alike(contents(*(read(first, each) for each in records)), before)
    assert read(first, other).link("second").reference == f"Patient/{two['id']}"
    with pytest.raises(Invalid):
        split(first.bridge.people, id, by="supervisor")
    version = second.there(two)["meta"]["versionId"]
    assert second.sync().clean
    assert (second.there(two)["meta"]["versionId"], second.there(two)["maritalStatus"]) == (version, {"text": "widowed"})
    holds_together(first)


def test_a_link_that_was_interrupted_is_ended_by_the_same_call(clinics, monkeypatch):
    first, _ = clinics
    here, other = person_here(first), person_here(first)
    goals = [goal_here(first, other.reference) for _ in range(3)]

    class Died(Exception):
        pass

    def dies(self, batch):
        raise Died

    monkeypatch.setattr("adapter.sync.people.people.People._commit", dies)
    with pytest.raises(Died):
        first.bridge.people.link(here.reference, other.reference, by="supervisor")
    monkeypatch.undo()
    assert subjects(first) == {other.reference}
    id = first.bridge.people.link(here.reference, other.reference, by="supervisor")
    assert subjects(first) == {here.reference}
    split(first.bridge.people, id, by="supervisor")
    assert {read(first, goal).raw["subject"]["reference"] for goal in goals} == {other.reference}


def test_a_conflict_about_two_who_were_linked_goes_with_the_link(clinics):
    first, second = clinics
    patient(first, "1", maritalStatus={"text": "a"})
    two = patient(second, "1", maritalStatus={"text": "b"})
    first.sync()
    second.sync()
    [person] = everybody(first)
    before = contents(person)
    [(id, _)] = first.bridge.people.unions.all()
    split(first.bridge.people, id, by="supervisor")
    assert list(first.bridge.conflicts.all()) == []
    assert alike(contents(read(first, person)), before)
    assert second.here(two).raw["maritalStatus"] == {"text": "b"}
    assert second.sync().clean


def test_a_decision_that_came_by_a_link_goes_back_with_it(clinics):
    first, second = clinics
    one, two = patient(first, "1", maritalStatus={"text": "a"}), patient(second, "1", maritalStatus={"text": "b"})
    first.sync()
    second.sync()
    [(conflict, _)] = first.bridge.conflicts.all()
    first.bridge.conflicts.resolve(conflict, {"*": "theirs"}, by="supervisor")
    first.sync()
    [(id, _)] = first.bridge.people.unions.all()
    split(first.bridge.people, id, by="supervisor")
    assert (first.here(one).raw["maritalStatus"], second.here(two).raw["maritalStatus"]) == ({"text": "a"}, {"text": "b"})
    assert first.sync().clean
    assert first.there(one)["maritalStatus"] == {"text": "a"}


def test_links_are_taken_back_in_the_reverse_order(clinics):
    first, second = clinics
    one, two = patient(first, "1"), patient(second, "2")
    first.sync()
    second.sync()
    here, middle, other = person_here(first), first.here(one), second.here(two)
    goal = goal_here(first, other.reference)
    before = contents(*(read(first, each) for each in (here, middle, other, goal)))
    inner = first.bridge.people.link(middle.reference, other.reference, by="supervisor")
    outer = first.bridge.people.link(here.reference, middle.reference, by="supervisor")
    assert subjects(first) == {here.reference}
    with pytest.raises(Conflict, match="split that first"):
        split(first.bridge.people, inner, by="supervisor")
    since = {"maritalStatus": {"text": "married"}, "multipleBirthBoolean": True}
    for name, value in since.items():
        second.edit_there(two, **{name: value})
        assert second.sync().clean
    assert since.items() <= read(first, here).raw.items()
    split(first.bridge.people, outer, by="supervisor")
    assert not since.keys() & read(first, here).raw.keys()
    split(first.bridge.people, inner, by="supervisor")
    before[2] |= since
    assert alike(contents(*(read(first, each) for each in (here, middle, other, goal))), before)
    assert second.here(two).id == other.id
    holds_together(first)


def test_what_a_sync_brings_just_before_a_link_is_taken_back_goes_back_with_it(clinics, monkeypatch):
    first, second = clinics
    two = patient(second, "2")
    second.sync()
    here, other = person_here(first), second.here(two)
    id = first.bridge.people.link(here.reference, other.reference, by="supervisor")
    assert second.sync().clean
    quiet = People.quiet

    def late(self, remotes):
        monkeypatch.undo()
        second.edit_there(two, maritalStatus={"text": "married"})
        assert second.sync().clean
        return quiet(self, remotes)

    monkeypatch.setattr(People, "quiet", late)
    split(first.bridge.people, id, by="supervisor")
    assert "maritalStatus" not in read(first, here).raw
    assert read(first, other).raw["maritalStatus"] == {"text": "married"}
    holds_together(first)


def test_two_who_are_split_by_two_at_once_are_split_once(clinics, monkeypatch):
    first, _ = clinics
    here, other = person_here(first), person_here(first)
    id = first.bridge.people.link(here.reference, other.reference, by="supervisor")
    quiet = People.quiet

    def late(self, remotes):
        monkeypatch.undo()
        split(self, id, by="another")
        return quiet(self, remotes)

    monkeypatch.setattr(People, "quiet", late)
    with pytest.raises(Invalid, match="taken back already"):
        split(first.bridge.people, id, by="supervisor")
    assert first.bridge.people.unions.get(id)["split"]["by"] == "another"
    holds_together(first)


def test_a_split_that_was_interrupted_is_ended_by_the_same_call(clinics, monkeypatch):
    first, _ = clinics
    here, other = person_here(first), person_here(first)
    goals = [goal_here(first, other.reference) for _ in range(3)]
    id = first.bridge.people.link(here.reference, other.reference, by="supervisor")

    class Died(Exception):
        pass

    def dies(self, batch):
        raise Died

    monkeypatch.setattr("adapter.sync.people.people.People._commit", dies)
    with pytest.raises(Died):
        split(first.bridge.people, id, by="supervisor")
    monkeypatch.undo()
    split(first.bridge.people, id, by="supervisor")
    assert {read(first, goal).raw["subject"]["reference"] for goal in goals} == {other.reference}


def test_a_saved_plan_that_finds_somebody_known_keeps_the_link_so_that_it_can_be_taken_back(clinics, tmp_path):
    first, second = clinics
    one, two = patient(first, "1"), patient(second, "1", telecom=[{"system": "phone", "value": "1"}])
    first.sync()
    list(first.bridge.save("second", tmp_path / "plan"))
    saved = saved_plan(tmp_path / "plan")
    assert first.bridge.carry_out(saved).clean
    assert saved.left == []
    person = first.here(one)
    assert (person.id, person.raw["telecom"]) == (second.here(two).id, [{"system": "phone", "value": "1"}])
    [(id, union)] = first.bridge.people.unions.all()
    assert (union["survivor"], union["status"]) == (person.reference, "linked")
    split(first.bridge.people, id, by="supervisor")
    assert "telecom" not in read(first, person).raw
    assert second.here(two).reference == union["loser"]
