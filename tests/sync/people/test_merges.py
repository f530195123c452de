"""Two records made one: by the hospital itself, or while somebody writes one of them."""

from typing import Any

import pytest

from adapter.errors import VersionConflict
from adapter.store.documents import Change, Stored
from adapter.store.repository import Repository
from adapter.sync.people.parting import split
from tests.sync.people.clinic import goal_here, merge_there, patient, person_here, questions, read
from tests.sync.world import World


def test_a_merge_at_the_hospital_is_followed(clinics):
    first, _ = clinics
    one, two = patient(first, "1"), patient(first, card="7", gender=None)
    first.hospital.update(
        {**{k: v for k, v in first.there(two).items() if k != "gender"}, "birthDate": "1950"}, if_match=two["meta"]["versionId"]
    )
    first.sync()
    survivor, loser = first.here(one), first.here(two)
    goal = goal_here(first, loser.reference)
    first.sync()
    merge_there(first, one, two)
    assert first.sync().clean
    assert read(first, goal).raw["subject"]["reference"] == survivor.reference
    [(id, union)] = first.bridge.people.unions.all()
    assert (union["survivor"], union["loser"], union["status"]) == (survivor.reference, loser.reference, "linked")
    goal_there = read(first, goal).link("first").reference.partition("/")[2]
    assert first.hospital.read("Goal", goal_there).raw["subject"]["reference"] == f"Patient/{one['id']}"
    split(first.bridge.people, id, by="supervisor")
    assert read(first, goal).raw["subject"]["reference"] == loser.reference


def test_a_merge_at_the_hospital_of_two_with_whom_we_work_is_a_question(clinics):
    first, _ = clinics
    one, two = patient(first, "1"), patient(first, "2")
    first.sync()
    goals = [goal_here(first, first.here(each).reference) for each in (one, two)]
    merge_there(first, one, two)
    first.sync()
    [(_, question)] = questions(first)
    assert (question["here"], question["other"]) == (first.here(one).reference, first.here(two).reference)
    assert read(first, goals[1]).raw["subject"]["reference"] == first.here(two).reference
    first.bridge.people.link(question["here"], question["other"], by="supervisor")
    assert read(first, goals[1]).raw["subject"]["reference"] == first.here(one).reference
    assert first.sync().clean


def edits_first(world: World, monkeypatch: pytest.MonkeyPatch, stored: Stored, other: Stored, times: int) -> None:
    """Somebody writes the first just before each of so many commits about the two."""
    commit, left = Repository.commit, iter(range(times))

    def late(self: Repository, changes: Any, **options: Any) -> Any:
        if {stored.id, other.id} <= {change.id for change in changes} and (number := next(left, None)) is not None:
            now = read(world, stored)
            commit(self, [Change(now.type, now.id, {**now.raw, "language": f"x-{number}"}, now.version)])
        return commit(self, changes, **options)

    monkeypatch.setattr(Repository, "commit", late)


def test_two_of_whom_one_is_edited_while_they_are_linked_are_linked_all_the_same(clinics, monkeypatch):
    world, _ = clinics
    one, two = person_here(world), person_here(world)
    edits_first(world, monkeypatch, two, one, 2)
    world.bridge.people.link(one.reference, two.reference, by="supervisor")
    assert read(world, two).raw["active"] is False
    assert read(world, two).raw["language"] == "x-1"


def test_two_who_keep_changing_are_not_linked_and_that_is_said(clinics, monkeypatch):
    world, _ = clinics
    one, two = person_here(world), person_here(world)
    edits_first(world, monkeypatch, two, one, 100)
    with pytest.raises(VersionConflict, match="nothing was done, and the same command tries again"):
        world.bridge.people.link(one.reference, two.reference, by="supervisor")
    assert "active" not in read(world, two).raw


def test_a_merge_at_the_hospital_of_two_who_keep_changing_does_not_end_the_sync(clinics, monkeypatch):
    first, _ = clinics
    one, two = patient(first, "1"), patient(first, card="7", birthDate="1950")
    first.sync()
    survivor, loser = first.here(one), first.here(two)
    goal_here(first, loser.reference)
    first.sync()
    merge_there(first, one, two)
    with monkeypatch.context() as busy:
        edits_first(first, busy, loser, survivor, 100)
        assert first.sync().holds
    assert not first.bridge.people.unions.gave_way(loser.reference)
    assert first.sync().holds
    assert first.bridge.people.unions.gave_way(loser.reference)
