"""All of a collection is read once, whenever it was changed, and put back as it was."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from pymongo import IndexModel

from adapter.errors import StoreUnavailable
from adapter.store import whole
from adapter.store.documents import Change
from adapter.store.repository import Repository

NOW = datetime(2025, 4, 22, 12, tzinfo=UTC)
AGES = [
    *(timedelta(milliseconds=number) for number in range(250)),
    *(timedelta(days=number) for number in (1, 7, 8, 100, 5000, 9000, 700_000)),
    *(-timedelta(days=number) for number in (0, 1, 4000)),
    *[timedelta(days=40)] * 120,
]


def test_everything_is_read_once_whenever_it_was_changed(database, monkeypatch):
    monkeypatch.setattr(whole, "_FEW", len(AGES) - 1)
    Repository(database).collection("Basic")
    database["Basic"].insert_many([{"_id": f"b{number}", "fhir": {"updated": NOW - age}} for number, age in enumerate(AGES)])
    with whole.as_of_one_moment(database, lambda: NOW) as moment:
        found = [document["_id"] for document in moment.documents("Basic")]
    assert sorted(found) == sorted(f"b{number}" for number in range(len(AGES)))


def test_what_is_written_meanwhile_is_not_read(database):
    repository = Repository(database)
    repository.commit([Change("Basic", "old", {"resourceType": "Basic"}, 0)])
    with whole.as_of_one_moment(database) as moment:
        repository.commit(
            [Change("Basic", "old", {"resourceType": "Basic", "language": "en"}, 1), Change("Device", "new", {"resourceType": "Device"}, 0)]
        )
        found = {name: [document["fhir"]["version"] for document in moment.documents(name)] for name in ("Basic", "Device", "history")}
    assert found == {"Basic": [1], "Device": [], "history": []}


def test_a_moment_that_is_lost_is_refused(database):
    Repository(database).commit([Change("Basic", "a", {"resourceType": "Basic"}, 0)])

    def read() -> None:
        with whole.as_of_one_moment(database) as moment:
            database.client.admin.command("killSessions", [dict(moment.session.session_id)])
            list(moment.documents("Basic"))

    with pytest.raises(StoreUnavailable, match="did not keep the moment"):
        read()


def test_documents_are_put_back_to_the_byte(database, new_database):
    target = new_database()
    values = {
        "int": 1,
        "long": Int64(1),
        "float": 1.0,
        "decimal": Decimal128(Decimal("1.50")),
        "when": NOW,
        "none": None,
        "bytes": b"x",
        "list": [1, {}],
    }
    database["state"].insert_one({"_id": "x", "b": values, "a": ""})
    with whole.as_of_one_moment(database) as moment:
        [before] = moment.documents("state")
    with target.client.start_session() as session:
        session.with_transaction(lambda session: whole.put(target, "state", [before], session))
    with whole.as_of_one_moment(target) as moment:
        [after] = moment.documents("state")
    assert after.raw == before.raw


def test_indexes_are_made_as_they_were(database, new_database):
    database["x"].create_indexes([IndexModel([("a", 1), ("b", -1)], name="ab"), IndexModel([("c", 1)], name="c", unique=True, sparse=True)])
    target = new_database()
    whole.index(target, "x", whole.indexes(database, "x"))
    assert whole.indexes(target, "x") == whole.indexes(database, "x")
    assert whole.indexes(target, "x")[1] == {"name": "c", "key": [["c", 1]], "unique": True, "sparse": True}


def test_a_collection_is_cleared_but_for_the_mark(database):
    database["state"].insert_many([{"_id": f"s{number}"} for number in range(230)] + [{"_id": whole.MARK}])
    assert whole.holds_any(database, "state")
    assert [*whole.clear(database, "state", lambda: None)] == [100, 200, 230]
    assert not whole.holds_any(database, "state")
    assert [document["_id"] for document in database["state"].find()] == [whole.MARK]
