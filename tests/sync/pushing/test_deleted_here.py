"""What is deleted here, there: deleted, entered in error or left, by setting and by what the remote does."""

import pytest

from tests.sync.pushing.scene import WAYS, Scene, diagnosis, lacking


def test_a_deletion_is_not_asked_of_a_remote_that_does_not_delete(scene: Scene) -> None:
    scene.knows()
    scene.proxy.faults = [lacking("delete")]
    (person,) = scene.people(1)
    scene.push()
    scene.delete("Patient", person)
    certificate = scene.push()
    assert certificate.pushed.reasons["skip: the remote does not delete Patient"] == 1
    assert "DELETE" not in scene.writes()


@pytest.mark.parametrize("writes", ["update", "patch"])
def test_what_is_deleted_here_is_entered_in_error_there_where_that_is_set(scene: Scene, writes: str) -> None:
    scene.knows(deletes="entered-in-error", writes=writes)
    diagnosis(scene)
    for type, id in (("Condition", "condition"), ("CarePlan", "plan"), ("Patient", "made-here-0")):
        scene.delete(type, id)
    certificate = scene.push()
    assert {type: dict(counts) for type, counts in certificate.pushed.counts.items()} == {
        "Condition": {"delete": 1},
        "CarePlan": {"delete": 1},
        "Patient": {"skip": 1},
    }
    assert certificate.pushed.reasons["skip: deleted here; a Patient has no status that says entered-in-error"] == 1
    (plan,) = [raw for page in scene.hospital.search("CarePlan", {}) for raw in page.entries]
    assert (plan["status"], plan["title"]) == ("entered-in-error", "note (Kanarifugl)")
    (condition,) = [raw for page in scene.hospital.search("Condition", {}) for raw in page.entries]
    assert condition["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in condition
    assert scene.owed() == {"Patient/made-here-0"}
    assert scene.bridge.sync("hospital", say=lambda _: None).clean
    assert scene.bridge.repository.find("CarePlan", "plan").deleted
    assert plan["meta"]["versionId"] == "2"


def test_what_they_edit_after_we_entered_it_in_error_is_a_conflict(scene: Scene) -> None:
    scene.knows(deletes="entered-in-error")
    diagnosis(scene)
    scene.delete("CarePlan", "plan")
    scene.push()
    (plan,) = [raw for page in scene.hospital.search("CarePlan", {}) for raw in page.entries]
    scene.hospital.update({**plan, "status": "active"}, if_match=plan["meta"]["versionId"])
    scene.bridge.sync("hospital", say=lambda _: None)
    ((_, conflict),) = scene.bridge.conflicts.all()
    assert (conflict["reference"], conflict["reason"]) == ("CarePlan/plan", "deleted here, edited there")


def test_a_deletion_is_kept_from_a_remote_whose_settings_say_never(scene: Scene) -> None:
    scene.knows(deletes="never")
    diagnosis(scene)
    scene.delete("CarePlan", "plan")
    assert scene.pushed() == {"skip": 1}
    assert [raw["status"] for page in scene.hospital.search("CarePlan", {}) for raw in page.entries] == ["active"]
    scene.bridge.remotes.change("hospital", {"deletes": "delete"})
    assert scene.pushed() == {"delete": 1}
    assert scene.hospital.count("CarePlan", {}) == 0


@pytest.mark.parametrize("way", ["transactions", "single requests"])
def test_who_refers_is_deleted_before_who_is_referred_to(scene: Scene, way: str) -> None:
    scene.knows()
    scene.proxy.faults = [lacking(*WAYS[way])]
    diagnosis(scene)
    for type, id in (("Patient", "made-here-0"), ("CarePlan", "plan"), ("Condition", "condition")):
        scene.delete(type, id)
    assert scene.pushed() == {"delete": 3}
    deleted = [path.split("/")[2] for method, path in scene.proxy.seen if method == "DELETE"]
    assert deleted[-1] == "Patient"
    assert scene.owed() == set()
