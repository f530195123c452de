"""The one write door."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from adapter.errors import Gone, NotFound, VersionConflict
from adapter.fhir.resource import parse
from adapter.store.documents import CURRENT, Change, Link
from adapter.store.repository import Repository
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote

PATIENT = {"resourceType": "Patient", "name": [{"use": "official", "family": "Kanarifugl"}], "birthDate": "1946"}


@pytest.fixture
def repository(database):
    return Repository(database)


def make(repository, id="a", raw=PATIENT, **options):
    return repository.commit([Change(raw["resourceType"], id, raw, 0, **options)])[0]


def test_a_read_answers_the_senders_text_with_version_and_time(repository):
    at = datetime(2025, 4, 14, 12, 30, tzinfo=UTC)
    stored = make(Repository(repository.database, lambda: at))
    assert repository.read("Patient", "a").text == (
        '{"resourceType":"Patient","id":"a","meta":{"versionId":"1","lastUpdated":"2025-04-14T12:30:00.000Z"},'
        '"name":[{"use":"official","family":"Kanarifugl"}],"birthDate":"1946"}'
    )
    assert stored.record["birth_date"] == "1946"
    assert stored.concept == "client"


def test_versions_follow_each_other_and_all_can_be_read(repository):
    make(repository)
    repository.commit([Change("Patient", "a", {**PATIENT, "birthDate": "1947"}, 1)])
    repository.commit([Change("Patient", "a", None, 2)])
    assert [(stored.version, stored.deleted) for stored in repository.versions("Patient", "a")] == [(3, True), (2, False), (1, False)]
    assert repository.vread("Patient", "a", 1).raw["birthDate"] == "1946"
    with pytest.raises(Gone):
        repository.read("Patient", "a")
    with pytest.raises(Gone):
        repository.vread("Patient", "a", 3)
    with pytest.raises(NotFound):
        repository.vread("Patient", "a", 4)


def test_the_same_content_again_is_not_a_new_version(repository):
    make(repository)
    again = repository.commit([Change("Patient", "a", {"birthDate": "1946", **PATIENT, "id": "a"}, 1)])[0]
    assert again.version == 1


def test_another_digit_of_a_decimal_is_a_new_version(repository):
    texts = [
        f'{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"valueQuantity":{{"value":{v}}}}}' for v in ("1.5", "1.50")
    ]
    make(repository, "o", parse(texts[0]))
    assert repository.commit([Change("Observation", "o", parse(texts[1]), 1)])[0].version == 2
    assert '"value":1.50' in repository.read("Observation", "o").text


def test_a_write_against_an_old_version_is_refused_and_writes_nothing(repository):
    make(repository)
    repository.commit([Change("Patient", "a", {**PATIENT, "birthDate": "1947"}, 1)])
    with pytest.raises(VersionConflict):
        repository.commit([Change("Patient", "b", PATIENT, 0), Change("Patient", "a", {**PATIENT, "birthDate": "1948"}, 1)])
    assert repository.find("Patient", "b") is None
    assert repository.read("Patient", "a").raw["birthDate"] == "1947"


def test_of_racing_writers_each_accepted_version_is_in_history_and_none_is_lost(repository):
    make(repository)

    def write(number):
        try:
            return repository.commit([Change("Patient", "a", {**PATIENT, "birthDate": f"19{number:02}"}, 1)])[0].version
        except VersionConflict:
            return None

    with ThreadPoolExecutor(8) as threads:
        accepted = [version for version in threads.map(write, range(50, 66)) if version]
    assert accepted == [2]
    assert [stored.version for stored in repository.versions("Patient", "a")] == [2, 1]


def test_of_racing_creators_of_one_id_one_wins(repository):
    def create(_):
        try:
            return make(repository).version
        except VersionConflict:
            return None

    with ThreadPoolExecutor(8) as threads:
        assert [version for version in threads.map(create, range(8)) if version] == [1]


def test_two_resources_cannot_be_linked_to_one_of_the_remote(repository):
    link = Link("hospital", "Patient/1", "1", CURRENT)
    make(repository, "a", links=(link,))
    with pytest.raises(VersionConflict):
        make(repository, "b", links=(link,))


def test_a_link_made_by_another_sync_since_is_not_written_over(repository):
    """Links make no version: without a look at those that it was made from, the later of two syncs would take the other's away."""
    seen = make(repository)
    first, second = Link("first", "Patient/1", "1", 1), Link("second", "Patient/2", "1", 1)
    repository.commit([Change("Patient", "a", seen.raw, 1, links=(*seen.links, first), seen=seen.links)])
    with pytest.raises(VersionConflict):
        repository.commit([Change("Patient", "a", seen.raw, 1, links=(*seen.links, second), seen=seen.links)])
    assert repository.read("Patient", "a").links == (first,)


def test_where_only_links_and_outbox_change_the_rest_of_the_document_stays(repository):
    raw = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}
    repository.commit([Change("Patient", "p1", raw, 0)])
    patients = repository.collection("Patient")
    before = patients.find_one({"_id": "p1"})
    link = Link("hospital", "Patient/1000", "3", 1)
    repository.commit([Change("Patient", "p1", raw, 1, links=(link,), owed=("hospital",))])
    assert patients.find_one({"_id": "p1"}) == {**before, "links": [link.document()], "outbox": ["hospital"]}
    repository.commit([Change("Patient", "p1", raw, 1, links=(), sent="hospital")])
    assert patients.find_one({"_id": "p1"}) == before


def test_an_index_that_is_written_anew_takes_no_link_and_no_mark_back(repository):
    before = make(repository, owed=("hospital",))
    link = Link("hospital", "Patient/1", "1", 1)
    repository.commit([Change("Patient", "a", before.raw, 1, links=(link,), sent="hospital")])
    repository.reindex(before)
    now = repository.read("Patient", "a")
    assert (now.links, now.outbox) == ((link,), ())


def test_what_is_written_here_is_owed_to_every_remote_and_what_came_from_one_only_to_it(database):
    bridge = Bridge(database)
    for name in ("city", "clinic"):
        bridge.remotes.add(Remote(name, f"http://127.0.0.1:9/{name}"))
    here = make(bridge.repository, "a")
    assert here.outbox == ("city", "clinic")
    theirs = make(bridge.repository, "b", born="city", links=(Link("city", "Patient/1", "1", CURRENT),), sent="city")
    assert theirs.outbox == ()
    edited = bridge.repository.commit([Change("Patient", "b", {**PATIENT, "birthDate": "1947"}, 1)])[0]
    assert edited.outbox == ("city",)


def test_what_the_mapping_cannot_read_is_noted_by_path_and_kept(repository):
    stored = make(repository, raw={**PATIENT, "gender": "no such code", "birthDate": "last spring"})
    assert sorted(problem.partition(":")[0] for problem in stored.problems) == ["birthDate", "gender"]
    assert stored.raw["gender"] == "no such code"
    assert "administrative_gender" not in stored.record


def test_commits_at_the_same_time_fail_and_succeed_each_for_itself(repository):
    repository.commit([Change("Basic", "taken", {"resourceType": "Basic"}, 0)])

    def commit(number):
        id = "taken" if number % 5 == 0 else f"n{number}"
        changes = [Change("Basic", id, {"resourceType": "Basic"}, 0), Change("Basic", f"beside-{number}", {"resourceType": "Basic"}, 0)]
        try:
            return [stored.id for stored in repository.commit(changes)]
        except VersionConflict:
            return None

    with ThreadPoolExecutor(20) as pool:
        done = [*pool.map(commit, range(60))]
    assert done == [None if number % 5 == 0 else [f"n{number}", f"beside-{number}"] for number in range(60)]
    assert {stored.id for stored in repository.scan("Basic")} == {"taken", *(id for ids in done for id in ids or ())}
