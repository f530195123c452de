"""`verify` finds each kind of damage, and only that."""

from datetime import timedelta

import pytest

from adapter.fhir.resource import dumps
from adapter.store.documents import CURRENT, Change, Link
from adapter.store.repository import Repository
from adapter.store.verify import verify

PATIENT = {
    "resourceType": "Patient",
    "name": [{"family": "Kanarifugl", "period": {"start": "2020-03"}}],
    "gender": "female",
    "birthDate": "1980-01-01",
}
ENCOUNTER = {
    "resourceType": "Encounter",
    "status": "finished",
    "class": {"code": "AMB"},
    "subject": {"reference": "Patient/a"},
    "period": {"start": "2025-04-22T09:00:00.123456-04:00"},
}


@pytest.fixture
def repository(database) -> Repository:
    """Two versions of a patient linked to a remote, an encounter, a deleted one, and a resource without a concept."""
    repository = Repository(database)
    link = Link("hospital", "Patient/17", "3", CURRENT)
    repository.commit([Change("Patient", "a", PATIENT, 0, links=(link,)), Change("Encounter", "e", ENCOUNTER, 0)])
    repository.commit([Change("Patient", "a", {**PATIENT, "gender": "other"}, 1), Change("Encounter", "gone", ENCOUNTER, 0)])
    repository.commit([Change("Encounter", "gone", None, 1), Change("Basic", "b", {"resourceType": "Basic", "code": {"text": "x"}}, 0)])
    return repository


def found(repository: Repository, **options) -> list[tuple[str, str]]:
    findings = list(verify(repository, **options))
    assert "kanarifugl" not in str(findings).casefold()
    return [(finding.kind, finding.resource) for finding in findings if not finding.note]


def test_a_sound_store_has_no_findings(repository):
    assert list(verify(repository)) == []


def test_an_empty_store_has_no_findings(database):
    assert list(verify(Repository(database))) == []


def set_(repository: Repository, **values) -> None:
    """Damage the patient."""
    damage = {name.replace("__", "."): value for name, value in values.items()}
    changed = repository.database["Patient"].update_one({"_id": "a"}, {"$set": damage})
    assert changed.modified_count == 1


DAMAGE = {
    "another concept": ({"concept": "case"}, {"record"}),
    "another index": ({"fhir__index": {}}, {"index"}),
    "another version": ({"fhir__version": 1}, {"meta", "history"}),
    "another id": ({"fhir__id": "b"}, {"face", "meta"}),
    "another type": ({"fhir__type": "Person"}, {"face", "meta"}),
    "broken text": ({"fhir__raw": '{"name": "Kanarifugl'}, {"face"}),
    "no text": ({"fhir__raw": ""}, {"face", "record", "index"}),
    "no face": ({"fhir": None}, {"face", "history"}),
    "a link of another shape": ({"links": [{"remote": "city", "key": "hospital|Patient/17", "version": "3", "at": 1}]}, {"link"}),
    "a link to nothing": ({"links": [{"remote": "hospital", "key": "hospital|Patient", "version": "3", "at": 1}]}, {"link"}),
    "a link to a version to come": ({"links": [{"remote": "hospital", "key": "hospital|Patient/17", "version": "3", "at": 9}]}, {"link"}),
    "a link without agreement": ({"links": [{"remote": "hospital", "key": "hospital|Patient/17", "version": "3", "at": 0}]}, {"link"}),
    "a broken agreement": ({"links": [{"remote": "h", "key": "h|Patient/17", "version": "3", "at": 1, "theirs": "{Kanarifugl"}]}, {"link"}),
    "two links to one remote": ({"links": [{"remote": "h", "key": f"h|Patient/{id}", "version": "3", "at": 1} for id in (1, 2)]}, {"link"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_named(repository, damage):
    values, kinds = DAMAGE[damage]
    set_(repository, **values)
    assert {kind for kind, resource in found(repository)} == kinds
    assert {resource for _, resource in found(repository)} == {"Patient/a"}


def test_a_text_that_says_another_time_is_found(repository):
    stored = repository.read("Patient", "a")
    set_(repository, fhir__updated=stored.updated + timedelta(seconds=1))
    assert found(repository) == [("meta", "Patient/a")]


def test_an_edit_of_the_text_alone_shows_in_the_index(repository):
    stored = repository.read("Patient", "a")
    set_(repository, fhir__raw=dumps({**stored.raw, "gender": "male"}))
    assert found(repository) == [("index", "Patient/a")]


def test_a_missing_version_and_an_orphan_are_found(repository):
    history = repository.database["history"]
    assert history.delete_one({"_id": "Patient/a/1"}).deleted_count == 1
    assert found(repository) == [("history", "Patient/a")]
    for id in ("Patient/lost/1", "Kanin/x/1", "Encounter/e/1", "Encounter/gone/x"):
        history.insert_one({"_id": id})
    assert sorted(found(repository)) == [
        ("history", "Encounter/e"),
        ("history", "Encounter/gone"),
        ("history", "Kanin/x"),
        ("history", "Patient/a"),
        ("history", "Patient/lost"),
    ]


def test_references_to_what_is_not_here_and_unknown_remotes_are_notes(repository):
    repository.commit([Change("Patient", "a", None, 2), Change("Basic", "b", repository.read("Basic", "b").raw, 1, owed=("city",))])
    notes = [(finding.kind, finding.resource) for finding in verify(repository) if finding.note]
    assert found(repository) == []
    assert notes == [("outbox", "Basic/b"), ("reference", "Encounter/e")]


def test_repair_mends_indexes_and_nothing_else(repository):
    set_(repository, fhir__index={"gender": ["male"]}, concept="case")
    before = repository.database["Patient"].find_one({"_id": "a"})
    (wrong, index) = verify(repository, repair=True)
    assert (wrong.kind, wrong.repaired) == ("record", False)
    assert (index.kind, index.repaired) == ("index", True)
    assert found(repository) == [("record", "Patient/a")]
    after = repository.database["Patient"].find_one({"_id": "a"})
    before["fhir"].pop("index")
    after["fhir"].pop("index")
    assert before == after
    assert len(repository.versions("Patient", "a")) == 2


def test_more_than_a_batch_is_checked_to_the_last(database):
    repository = Repository(database)
    repository.commit([Change("Patient", f"p{number:03}", PATIENT, 0) for number in range(450)])
    repository.database["Patient"].update_one({"_id": "p449"}, {"$set": {"concept": "case"}})
    seen = []
    assert [(each.kind, each.resource) for each in verify(repository, progress=lambda *told: seen.append(told))] == [
        ("record", "Patient/p449")
    ]
    assert seen == [("verify Patient", done, 450) for done in (200, 400, 450)]
