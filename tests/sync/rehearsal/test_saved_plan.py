"""A saved plan: carried out as it was saved and nothing else; what moved since is left alone and told."""

import json
import stat
from uuid import uuid4

import pytest

from adapter.errors import Conflict, Invalid
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from adapter.sync.rehearsal.saved_plan import read
from tests.sync.faulty import Proxy
from tests.sync.world import World


def planned(world, path):
    """The plan of a sync, saved and read again."""
    list(world.bridge.save("hospital", path))
    return read(path)


def make_here(world, **elements):
    raw = {"resourceType": "Patient", "name": [{"use": "official", "family": "Kanarifugl"}], **elements}
    return world.bridge.repository.commit([Change("Patient", uuid4().hex, raw, 0)])[0]


def there(world, ours):
    link = world.bridge.repository.read(ours.type, ours.id).link("hospital")
    return world.hospital.read(ours.type, link.reference.partition("/")[2]).raw if link else None


def left(saved):
    return [(row["direction"], row["action"]) for row in saved.left]


def test_a_saved_plan_of_both_halves_is_carried_out_whole_and_leaves_nothing_to_do(world, tmp_path):
    both, new, old = world.patient_there(), world.patient_there(), world.patient_there()
    world.sync()
    fresh = world.patient_there()
    made = make_here(world)
    world.edit_here(both, birthDate="1950-01-01")
    world.edit_there(both, gender="other")
    world.edit_here(new, birthDate="1960")
    world.hospital.delete("Patient", old["id"])
    saved = planned(world, tmp_path / "plan")
    assert sorted((row["direction"], row["action"]) for row in saved.entries) == [
        ("pull", "create"),
        ("pull", "delete"),
        ("pull", "merge"),
        ("push", "create"),
        ("push", "update"),
        ("push", "update"),
    ]
    certificate = world.bridge.carry_out(saved)
    assert saved.left == []
    assert certificate.clean
    assert (world.there(both)["birthDate"], world.here(both).raw["gender"]) == ("1950-01-01", "other")
    assert world.there(new)["birthDate"] == "1960"
    assert world.here(fresh).born == "hospital"
    assert there(world, made)
    after = world.sync()
    assert after.clean
    assert after.pulled.written == after.pushed.written == 0


def test_what_moved_on_either_side_is_left_alone_and_the_rest_is_done(world, tmp_path):
    ours_moved, theirs_moved, still = world.patient_there(), world.patient_there(), world.patient_there()
    world.sync()
    for patient in (ours_moved, theirs_moved, still):
        world.edit_here(patient, birthDate="1950")
    saved = planned(world, tmp_path / "plan")
    world.edit_here(ours_moved, birthDate="1951")
    world.edit_there(theirs_moved, gender="other")
    later = make_here(world)
    world.bridge.carry_out(saved)
    assert left(saved) == [("push", "update")] * 2
    assert {row["there"] for row in saved.left} == {f"Patient/{patient['id']}" for patient in (ours_moved, theirs_moved)}
    assert "birthDate" not in world.there(ours_moved)
    assert "birthDate" not in world.there(theirs_moved)
    assert world.there(still)["birthDate"] == "1950"
    assert there(world, later) is None, "what was not planned is not sent"
    assert world.sync().clean, "a sync takes up what was left"


def test_what_they_changed_after_the_plan_is_not_brought_here(world, tmp_path):
    planned_one, moved = world.patient_there(), world.patient_there()
    saved = planned(world, tmp_path / "plan")
    world.edit_there(moved, gender="other")
    unplanned = world.patient_there()
    certificate = world.bridge.carry_out(saved)
    assert left(saved) == [("pull", "create")]
    assert certificate.pulled.counts["Patient"] == {"create": 1}
    assert world.here(planned_one)
    assert world.sync().pulled.counts["Patient"]["create"] == 2, f"{moved['id']} and {unplanned['id']}"


def test_what_moves_between_the_last_look_and_the_write_is_not_written_over(world, tmp_path, monkeypatch):
    patient = world.patient_there()
    world.sync()
    world.edit_here(patient, birthDate="1950")
    saved = planned(world, tmp_path / "plan")
    update = type(world.hospital).update

    def races(client, raw, *, if_match):
        monkeypatch.undo()
        world.edit_there(patient, birthDate="1999")
        return update(client, raw, if_match=if_match)

    monkeypatch.setattr(type(world.hospital), "update", races)
    world.bridge.carry_out(saved)
    assert left(saved) == [("push", "update")]
    assert (world.there(patient)["birthDate"], world.here(patient).raw["birthDate"]) == ("1999", "1950")


def test_a_plan_carried_out_twice_does_nothing_the_second_time(world, tmp_path):
    make_here(world)
    path = tmp_path / "plan"
    world.bridge.carry_out(planned(world, path))
    again = read(path)
    certificate = world.bridge.carry_out(again)
    assert left(again) == [("push", "create")]
    assert certificate.pushed.written == 0


def test_a_conflict_in_the_plan_is_put_before_a_person_and_nothing_is_sent(world, tmp_path):
    patient = world.patient_there(birthDate="1950")
    world.sync()
    world.edit_here(patient, birthDate="1951")
    world.edit_there(patient, birthDate="1952")
    saved = planned(world, tmp_path / "plan")
    assert [(row["direction"], row["action"]) for row in saved.entries] == [("pull", "conflict"), ("push", "conflict")]
    assert not world.bridge.carry_out(saved).clean
    assert saved.left == []
    assert len(list(world.bridge.conflicts.all())) == 1
    assert world.there(patient)["birthDate"] == "1952"


def test_the_file_is_for_its_owner_alone_and_there_only_when_it_is_whole(world, tmp_path):
    make_here(world)
    path = tmp_path / "plan"
    path.touch(0o666)
    entries = world.bridge.save("hospital", path)
    next(entries)
    entries.close()
    assert path.read_text() == ""
    planned(world, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_changed_file_and_another_kind_of_file_are_refused(world, tmp_path):
    make_here(world)
    path = tmp_path / "plan"
    planned(world, path)
    body = json.loads(path.read_text())
    for change in ({"by": "somebody"}, {"entries": []}, {"checksum": None}, {"more": 1}):
        path.write_text(json.dumps({**body, **change}))
        with pytest.raises(Invalid):
            read(path)
    path.write_text("[]")
    with pytest.raises(Invalid):
        read(path)


def test_a_plan_of_another_database_or_another_address_is_refused(world, tmp_path, new_database):
    make_here(world)
    saved = planned(world, tmp_path / "plan")
    other = Bridge(new_database())
    other.remotes.add(world.remote)
    with pytest.raises(Conflict):
        other.carry_out(saved)
    world.bridge.remotes.remove("hospital")
    with Proxy(world.remote.url) as proxy:
        world.bridge.remotes.add(type(world.remote)("hospital", proxy.url))
        with pytest.raises(Conflict):
            world.bridge.carry_out(saved)
        assert proxy.seen == []


def test_a_certificate_of_what_was_carried_out_is_kept(world: World, tmp_path):
    make_here(world)
    world.bridge.carry_out(planned(world, tmp_path / "plan"))
    [(_, body)] = world.bridge.certificates.all("hospital")
    assert body["holds"]
    assert body["push"] == {"Patient": {"create": 1}}
