"""New documents of a transaction go to the store beside the making of the next, and none of them after its end."""

import threading
from threading import Event

import pytest

from adapter.errors import VersionConflict
from adapter.store.documents import Change, Document
from adapter.store.insertion import Insertion
from adapter.store.repository import Repository

MANY = 120


def documents(count: int) -> list[Document]:
    return [{"_id": str(number)} for number in range(count)]


def test_all_are_inserted_in_their_order():
    came: list[tuple[str, str]] = []
    with Insertion(lambda name, some: came.extend((name, each["_id"]) for each in some)) as insertion:
        for document in documents(MANY):
            insertion.add("Patient", document)
        insertion.add("Group", {"_id": "g"})
        insertion.end()
    assert came == [*(("Patient", str(number)) for number in range(MANY)), ("Group", "g")]


def test_the_next_are_made_while_some_are_inserted():
    made_all, in_time = Event(), list[bool]()
    with Insertion(lambda _name, _some: in_time.append(made_all.wait(timeout=30))) as insertion:
        for document in documents(MANY):
            insertion.add("Patient", document)
        made_all.set()
        insertion.end()
    assert all(in_time)


def test_what_the_store_refuses_is_raised():
    def refuse(_name: str, _some: list[Document]) -> None:
        raise VersionConflict("refused")

    def write() -> None:
        with Insertion(refuse) as insertion:
            for document in documents(MANY):
                insertion.add("Patient", document)
            insertion.end()

    with pytest.raises(VersionConflict):
        write()


def test_nothing_is_under_way_any_more_when_whoever_makes_them_fails():
    begun, failing, ended = Event(), Event(), list[int]()

    def insert(_name: str, some: list[Document]) -> None:
        begun.set()
        failing.wait(timeout=30)
        ended.append(len(some))

    def write() -> None:
        with Insertion(insert) as insertion:
            for document in documents(MANY):
                insertion.add("Patient", document)
            assert begun.wait(timeout=30)
            failing.set()
            raise VersionConflict("made no more")

    with pytest.raises(VersionConflict):
        write()
    assert ended
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("insert")]


def test_of_a_large_commit_that_is_refused_nothing_is_there(database):
    repository = Repository(database)
    person = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}
    repository.commit([Change("Patient", "taken", person, 0)])
    changes = [Change("Patient", f"p{number}", person, 0) for number in range(MANY)]
    with pytest.raises(VersionConflict):
        repository.commit([*changes, Change("Patient", "taken", person, 0)])
    assert repository.find_many("Patient", [change.id for change in changes]) == {}
    assert len(repository.commit(changes)) == MANY
    assert len(repository.find_many("Patient", [change.id for change in changes])) == MANY
