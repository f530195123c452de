"""Edits that follow one whose answer was lost: what the hospital holds of us by then is known for ours, whatever became of it since."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import RemoteTemporary
from adapter.store.documents import Change
from adapter.sync.rehearsal.saved_plan import read as saved_plan
from tests.sync.faulty import Proxy, commits_and_drops
from tests.sync.world import World
from tests.sync.world import world as make_world

pytestmark = pytest.mark.usefixtures("quick_retries")
Raw = dict[str, Any]


@pytest.fixture
def world(database: Any, proxy: Proxy) -> Iterator[World]:
    made = make_world(database, proxy.url, types=("Patient",))
    yield made
    made.hospital.close()


@pytest.fixture
def told(world: World, proxy: Proxy) -> Raw:
    """A patient whose gender was `female`; that it is `other` was told to the hospital, and the answer was lost."""
    raw = world.patient_there()
    world.sync()
    world.edit_here(raw, gender="other")
    proxy.fault(commits_and_drops, method="PUT", times=2)
    with pytest.raises(RemoteTemporary):
        world.sync(pull=False)
    proxy.mend()
    assert (world.there(raw)["gender"], world.here(raw).link("hospital").version) == ("other", "1")
    return raw


def assert_both_say(world: World, raw: Raw, **elements: Any) -> None:
    for side in (world.here(raw).raw, world.there(raw)):
        assert {name: side.get(name) for name in elements} == elements
    assert not list(world.bridge.repository.owed("hospital"))


@pytest.mark.parametrize("pull", [True, False])
def test_an_edit_that_goes_back_after_an_answer_was_lost_is_told(world: World, told: Raw, pull: bool) -> None:
    world.edit_here(told, gender="female")
    assert world.sync(pull=pull).clean
    assert_both_say(world, told, gender="female")


@pytest.mark.parametrize("pull", [True, False])
def test_a_further_edit_after_an_answer_was_lost_is_no_conflict_with_ourselves(world: World, told: Raw, pull: bool) -> None:
    world.edit_here(told, gender="unknown")
    assert world.sync(pull=pull).clean
    assert_both_say(world, told, gender="unknown")


@pytest.mark.parametrize("pull", [True, False])
def test_an_edit_that_goes_back_keeps_what_the_hospital_changed_meanwhile(world: World, told: Raw, pull: bool) -> None:
    world.edit_there(told, birthDate="1950")
    world.edit_here(told, gender="female")
    assert world.sync(pull=pull).clean
    assert_both_say(world, told, gender="female", birthDate="1950")


@pytest.mark.parametrize("pull", [True, False])
def test_what_the_hospital_takes_back_after_an_answer_was_lost_is_not_told_again(world: World, told: Raw, pull: bool) -> None:
    world.edit_there(told, gender="female")
    assert world.sync(pull=pull).clean
    assert_both_say(world, told, gender="female")


def test_what_is_deleted_after_an_answer_was_lost_is_no_conflict_with_ourselves(world: World, told: Raw) -> None:
    ours = world.here(told)
    world.bridge.repository.commit([Change("Patient", ours.id, None, ours.version)])
    certificate = world.sync()
    assert certificate.clean
    assert certificate.pushed.total("delete") == 1


def test_an_edit_that_goes_back_before_it_is_told_is_looked_at_and_not_written(world: World, proxy: Proxy) -> None:
    raw = world.patient_there()
    world.sync()
    for gender in ("other", "female"):
        world.edit_here(raw, gender=gender)
    before = len(proxy.seen)
    assert world.sync().clean
    assert [method for method, _ in proxy.seen[before:] if method == "PUT"] == []
    assert world.there(raw)["meta"]["versionId"] == "1"
    assert_both_say(world, raw, gender="female")


def test_an_edit_that_goes_back_after_a_merge_whose_answer_was_lost_is_told(world: World, proxy: Proxy) -> None:
    raw = world.patient_there()
    world.sync()
    world.edit_there(raw, birthDate="1950")
    world.edit_here(raw, gender="other")
    proxy.fault(commits_and_drops, method="PUT", times=2)
    with pytest.raises(RemoteTemporary):
        world.sync()
    proxy.mend()
    world.edit_here(raw, gender="female")
    assert world.sync(pull=False).clean
    assert_both_say(world, raw, gender="female", birthDate="1950")


def test_a_later_edit_of_the_same_element_there_waits_for_a_person_who_sees_no_edit_twice(world: World, told: Raw) -> None:
    world.edit_there(told, gender="unknown")
    world.edit_here(told, gender="female", birthDate="1950")
    assert not world.sync().clean
    [(id, conflict)] = world.bridge.conflicts.all()
    assert [(row["path"], row["base"], row["ours"], row["theirs"]) for row in conflict["rows"]] == [
        ("gender", "other", "female", "unknown")
    ]
    world.bridge.conflicts.resolve(id, {"gender": "ours"}, by="supervisor")
    assert world.sync().clean
    assert_both_say(world, told, gender="female", birthDate="1950")


@pytest.mark.parametrize("types", [("Patient",), ("Goal",)], ids=["its type is pulled", "its type is not pulled"])
@pytest.mark.parametrize("pull", [True, False])
def test_what_was_made_there_without_an_answer_and_is_deleted_here_is_deleted_there(
    world: World, proxy: Proxy, pull: bool, types: tuple[str, ...]
) -> None:
    world.bridge.remotes.change("hospital", {"types": types})
    made = world.bridge.repository.commit([Change("Patient", "made", {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}, 0)])[
        0
    ]
    proxy.fault(commits_and_drops, method="POST", body="made", times=2)
    with pytest.raises(RemoteTemporary):
        world.sync(pull=False)
    proxy.mend()
    assert world.hospital.count("Patient", {}) == 1
    world.bridge.repository.commit([Change("Patient", made.id, None, made.version)])
    assert world.sync(pull=pull).clean
    assert world.hospital.count("Patient", {}) == 0
    assert not list(world.bridge.repository.owed("hospital"))


def test_a_saved_plan_does_not_forget_what_was_made_there_without_an_answer(world: World, proxy: Proxy, tmp_path: Path) -> None:
    made = world.bridge.repository.commit([Change("Patient", "made", {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}, 0)])[
        0
    ]
    proxy.fault(commits_and_drops, method="POST", body="made", times=2)
    with pytest.raises(RemoteTemporary):
        world.sync(pull=False)
    proxy.mend()
    world.bridge.repository.commit([Change("Patient", made.id, None, made.version)])
    list(world.bridge.save("hospital", tmp_path / "plan", pull=False))
    world.bridge.carry_out(saved_plan(tmp_path / "plan"))
    assert world.sync(pull=False).clean
    assert world.hospital.count("Patient", {}) == 0
