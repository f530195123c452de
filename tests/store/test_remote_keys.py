"""What is linked with remotes and owed to them is found by the remote, and one resource of a remote is linked to one of ours."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapter.errors import VersionConflict
from adapter.store import remote_keys
from adapter.store.documents import CURRENT, Change, Link
from adapter.store.verify import verify

PATIENT = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}


def link(reference, remote="hospital", named=False):
    return Link(remote, reference, "1", CURRENT, named=named)


def make(repository, id, *links, owed=(), expect=0, raw=PATIENT):
    return repository.commit([Change("Patient", id, raw, expect, links=links or None, owed=owed)])


def test_a_resource_is_found_by_the_name_that_a_remote_has_for_it(repository):
    make(repository, "a", link("Patient/1"), link("Patient/7", "city"))
    make(repository, "b")
    assert repository.linked("hospital|Patient/1").reference == "Patient/a"
    assert repository.linked("city|Patient/7").reference == "Patient/a"
    assert repository.linked("hospital|Patient/7") is None


def test_what_has_an_id_of_its_own_here_is_found_by_remote_until_it_has_none(repository):
    make(repository, "a", link("Patient/1", named=True), link("Patient/7", "city", named=True))
    make(repository, "b", link("Patient/2"))
    assert remote_keys.named(repository.database, "hospital") == {"Patient/1": "a"}
    assert dict(remote_keys.links(repository.database, "hospital")) == {"Patient/1": "Patient/a", "Patient/2": "Patient/b"}
    make(repository, "a", link("Patient/1"), link("Patient/7", "city", named=True), expect=1)
    assert remote_keys.named(repository.database, "hospital") == {}
    assert remote_keys.named(repository.database, "city") == {"Patient/7": "a"}


def test_a_remote_whose_name_begins_like_another_s_has_its_own_links(repository):
    make(repository, "a", link("Patient/1", "city"), link("Patient/1", "city2"), link("Patient/1", "cit"))
    assert dict(remote_keys.links(repository.database, "city")) == {"Patient/1": "Patient/a"}


def test_a_remote_s_resource_is_linked_to_one_of_ours_only(repository):
    make(repository, "a", link("Patient/1"))
    with pytest.raises(VersionConflict):
        make(repository, "b", link("Patient/1"))
    assert repository.find("Patient", "b") is None

    def give(number):
        try:
            return make(repository, f"n{number}", link("Patient/2"))[0].reference
        except VersionConflict:
            return None

    with ThreadPoolExecutor(12) as pool:
        [won] = filter(None, pool.map(give, range(12)))
    assert repository.linked("hospital|Patient/2").reference == won


def test_a_link_moves_to_another_resource_in_one_transaction(repository):
    make(repository, "a", link("Patient/1"), link("Patient/2", "city"))
    changes = [
        Change("Patient", "a", PATIENT, 1, links=(link("Patient/2", "city"),)),
        Change("Patient", "b", PATIENT, 0, links=(link("Patient/1"),)),
    ]
    repository.commit(changes)
    assert repository.linked("hospital|Patient/1").reference == "Patient/b"
    assert repository.linked("city|Patient/2").reference == "Patient/a"
    assert not list(verify(repository))


def test_what_is_owed_is_found_by_remote_until_it_is_sent(repository):
    make(repository, "a", owed=("hospital", "city"))
    make(repository, "b", owed=("hospital",))
    make(repository, "c")
    assert {stored.id for stored in repository.owed("hospital")} == {"a", "b"}
    repository.commit([Change("Patient", "a", PATIENT, 1, sent="hospital")])
    repository.commit([Change("Patient", "b", None, 1, owed=("hospital",))])
    assert [(stored.id, stored.deleted) for stored in repository.owed("hospital")] == [("b", True)]
    assert [stored.id for stored in repository.owed("city")] == ["a"]


@pytest.mark.parametrize(
    ("name", "kind", "key"),
    [
        (remote_keys.LINKED, "link", "hospital|Patient/1"),
        (remote_keys.NAMED, "link", "hospital|Patient/1"),
        (remote_keys.OWED, "outbox", "hospital|Patient/a"),
    ],
)
def test_verify_finds_what_cannot_be_looked_up_and_what_leads_nowhere(repository, name, kind, key):
    make(repository, "a", link("Patient/1", named=True), owed=("hospital",))
    repository.database[name].delete_one({"_id": key})
    assert [(each.kind, each.resource) for each in verify(repository) if not each.note] == [(kind, "Patient/a")]
    repository.database[name].insert_one({"_id": key, "of": "Patient/elsewhere"})
    assert {(each.kind, each.resource) for each in verify(repository) if not each.note} == {(kind, "Patient/a")}
    repository.database[name].replace_one({"_id": key}, {"_id": key, "of": "Patient/a", "remote": "hospital"})
    repository.database[name].insert_one({"_id": "hospital|Patient/404", "of": "Patient/404"})
    assert [(each.kind, each.resource) for each in verify(repository) if not each.note] == [(kind, "Patient/404")]
