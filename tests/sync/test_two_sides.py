"""Both sides change things; nothing is lost, doubled or overwritten. Run against this project's own server, and live against HAPI."""

from decimal import Decimal
from uuid import uuid4

import pytest

from adapter.config import OWN_ID
from adapter.fhir.resource import content, same
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from adapter.sync.plan import Tally


def changed(tally: Tally) -> dict[str, int]:
    return {action: tally.total(action) for action in ("create", "update", "merge", "delete", "conflict", "dead") if tally.total(action)}


def test_a_second_sync_writes_nothing_on_either_side(world):
    """B-02"""
    patient = world.patient_there()
    first = world.sync()
    assert first.holds
    before = world.there(patient)["meta"]["versionId"], world.here(patient).version
    second = world.sync()
    assert second.clean
    assert changed(second.pulled) == changed(second.pushed) == {}
    assert (world.there(patient)["meta"]["versionId"], world.here(patient).version) == before


def test_what_the_hospital_wrote_is_kept_to_the_letter(world):
    """B-06"""
    odd = [{"url": "urn:example:unknown", "valueDecimal": Decimal("1.50")}]
    patient = world.patient_there(extension=odd, birthDate="1946-11")
    world.sync()
    assert same(content(world.here(patient).raw), content(world.there(patient)))
    assert world.here(patient).record["birth_date"] == "1946-11"


def test_edits_of_different_elements_on_both_sides_merge(world):
    patient = world.patient_there(extension=[{"url": "urn:example:unknown", "valueString": "kept"}])
    world.sync()
    world.edit_here(patient, birthDate="1946-11-30")
    world.edit_there(patient, gender="other")
    certificate = world.sync()
    assert certificate.clean
    assert changed(certificate.pulled) == {"merge": 1}
    assert changed(certificate.pushed) == {"update": 1}
    for side in (world.here(patient).raw, world.there(patient)):
        assert (side["birthDate"], side["gender"]) == ("1946-11-30", "other")
        assert side["extension"] == [{"url": "urn:example:unknown", "valueString": "kept"}]
    again = world.sync()
    assert changed(again.pulled) == changed(again.pushed) == {}


def test_an_edit_of_the_same_element_is_one_conflict_and_nobody_is_overwritten(world):
    patient = world.patient_there(birthDate="1950-01-01")
    world.sync()
    world.edit_here(patient, birthDate="1950-01-02")
    world.edit_there(patient, birthDate="1950-01-03", gender="other")
    for _ in range(2):
        certificate = world.sync()
        assert certificate.holds
        assert not certificate.clean
        assert world.there(patient)["birthDate"] == "1950-01-03"
        assert world.here(patient).raw["birthDate"] == "1950-01-02"
        [(_, conflict)] = world.bridge.conflicts.all()
        [row] = conflict["rows"]
        assert (row["path"], row["base"], row["ours"], row["theirs"]) == ("birthDate", "1950-01-01", "1950-01-02", "1950-01-03")


def decide(world, **decisions):
    [(id, _)] = world.bridge.conflicts.all()
    return world.bridge.conflicts.resolve(id, decisions, by="supervisor")


def make_conflict(world):
    patient = world.patient_there(birthDate="1950-01-01")
    world.sync()
    world.edit_here(patient, birthDate="1950-01-02")
    world.edit_there(patient, birthDate="1950-01-03", gender="other")
    world.sync()
    return patient


def test_a_conflict_decided_for_us_is_pushed_and_keeps_their_other_edit(world):
    patient = make_conflict(world)
    decide(world, birthDate="ours")
    assert world.sync().clean
    for side in (world.here(patient).raw, world.there(patient)):
        assert (side["birthDate"], side["gender"]) == ("1950-01-02", "other")
    assert changed(world.sync().pushed) == {}


def test_a_conflict_decided_for_them_is_taken_and_not_pushed(world):
    patient = make_conflict(world)
    version = world.there(patient)["meta"]["versionId"]
    decide(world, **{"*": "theirs"})
    assert world.sync().clean
    assert world.here(patient).raw["birthDate"] == "1950-01-03"
    assert world.there(patient)["meta"]["versionId"] == version


def test_a_deletion_there_arrives_here(world):
    patient = world.patient_there()
    world.sync()
    id = world.here(patient).id
    world.hospital.delete("Patient", patient["id"])
    certificate = world.sync()
    assert changed(certificate.pulled) == {"delete": 1}
    assert world.bridge.repository.find("Patient", id).deleted
    assert changed(world.sync().pulled) == {}


def test_a_deletion_here_arrives_there(world):
    patient = world.patient_there()
    world.sync()
    ours = world.here(patient)
    world.bridge.repository.commit([Change("Patient", ours.id, None, ours.version)])
    assert changed(world.sync().pushed) == {"delete": 1}
    assert not [raw for page in world.hospital.search("Patient", {"_id": patient["id"]}) for raw in page.entries]
    assert changed(world.sync().pushed) == {}


def test_deleted_there_and_edited_here_is_a_conflict_and_can_be_decided_both_ways(world):
    kept, dropped = world.patient_there(), world.patient_there()
    world.sync()
    for patient in (kept, dropped):
        world.edit_here(patient, birthDate="1960")
        world.hospital.delete("Patient", patient["id"])
    ids = {patient["id"]: world.here(patient).id for patient in (kept, dropped)}
    assert changed(world.sync().pulled) == {"conflict": 2}
    for patient, winner in ((kept, "ours"), (dropped, "theirs")):
        world.bridge.conflicts.resolve(f"hospital:Patient/{ids[patient['id']]}", {"*": winner}, by="supervisor")
    assert changed(world.sync().pushed) == {"create": 1}
    assert world.bridge.repository.find("Patient", ids[dropped["id"]]).deleted
    again = world.bridge.repository.read("Patient", ids[kept["id"]])
    assert world.hospital.read("Patient", again.link("hospital").reference.partition("/")[2]).raw["birthDate"] == "1960"
    assert changed(world.sync().pushed) == {}


def test_what_was_deleted_and_made_again_there_is_not_deleted_here(world, new_database):
    """It has two ids there and one here; the deletion of the older one is told after the newer one arrived."""
    patient = world.patient_there()
    world.sync()
    ours = world.here(patient)
    world.hospital.delete("Patient", patient["id"])
    again = {**{name: value for name, value in patient.items() if name not in ("id", "meta")}}
    again["identifier"] = [*again["identifier"], {"system": OWN_ID, "value": ours.id}]
    written = world.hospital.create(again)
    for bridge in (world.bridge, Bridge(new_database())):
        if bridge is not world.bridge:
            bridge.remotes.add(world.remote)
        for _ in range(2):
            bridge.sync("hospital", push=False, say=lambda _: None)
            kept = bridge.repository.read("Patient", ours.id)
            assert kept.link("hospital").reference == f"Patient/{written.id}"


def make_here(world, type, id, **elements):
    return world.bridge.repository.commit([Change(type, id, {"resourceType": type, **elements}, 0)])[0]


def test_what_is_made_here_is_pushed_once_with_its_references(world):
    patient = make_here(world, "Patient", uuid4().hex, name=[{"use": "official", "family": "Kanarifugl"}])
    goal = {"subject": {"reference": patient.reference}, "lifecycleStatus": "active", "description": {"text": "walk (Kanarifugl)"}}
    made = make_here(world, "Goal", uuid4().hex, **goal)
    certificate = world.sync()
    assert certificate.clean
    assert changed(certificate.pushed) == {"create": 2}
    there = world.bridge.repository.read("Goal", made.id).link("hospital").reference.partition("/")[2]
    subject = world.hospital.read("Goal", there).raw["subject"]["reference"]
    assert subject == world.bridge.repository.read("Patient", patient.id).link("hospital").reference
    again = world.sync()
    assert changed(again.pulled) == changed(again.pushed) == {}


def test_a_push_whose_answer_was_lost_makes_no_double(world, monkeypatch):
    """B-03: The remote has committed and we die before we keep its ids: the next run finds what it made."""
    lost = uuid4().hex
    make_here(world, "Patient", lost, name=[{"use": "official", "family": "Kanarifugl"}])
    commit = world.bridge.repository.commit

    class Died(Exception):
        pass

    def dies(changes, **options):
        if any(change.sent for change in changes):
            raise Died
        return commit(changes, **options)

    monkeypatch.setattr(world.bridge.repository, "commit", dies)
    with pytest.raises(Died):
        world.sync(pull=False)
    monkeypatch.undo()
    stored = world.bridge.repository.read("Patient", lost)
    assert stored.links == ()
    world.bridge.repository.commit([Change("Patient", lost, {**stored.raw, "gender": "other"}, stored.version)])
    world.sync(pull=False)
    link = world.bridge.repository.read("Patient", lost).link("hospital")
    found = [raw for page in world.hospital.search("Patient", {"identifier": f"{OWN_ID}|{lost}"}) for raw in page.entries]
    assert [f"Patient/{raw['id']}" for raw in found] == [link.reference]
    assert found[0]["gender"] == "other"


def test_one_bad_resource_does_not_block_the_rest(world):
    good, bad, blocked = uuid4().hex, uuid4().hex, uuid4().hex
    make_here(world, "Patient", good, name=[{"use": "official", "family": "Kanarifugl"}])
    make_here(world, "Observation", bad, status="final")
    evidence = {"code": {"text": "Kanarifugl"}, "status": "final", "derivedFrom": [{"reference": f"Observation/{bad}"}]}
    make_here(world, "Observation", blocked, **evidence)
    certificate = world.sync(pull=False)
    assert changed(certificate.pushed) == {"create": 1, "dead": 1}
    assert certificate.pushed.total("skip") == 1
    assert [letter["reference"] for _, letter in world.bridge.state.all("dead_letters")] == [f"Observation/{bad}"]
    kept = world.bridge.repository.read("Observation", bad)
    world.bridge.repository.commit([Change("Observation", bad, {**kept.raw, "code": {"text": "mended (Kanarifugl)"}}, kept.version)])
    assert changed(world.sync(pull=False).pushed) == {"create": 2}
    assert not list(world.bridge.state.all("dead_letters"))


def test_a_dry_run_writes_nothing(world):
    patient = world.patient_there()
    world.sync()
    world.edit_here(patient, birthDate="1970")
    world.edit_there(patient, gender="other")
    entries = [entry for entry in world.bridge.plan("hospital") if entry.action not in ("unchanged",)]
    assert {(entry.direction, entry.action) for entry in entries} >= {("pull", "merge")}
    assert "birthDate" not in world.there(patient)
    assert world.here(patient).raw["gender"] == "female"
