"""The shapes of data, index and query on which the store is built, each on the real server.

They hold on MongoDB by its documentation; these tests say that they hold on whatever server the tests run on.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
import pytest
from pymongo.errors import OperationFailure

START = datetime(2025, 1, 1, tzinfo=UTC)
PARAMETERS = ("patient", "code", "name", "when", "date.lo")

INDEXES: dict[str, list[str]] = {
    "none": [],
    "one per parameter": [f"fhir.index.{name}" for name in PARAMETERS],
    "wildcard": ["fhir.index.$**"],
}


def observation(number: int) -> dict[str, Any]:
    index = {
        "patient": [f"Patient/{number % 7}"],
        "code": [f"http://loinc.org|{number % 5}", "http://loinc.org|"],
        "name": [f"n{number:04d}"],
        "when": START + timedelta(hours=number),
        "date": [{"lo": START + timedelta(hours=number), "hi": START + timedelta(hours=number + 1)}],
    }
    return {"_id": f"o{number}", "fhir": {"updated": START + timedelta(minutes=number), "version": 1, "index": index}}


def between(low: int, high: int) -> dict[str, datetime]:
    return {"$gte": START + timedelta(hours=low), "$lt": START + timedelta(hours=high)}


def at_once(*works: Callable[[], object]) -> None:
    """Run the works in threads that start together; raises what one of them raised."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        gate.wait()
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(run, work) for work in works]:
            done.result()


@pytest.mark.parametrize("indexes", INDEXES.values(), ids=INDEXES.keys())
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"patient": "Patient/3"}, {n for n in range(200) if n % 7 == 3}),
        ({"patient": "Patient/3", "code": "http://loinc.org|2"}, {n for n in range(200) if n % 7 == 3 and n % 5 == 2}),
        ({"code": "http://loinc.org|2", "patient": "Patient/3"}, {n for n in range(200) if n % 7 == 3 and n % 5 == 2}),
        ({"patient": {"$in": ["Patient/3", "Patient/4"]}}, {n for n in range(200) if n % 7 in (3, 4)}),
        ({"name": {"$gte": "n001", "$lt": "n002"}}, set(range(10, 20))),
        ({"when": between(10, 20)}, set(range(10, 20))),
        ({"date.lo": between(10, 20)}, set(range(10, 20))),
        ({"patient": "Patient/3", "date.lo": between(0, 50)}, {n for n in range(50) if n % 7 == 3}),
        ({"absent": "x"}, set()),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_search_finds_the_same_with_any_index(database, indexes, query, numbers):
    for path in indexes:
        database.observations.create_index(path)
    database.observations.insert_many([observation(number) for number in range(200)])
    found = database.observations.find({f"fhir.index.{name}": value for name, value in query.items()})
    assert {document["_id"] for document in found} == {f"o{number}" for number in numbers}


def test_a_page_in_order_of_change_is_bounded_at_both_ends(database):
    database.observations.create_index("fhir.updated")
    database.observations.insert_many([observation(number) for number in reversed(range(200))])
    window = {"$gte": START + timedelta(minutes=30), "$lt": START + timedelta(minutes=100)}
    page = database.observations.find({"fhir.updated": window}).sort("fhir.updated", 1).limit(50)
    assert [document["_id"] for document in page] == [f"o{number}" for number in range(30, 80)]


def test_many_ids_are_read_in_one_query(database):
    database.observations.insert_many([observation(number) for number in range(200)])
    wanted = {f"o{number}" for number in range(0, 200, 4)}
    found = database.observations.find({"_id": {"$in": [*wanted, "absent"]}})
    assert {document["_id"] for document in found} == wanted


def test_of_writers_against_the_same_version_one_wins_and_the_others_see_no_match(database, store):
    database.patients.insert_one({"_id": "p", "fhir": {"version": 1}})
    outcomes = []

    def write(number: int) -> None:
        def body(session: Any) -> int:
            change = {"$set": {"fhir.version": 2, "by": number}}
            matched = database.patients.update_one({"_id": "p", "fhir.version": 1}, change, session=session).matched_count
            if matched:
                database.history.insert_one({"_id": "p/1", "by": number}, session=session)
            return matched

        with store.start_session() as session:
            outcomes.append(session.with_transaction(body))

    at_once(*(lambda number=number: write(number) for number in range(8)))
    assert sorted(outcomes) == [0] * 7 + [1]
    assert database.history.find_one()["by"] == database.patients.find_one()["by"]


def test_a_write_conflict_is_labelled_so_that_it_is_tried_again(database, store):
    database.patients.insert_one({"_id": "p", "n": 0})
    with store.start_session() as first, store.start_session() as second, first.start_transaction():
        database.patients.update_one({"_id": "p"}, {"$inc": {"n": 1}}, session=first)
        with pytest.raises(OperationFailure) as caught, second.start_transaction():
            database.patients.update_one({"_id": "p"}, {"$inc": {"n": 1}}, session=second)
        assert caught.value.has_error_label("TransientTransactionError")
    assert database.patients.find_one()["n"] == 1


def test_no_increment_is_lost_when_conflicts_are_tried_again(database, store):
    database.counters.insert_one({"_id": "c", "n": 0})

    def count() -> None:
        for _ in range(5):
            with store.start_session() as session:
                session.with_transaction(lambda session: database.counters.update_one({"_id": "c"}, {"$inc": {"n": 1}}, session=session))

    at_once(*[count] * 8)
    assert database.counters.find_one()["n"] == 40


@pytest.mark.parametrize("commit", [True, False], ids=["committed", "given up"])
def test_two_thousand_documents_in_four_new_collections_are_written_wholly_or_not_at_all(database, store, commit):
    """Collections that the transaction itself makes, as the first resource of a type does."""
    kinds = ("patients", "observations", "encounters", "history")
    with store.start_session() as session:
        session.start_transaction()
        for kind in kinds:
            database[kind].insert_many([{"_id": number, "raw": "x" * 2000} for number in range(500)], session=session)
            assert database[kind].count_documents({}) == 0  # nobody else sees it yet
        session.commit_transaction() if commit else session.abort_transaction()
    assert [database[kind].count_documents({}) for kind in kinds] == [500 if commit else 0] * 4


def test_transactions_that_make_the_same_collection_at_once_all_commit(database, store):
    def insert(number: int) -> None:
        with store.start_session() as session:
            session.with_transaction(lambda session: database.patients.insert_one({"_id": number}, session=session))

    at_once(*(lambda number=number: insert(number) for number in range(8)))
    assert database.patients.count_documents({}) == 8


def test_a_time_is_kept_to_the_millisecond(database):
    moment = datetime(2025, 4, 22, 13, 0, 0, 123456, tzinfo=UTC)
    database.things.insert_one({"_id": 1, "at": moment})
    assert database.things.find_one({}, sort=[("at", pymongo.ASCENDING)])["at"] == moment.replace(microsecond=123000)
