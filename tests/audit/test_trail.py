"""The account as it is kept: what is done to the raw collection is found, whatever it is; and what happens to writers does no harm."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bson import decode, encode
from bson.datetime_ms import DatetimeMS
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from adapter.audit.anchor import Anchor
from adapter.audit.chain import Head, linked
from adapter.audit.event import TYPE, Asker, audit_event
from adapter.clock import instant
from adapter.errors import Forbidden, Invalid, VersionConflict
from adapter.store import subscriptions, trail
from adapter.store.documents import Change
from adapter.store.repository import Repository

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DANA = Asker("console", "dana", "Practitioner/dana")


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def on(self, **by: int) -> datetime:
        self.now += timedelta(**by)
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def repository(database, time):
    return Repository(database, time)


def event(id: str) -> Change:
    return Change(TYPE, id, audit_event("read", DANA, instant(NOON), patients=["Patient/river"]), 0)


def written(repository, time, *ids: str) -> None:
    """Several accesses, one after the other."""
    for id in ids:
        repository.commit([event(id)])
        time.on(seconds=1)


@pytest.fixture
def account(repository, time):
    """Seven accesses; the first four are anchored."""
    written(repository, time, *"abcd")
    trail.anchor(repository.database, time())
    written(repository, time, *"efg")
    return repository.database[TYPE]


def kinds(repository, held=None):
    return sorted(finding.kind for finding in trail.verify(repository.database, held))


def link(account, id: str) -> dict:
    return account.find_one({"_id": id})["chain"]


def test_an_account_holds_and_one_writer_has_one_chain(account, repository):
    assert kinds(repository) == []
    assert [link(account, id)["number"] for id in "abcdefg"] == [1, 2, 3, 4, 5, 6, 7]
    assert len({link(account, id)["id"] for id in "abcdefg"}) == 1


HARM = {
    "its text is changed": (lambda account: account.update_one({"_id": "b"}, {"$set": {"fhir.raw": "{}"}}), ["changed"]),
    "the text of one is another's": (
        lambda account: account.update_one({"_id": "b"}, {"$set": {"fhir.raw": account.find_one({"_id": "c"})["fhir"]["raw"]}}),
        ["changed"],
    ),
    "the date beside it is another": (lambda account: account.update_one({"_id": "b"}, {"$set": {"fhir.updated": NOON}}), ["changed"]),
    "it is garbage, and looked at once more as it is missing": (
        lambda account: account.update_one({"_id": "b"}, {"$set": {"fhir": 7}}),
        ["deleted", "inserted", "inserted"],
    ),
    "its number is beyond all": (
        lambda account: account.update_one({"_id": "g"}, {"$set": {"chain.number": 2**60}}),
        ["changed", "deleted"],
    ),
    "it is hidden": (lambda account: account.update_one({"_id": "f"}, {"$set": {"fhir.deleted": True}}), ["changed"]),
    "its link is taken away": (lambda account: account.update_one({"_id": "b"}, {"$unset": {"chain": 1}}), ["deleted", "inserted"]),
    "its link is no link": (lambda account: account.update_one({"_id": "b"}, {"$set": {"chain.number": "2"}}), ["deleted", "inserted"]),
    "one is deleted": (lambda account: account.delete_one({"_id": "c"}), ["deleted"]),
    "several are deleted": (lambda account: account.delete_many({"_id": {"$in": ["a", "b"]}}), ["deleted"]),
    "the end is deleted from before the anchor": (lambda account: account.delete_many({"_id": {"$in": [*"defg"]}}), ["cut"]),
    "all are deleted": (lambda account: account.delete_many({}), ["cut"]),
    "one is put in without a link": (
        lambda account: account.insert_one({"_id": "x", "fhir": {"raw": "{}", "deleted": False}}),
        ["inserted"],
    ),
    "one is put in with another's link": (
        lambda account: account.insert_one({**account.find_one({"_id": "b"}), "_id": "x"}),
        ["changed", "inserted"],
    ),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_is_done_to_an_account_is_found(account, repository, harm):
    harmed, expected = HARM[harm]
    harmed(account)
    assert kinds(repository) == expected


@pytest.mark.parametrize(
    ("kept", "id", "path", "expected"), [(TYPE, "b", "fhir.updated", "changed"), ("anchors", "0000000001", "at", "anchor")]
)
def test_a_time_beyond_those_of_the_calendar_is_found(account, repository, monkeypatch, kept, id, path, expected):
    """The embedded store takes none, MongoDB does: what is read is made so on its way, and decoded as the reader asks for."""
    find, (*above, last) = Collection.find, path.split(".")

    class Found(list):
        def sort(self, _):
            return self

    def harmed(self, *asked, **how):
        documents = [*find(self, *asked, **how)]
        for document in documents:
            if (self.name, document["_id"]) == (kept, id):
                (document[above[0]] if above else document)[last] = DatetimeMS(8_640_000_000_000_000)
        return Found(decode(encode(document), self.codec_options) for document in documents)

    monkeypatch.setattr(Collection, "find", harmed)
    assert expected in kinds(repository)


def test_entries_that_change_places_are_found(account, repository):
    one, other = link(account, "b"), link(account, "c")
    account.update_one({"_id": "b"}, {"$set": {"chain": other}})
    account.update_one({"_id": "c"}, {"$set": {"chain": one}})
    assert kinds(repository) == ["changed", "changed"]


def test_who_makes_all_anew_is_found_by_the_anchor_and_who_makes_that_anew_by_one_kept_elsewhere(account, repository, database, time):
    kept = trail.anchor(database, time()).hash
    account.delete_many({})
    written(Repository(database, time), time, *"abcdefg")
    assert set(kinds(repository)) == {"cut"}
    database["anchors"].delete_many({})
    trail.anchor(database, time())
    assert kinds(repository) == []
    assert kinds(repository, kept) == ["anchor"]


def test_an_anchor_is_made_only_of_what_is_new_and_each_follows_the_one_before(account, repository, time):
    first = trail.anchors(repository.database).last
    second, again = (trail.anchor(repository.database, time()) for _ in range(2))
    assert (second.number, second.before, again) == (2, first.hash, second)
    assert kinds(repository, first.hash) == []


def test_an_anchor_that_is_changed_or_taken_out_is_found(account, repository, time, database):
    trail.anchor(database, time())
    held = database["anchors"].find_one()
    database["anchors"].update_one({"_id": held["_id"]}, {"$set": {"at": instant(NOON + timedelta(days=1))}})
    assert "anchor" in kinds(repository)
    database["anchors"].delete_one({"_id": held["_id"]})
    assert "anchor" in kinds(repository)


def test_an_entry_that_is_put_in_later_with_an_old_date_is_found(account, repository, time, database):
    time.on(hours=1)
    trail.anchor(database, time())
    assert kinds(repository) == []
    written(Repository(database, lambda: NOON), time, "x")
    assert kinds(repository) == ["inserted"]


def test_nothing_that_goes_through_the_store_changes_or_deletes_an_entry(account, repository):
    before = [*account.find().sort("_id")]
    raw = repository.read(TYPE, "a").raw
    for change in (Change(TYPE, "a", {**raw, "outcome": "8"}, 1), Change(TYPE, "a", None, 1)):
        with pytest.raises(Forbidden):
            repository.commit([change, Change("Patient", "p", {"resourceType": "Patient"}, 0)])
    repository.commit([Change(TYPE, "a", raw, 1)])
    assert [*account.find().sort("_id")] == before
    assert repository.find("Patient", "p") is None


def test_a_write_that_fails_leaves_the_chain_as_it_was(account, repository, time):
    with pytest.raises(VersionConflict):
        repository.commit([event("x"), Change("Patient", "p", {"resourceType": "Patient"}, 3)])
    written(repository, time, "h")
    assert (link(account, "h")["number"], kinds(repository)) == (8, [])


def test_where_nobody_knows_whether_it_was_written_a_new_chain_begins(account, repository, time):
    def lost(session):
        raise PyMongoError("the connection is gone")

    with pytest.raises(PyMongoError):
        repository.commit([event("x")], also=lost)
    written(repository, time, "h")
    assert (link(account, "h")["number"], kinds(repository)) == (1, [])


def test_an_entry_by_itself_takes_no_transaction_unless_a_subscription_is_to_be_told(account, repository, time, database, monkeypatch):
    transactions, commit = [], repository._commit
    monkeypatch.setattr(repository, "_commit", lambda changes, *given: transactions.append(changes) or commit(changes, *given))
    written(repository, time, "h")
    with pytest.raises(VersionConflict):
        repository.commit([event("h")])
    assert transactions == []
    hook = {"type": "rest-hook", "endpoint": "http://127.0.0.1:9/hook"}
    raw = {"resourceType": "Subscription", "status": "requested", "reason": "Kanarifugl", "criteria": "AuditEvent", "channel": hook}
    repository.commit([Change("Subscription", "s", raw, 0)])
    written(repository, time, "i")
    [row] = subscriptions.registered(database)
    assert [each.reference for each in repository.notifications.oldest(row.queue, 9)] == ["AuditEvent/i"]
    assert ([[each.id for each in changes] for changes in transactions], kinds(repository)) == ([["s"], ["i"]], [])


def test_writers_at_the_same_time_have_chains_of_their_own_and_all_hold(repository, database):
    others = [repository, repository, Repository(database), Repository(database)]
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(others[number % 4].commit, [event(f"e{number}")]) for number in range(80)]
        for job in jobs:
            job.result()
    assert database[TYPE].count_documents({}) == 80
    assert kinds(repository) == []


def test_what_is_old_is_taken_away_and_the_rest_still_holds(account, repository, time, database):
    time.on(days=10)
    written(repository, time, "h", "i")
    assert trail.prune(database, time(), NOON + timedelta(days=1)) == 7
    assert [each["_id"] for each in account.find().sort("_id")] == ["h", "i"]
    assert kinds(repository) == []
    account.delete_one({"_id": "h"})
    assert kinds(repository) == ["deleted"]


def test_what_an_interrupted_pruning_left_behind_goes_with_the_next(account, repository, time, database, monkeypatch):
    time.on(days=10)
    monkeypatch.setattr(trail, "_swept", lambda *_: 0)
    trail.prune(database, time(), NOON + timedelta(days=1))
    monkeypatch.undo()
    assert set(kinds(repository)) == {"inserted"}
    assert trail.prune(database, time(), NOON + timedelta(days=1)) == 7
    assert kinds(repository) == []


def placed_anew(account, number):
    """An entry that is to be kept, given the place and the date of one that was pruned, and a hash for that."""
    kept, pruned = account.find_one({"_id": "h"}), account.find_one({"_id": "a"})
    after = Head() if number == 1 else Head(number - 1, pruned["chain"]["hash"])
    made = linked(pruned["chain"]["id"], after, f"{TYPE}/h", kept["fhir"]["raw"])
    return {"$set": {"chain": made.document(), "fhir.updated": NOON}}


@pytest.mark.parametrize(
    "harm",
    [
        ("h", lambda account: {"$set": {"chain.number": 1, "fhir.updated": NOON}}),
        ("h", lambda account: placed_anew(account, 1)),
        ("h", lambda account: placed_anew(account, 2)),
        ("a", lambda account: {"$set": {"fhir.raw": account.find_one({"_id": "h"})["fhir"]["raw"]}}),
        ("a", lambda account: {"$set": {"fhir.raw": 7}}),
    ],
    ids=["placed among the pruned", "with a hash for that", "behind another", "another's text", "no text"],
)
def test_what_a_pruning_left_behind_is_taken_away_only_where_it_is_what_was_written(account, repository, time, database, monkeypatch, harm):
    time.on(days=10)
    written(repository, time, "h", "i")
    monkeypatch.setattr(trail, "_swept", lambda *_: 0)
    trail.prune(database, time(), NOON + timedelta(days=1))
    monkeypatch.undo()
    id, changed = harm
    account.update_one({"_id": id}, changed(account))
    with pytest.raises(Invalid, match="nothing was taken away"):
        trail.prune(database, time(), NOON + timedelta(days=1))
    assert {each["_id"] for each in account.find()} == {*"abcdefghi"}


def test_what_a_false_anchor_says_was_pruned_is_not_taken_away(account, repository, time, database):
    time.on(days=10)
    last, head = trail.anchor(database, time()), link(account, "d")
    false = Anchor(last.number + 1, time(), last.hash, {}, {head["id"]: Head(4, "0" * 64)}, NOON + timedelta(days=1))
    database["anchors"].insert_one({"_id": f"{false.number:010}", **false.document()})
    with pytest.raises(Invalid, match="nothing was taken away"):
        trail.prune(database, time(), NOON + timedelta(days=1))
    assert account.count_documents({}) == 7


def test_dates_beside_entries_do_not_make_the_site_prune_them(account, repository, time, database):
    time.on(days=10)
    trail.anchor(database, time())
    account.update_many({}, {"$set": {"fhir.updated": NOON - timedelta(days=400)}})
    with pytest.raises(Invalid, match="does not hold"):
        trail.prune(database, time(), NOON - timedelta(days=300))
    assert trail._cuts(database, {}, NOON - timedelta(days=300)) == {}
    assert account.count_documents({}) == 7


@pytest.mark.parametrize(("until", "found"), [(timedelta(days=-400), ["anchor"]), (timedelta(minutes=1), [])])
def test_who_says_in_an_anchor_that_all_was_pruned_is_found_or_told_of(account, repository, time, database, until, found):
    kept = trail.anchor(database, time())
    head = link(account, "g")
    account.delete_many({})
    pruned = {head["id"]: Head(head["number"], head["hash"])}
    said = Anchor(kept.number + 1, time.on(hours=1), kept.hash, {}, pruned, NOON + until)
    database["anchors"].insert_one({"_id": f"{said.number:010}", **said.document()})
    assert kinds(repository) == found
    known = trail.anchors(database)
    assert [(each.anchor, each.entries) for each in known.prunings] == [(3, 7)]
    assert [each.kind for each in known.early(kept.hash, 1)] == ([] if found else ["pruned"])


def test_a_pruning_whose_anchor_another_was_faster_with_is_said_again(account, repository, time, database, monkeypatch):
    time.on(days=10)
    made, others = trail._made, []

    def slower(database, before, wanted):
        if not others:
            others.append(made(database, before, Anchor(0, time(), heads=trail._moved(database, before))))
        return made(database, before, wanted)

    monkeypatch.setattr(trail, "_made", slower)
    assert trail.prune(database, time(), NOON + timedelta(days=1)) == 7
    assert (others[0].number, trail.anchors(database).last.number) == (2, 3)
    assert kinds(repository) == []


@pytest.mark.parametrize("garbage", [{"heads": {"c": ["x", 1]}}, {"number": "2"}, {"at": "2026-03-02T12:00:00"}, {"number": 7}])
def test_nothing_is_anchored_after_what_is_no_anchor(account, repository, time, database, garbage):
    database["anchors"].update_one({}, {"$set": garbage})
    assert "anchor" in kinds(repository)
    for ask in (lambda: trail.anchor(database, time()), lambda: trail.prune(database, time(), NOON)):
        with pytest.raises(Invalid, match="last anchor"):
            ask()


def test_an_account_that_does_not_hold_is_not_pruned(account, database, time):
    account.delete_one({"_id": "b"})
    with pytest.raises(Invalid, match="does not hold"):
        trail.prune(database, time(), NOON + timedelta(days=1))
    assert account.count_documents({}) == 6


WRITER = """
import sys
from pymongo import MongoClient
from adapter.audit.event import TYPE, Asker, audit_event
from adapter.store.documents import Change
from adapter.store.repository import Repository

repository = Repository(MongoClient(sys.argv[1], tz_aware=True, w="majority", journal=True)[sys.argv[2]])
for number in range(100_000):
    raw = audit_event("read", Asker("console"), "2026-03-02T12:00:00.000Z")
    repository.commit([Change(TYPE, f"{sys.argv[3]}-{number}", raw, 0)])
    print(number, flush=True)
"""


def test_two_processes_write_at_once_and_one_that_is_killed_leaves_chains_that_hold(store_uri, database, tmp_path):
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    running = [
        subprocess.Popen([sys.executable, script, store_uri, database.name, name], stdout=subprocess.PIPE, text=True, env=env)
        for name in ("one", "two")
    ]
    told = []
    try:
        for process in running:
            told.append([int(process.stdout.readline()) for _ in range(20)])
    finally:
        for process in running:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
    assert [len(each) for each in told] == [20, 20]
    repository = Repository(database)
    ids = {each["_id"] for each in database[TYPE].find({}, {"_id": 1})}
    assert {f"{name}-{number}" for name in ("one", "two") for number in range(20)} <= ids, "what was told as written is there"
    assert kinds(repository) == []
    assert len(database[TYPE].distinct("chain.id")) == 2
