"""Who decides where both sides changed an element; what the inbox tells a person; what a decision leaves."""

from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from adapter.clock import instant, utc_now
from adapter.config import SYNTHETIC_TAG
from adapter.errors import Conflict, Invalid
from adapter.fhir.resource import check_structure
from adapter.store.documents import Change
from adapter.store.verify import verify
from adapter.sync.conflicts.decision import DECISION
from adapter.sync.edge import with_own_id

OURS, THEIRS = "1950-02-02", "1950-03-03"


def settings(world, **values):
    world.remote = world.bridge.remotes.change("hospital", values)


@contextmanager
def clock(world, ahead: timedelta):
    """Our clock, so much ahead of the hospital's."""
    before = world.bridge.repository.clock
    world.bridge.repository.clock = lambda: utc_now() + ahead
    try:
        yield
    finally:
        world.bridge.repository.clock = before


def contested(world, **elements):
    """A patient whose birth date both sides changed; not synced since."""
    patient = world.patient_there(birthDate="1950-01-01", **elements)
    world.sync()
    world.edit_here(patient, birthDate=OURS)
    world.edit_there(patient, birthDate=THEIRS)
    return patient


def only(world):
    [(id, _)] = world.bridge.conflicts.all()
    return id, world.bridge.conflicts.get(id)


def dates(world, patient):
    return world.here(patient).raw["birthDate"], world.there(patient)["birthDate"]


@pytest.mark.parametrize(("owner", "end"), [("ours", OURS), ("theirs", THEIRS)])
def test_an_elements_owner_decides_and_both_sides_follow(world, owner, end):
    settings(world, owners={"Patient.birthDate": owner})
    patient = contested(world)
    assert world.sync().clean
    assert dates(world, patient) == (end, end)
    assert not list(world.bridge.conflicts.all())


def test_an_owner_of_another_type_or_element_decides_nothing(world):
    settings(world, owners={"Person.birthDate": "ours", "Patient.gender": "theirs"})
    contested(world)
    assert world.sync().pulled.total("conflict") == 1


@pytest.mark.parametrize(
    ("before", "at_edit", "end"),
    [(timedelta(0), timedelta(hours=1), (OURS, OURS)), (-timedelta(hours=2), -timedelta(hours=1), (THEIRS, THEIRS))],
    ids=["ours", "theirs"],
)
def test_the_newest_change_of_the_element_wins(world, before, at_edit, end):
    settings(world, owners={"Patient.birthDate": "newest"})
    with clock(world, before):
        patient = world.patient_there(birthDate="1950-01-01")
        world.sync()
    world.edit_there(patient, birthDate=THEIRS)
    with clock(world, at_edit):
        world.edit_here(patient, birthDate=OURS)
    # Later edits of other elements do not make an element newer.
    world.edit_there(patient, gender="other")
    assert world.sync().clean
    assert dates(world, patient) == end


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=1), -timedelta(hours=1)])
def test_what_came_at_the_same_time_is_a_persons_whatever_our_clock_says(world, ahead):
    settings(world, owners={"Patient.birthDate": "newest"})
    with clock(world, ahead):
        patient = contested(world)
        assert world.sync().pulled.total("conflict") == 1
    assert dates(world, patient) == (OURS, THEIRS)


def test_where_one_element_is_ruled_and_another_is_a_persons_a_decision_keeps_the_rule(world):
    settings(world, owners={"Patient.gender": "theirs"})
    patient = world.patient_there(birthDate="1950-01-01")
    world.sync()
    world.edit_here(patient, birthDate=OURS, gender="male")
    world.edit_there(patient, birthDate=THEIRS, gender="other")
    world.sync()
    id, found = only(world)
    assert [row["path"] for row in found["rows"]] == ["birthDate"]
    world.bridge.conflicts.resolve(id, {"birthDate": "ours"}, by="supervisor")
    assert world.sync().clean
    for side in (world.here(patient).raw, world.there(patient)):
        assert (side["birthDate"], side["gender"]) == (OURS, "other")


def test_the_inbox_tells_when_each_side_changed_each_element_and_who_where_that_is_known(world):
    patient = contested(world)
    theirs = world.there(patient)
    world.hospital.create(
        {
            "resourceType": "Provenance",
            "target": [{"reference": f"Patient/{patient['id']}/_history/{theirs['meta']['versionId']}"}],
            "recorded": theirs["meta"]["lastUpdated"],
            "agent": [{"who": {"display": "Registration desk"}}],
        }
    )
    world.sync(push=False)
    _, found = only(world)
    [element] = found["told"]["elements"]
    assert element["path"] == "birthDate"
    at = datetime.fromisoformat(theirs["meta"]["lastUpdated"])
    assert element["theirs"] == {"version": theirs["meta"]["versionId"], "at": instant(at), "by": "Registration desk"}
    assert element["ours"]["version"] == str(world.here(patient).version)
    assert found["told"]["theirs"]["version"] == world.there(patient)["meta"]["versionId"]


def test_a_conflict_follows_both_sides_while_nobody_decides(world):
    patient = contested(world)
    world.sync()
    world.edit_there(patient, birthDate="1950-04-04")
    world.edit_here(patient, gender="male")
    world.sync()
    [row] = only(world)[1]["rows"]
    assert (row["ours"], row["theirs"]) == (OURS, "1950-04-04")
    world.edit_here(patient, birthDate="1950-05-05")
    [row] = only(world)[1]["rows"]
    assert (row["ours"], row["theirs"]) == ("1950-05-05", "1950-04-04")


def test_a_conflict_that_the_sides_end_by_themselves_is_none_any_more(world):
    patient = contested(world)
    world.sync()
    world.edit_there(patient, birthDate=OURS, gender="other")
    assert world.sync().clean
    assert not list(world.bridge.conflicts.all())
    assert world.here(patient).raw["gender"] == "other"


def test_a_decision_about_what_was_changed_meanwhile_has_to_be_made_again(world):
    patient = contested(world)
    world.sync()
    id, _ = only(world)
    world.edit_here(patient, birthDate="1950-05-05")
    with pytest.raises(Conflict):
        world.bridge.conflicts.resolve(id, {"*": "theirs"}, by="supervisor")
    assert world.here(patient).raw["birthDate"] == "1950-05-05"
    world.bridge.conflicts.resolve(id, {"*": "theirs"}, by="supervisor")
    with pytest.raises(Invalid):
        world.bridge.conflicts.resolve(id, {"*": "ours"}, by="supervisor")
    assert world.here(patient).raw["birthDate"] == THEIRS


def test_entered_in_error_there_and_edited_here_is_a_conflict(world):
    goal = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "walk (Kanarifugl)"}}
    subject = world.patient_there()
    written = world.hospital.create({**goal, "subject": {"reference": f"Patient/{subject['id']}"}})
    there = world.hospital.read("Goal", written.id).raw
    world.sync()
    world.edit_here(there, lifecycleStatus="completed")
    world.edit_there(there, lifecycleStatus="entered-in-error")
    world.sync()
    [row] = only(world)[1]["rows"]
    assert (row["path"], row["ours"], row["theirs"]) == ("lifecycleStatus", "completed", "entered-in-error")


@pytest.mark.parametrize(("winner", "deleted"), [("ours", True), ("theirs", False)])
def test_deleted_here_and_edited_there_is_a_conflict_and_can_be_decided_both_ways(world, winner, deleted):
    patient = world.patient_there(birthDate="1950-01-01")
    world.sync()
    ours = world.here(patient)
    world.bridge.repository.commit([Change("Patient", ours.id, None, ours.version)])
    world.edit_there(patient, birthDate=THEIRS)
    world.sync()
    id, found = only(world)
    assert found["reason"] == "deleted here, edited there"
    [row] = found["rows"]
    assert (row["path"], row["base"], row["ours"], row["theirs"]) == ("birthDate", "1950-01-01", None, THEIRS)
    world.bridge.conflicts.resolve(id, {"*": winner}, by="supervisor")
    assert world.sync().clean
    assert world.bridge.repository.find("Patient", ours.id).deleted is deleted
    there = [raw for page in world.hospital.search("Patient", {"_id": patient["id"]}) for raw in page.entries]
    assert bool(there) is not deleted


def decisions(world):
    return [stored for stored in world.bridge.repository.scan("Provenance") if not stored.deleted]


def test_a_decision_leaves_a_provenance_and_no_value_in_it(world):
    patient = contested(world)
    world.sync()
    before, id = world.here(patient), only(world)[0]
    decided = world.bridge.conflicts.resolve(id, {"*": "ours"}, by="supervisor")
    [kept] = decisions(world)
    check_structure(kept.raw)
    assert kept.raw["target"] == [{"reference": f"{before.reference}/_history/{decided.version}"}]
    assert kept.raw["agent"][0]["who"] == {"display": "supervisor"}
    version = world.there(patient)["meta"]["versionId"]
    [ours, theirs] = [each["what"] for each in kept.raw["entity"]]
    assert ours["reference"] == f"{before.reference}/_history/{before.version}"
    assert theirs["identifier"]["value"] == f"{world.remote.url}/Patient/{patient['id']}/_history/{version}"
    [chosen] = kept.raw["extension"]
    assert chosen == {
        "url": DECISION,
        "extension": [{"url": "element", "valueString": "birthDate"}, {"url": "chosen", "valueCode": "ours"}],
    }
    assert OURS not in kept.text
    assert THEIRS not in kept.text
    _, found = next(world.bridge.conflicts.all(status="decided"))
    assert found["decided"]["provenance"] == kept.reference
    assert [finding for finding in verify(world.bridge.repository) if not finding.note] == []


def test_a_decision_that_fails_leaves_none(world):
    contested(world)
    world.sync()
    id, _ = only(world)
    with pytest.raises(Invalid):
        world.bridge.conflicts.resolve(id, {"gender": "ours"}, by="supervisor")
    assert decisions(world) == []


@pytest.mark.parametrize(
    ("told", "sandbox", "tags", "sent"),
    [(False, False, [], 0), (True, False, [], 1), (True, True, [], 0), (True, True, [SYNTHETIC_TAG], 1)],
)
def test_a_remote_gets_the_provenance_where_its_setting_says_so_and_a_sandbox_only_of_what_is_synthetic(world, told, sandbox, tags, sent):
    patient = contested(world, meta={"tag": tags}) if tags else contested(world)
    world.sync(push=False)
    settings(world, provenance=told, sandbox=sandbox)
    world.bridge.conflicts.resolve(only(world)[0], {"*": "ours"}, by="supervisor")
    world.sync(pull=False)
    found = [raw for page in world.hospital.search("Provenance", {"target": f"Patient/{patient['id']}"}) for raw in page.entries]
    assert len(found) == sent


def test_owners_are_settings_that_are_checked_and_kept(world):
    for wrong in ({"Patient.birthdate": "ours"}, {"Patient": "ours"}, {"Nobody.name": "ours"}, {"Patient.name": "mine"}):
        with pytest.raises(Invalid):
            settings(world, owners=wrong)
    key = f"Patient.identifier[urn:x|{uuid4().hex}].value"
    settings(world, owners={key: "person", "Patient.deceased[x]": "newest"})
    assert world.bridge.remotes.get("hospital").owners == {key: "person", "Patient.deceased[x]": "newest"}


def test_a_conflict_about_one_whose_answer_was_lost_can_be_decided(world):
    """We made it there and never heard; then both sides changed it."""
    raw = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "birthDate": "1950-01-01"}
    ours = world.bridge.repository.commit([Change("Patient", uuid4().hex, raw, 0)])[0]
    written = world.hospital.create(with_own_id(raw, ours.id))
    there = world.hospital.read("Patient", written.id).raw
    world.edit_there(there, birthDate=THEIRS)
    ours = world.bridge.repository.commit([Change("Patient", ours.id, {**ours.raw, "birthDate": OURS}, ours.version)])[0]
    world.sync(push=False)
    world.bridge.repository.commit([Change("Patient", ours.id, {**ours.raw, "gender": "male"}, ours.version)])
    id, found = only(world)
    assert [(row["path"], row["base"]) for row in found["rows"]] == [("birthDate", "1950-01-01")]
    world.bridge.conflicts.resolve(id, {"*": "ours"}, by="supervisor")
    assert world.sync().clean
    after = world.there(there)
    assert (after["birthDate"], after["gender"]) == (OURS, "male")


def test_what_a_sync_or_another_person_does_meanwhile_is_neither_decided_over_nor_taken_back(world):
    patient = contested(world)
    world.sync()
    id, found = only(world)
    inbox, state = world.bridge.conflicts, world.bridge.state

    def meanwhile(**news):
        state.put("conflicts", id, {**state.get("conflicts", id), **news})

    clock, inbox._clock = inbox._clock, lambda: (meanwhile(version="9"), utc_now())[1]
    with pytest.raises(Conflict, match="just now"):
        inbox.resolve(id, {"*": "theirs"}, by="supervisor")
    inbox._clock = clock
    assert (world.here(patient).raw["birthDate"], inbox.get(id)["status"], decisions(world)) == (OURS, "open", [])
    world.edit_here(patient, gender="male")
    read, inbox._differences = inbox._differences, lambda *sides: (meanwhile(status="decided"), read(*sides))[1]
    assert inbox.get(id)["status"] == "decided"
    assert state.get("conflicts", id)["status"] == "decided"


def test_what_is_deleted_on_both_sides_in_the_end_can_be_decided_either_way(world):
    patient = world.patient_there(birthDate="1950-01-01")
    world.sync()
    world.edit_here(patient, birthDate=OURS)
    world.hospital.delete("Patient", patient["id"])
    world.sync()
    ours = world.here(patient)
    world.bridge.repository.commit([Change(ours.type, ours.id, None, ours.version)])
    id, _ = only(world)
    assert world.bridge.conflicts.resolve(id, {"*": "ours"}, by="supervisor").deleted
    assert not list(world.bridge.repository.owed("hospital"))
