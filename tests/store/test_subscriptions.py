"""What is queued for whom: in the transaction that makes the change, judged by the changed resource alone."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urlencode

import pymongo
import pytest
from pymongo import monitoring
from pymongo.errors import ConnectionFailure

from adapter.clock import utc_now
from adapter.errors import CasebridgeError, Invalid, VersionConflict
from adapter.store import subscriptions
from adapter.store.documents import Change
from adapter.store.matching import candidate, matches
from adapter.store.repository import Repository
from adapter.store.search_parameters import table
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote

HOOK = {"type": "rest-hook", "endpoint": "http://127.0.0.1:9/hook"}
PATIENT = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "active": True}


def subscription(criteria, **more):
    raw = {"resourceType": "Subscription", "status": "requested", "reason": "Kanarifugl", "criteria": criteria, "channel": HOOK}
    return {**raw, **more}


@pytest.fixture
def write(repository):
    """Makes the next version of a resource, None a deletion: write("Patient", "p", {…})."""

    def write(type, id, raw, **options):
        current = repository.find(type, id)
        return repository.commit([Change(type, id, raw, current.version if current else 0, **options)])[0]

    return write


@pytest.fixture
def subscribe(write):
    return lambda id, criteria, **more: write("Subscription", id, subscription(criteria, **more))


@pytest.fixture
def queued(repository):
    """What is queued for a Subscription, in order."""

    def queued(id):
        stored = subscriptions.rows(repository.database["state"].find_one({"_id": "subscriptions"}, {"_id": 0}))
        [queue] = [row.queue for row in stored if row.id == id and not row.gone]
        return [(each.event, each.reference, each.version) for each in repository.notifications.oldest(queue, 100)]

    return queued


def test_what_is_made_changed_and_deleted_is_queued_in_order(subscribe, write, queued):
    subscribe("s", "Patient")
    write("Patient", "p", PATIENT)
    write("Patient", "p", {**PATIENT, "active": False})
    write("Patient", "p", None)
    write("Patient", "p", PATIENT)
    assert queued("s") == [("create", "Patient/p", 1), ("update", "Patient/p", 2), ("delete", "Patient/p", 3), ("create", "Patient/p", 4)]


def test_a_resource_is_judged_as_it_is_now_and_a_deleted_one_as_it_was(subscribe, write, queued):
    subscribe("s", "Patient?active=true&family=kanar")
    write("Patient", "p", {**PATIENT, "active": False})
    write("Patient", "p", PATIENT)
    write("Patient", "p", {**PATIENT, "active": False})
    write("Patient", "p", None)
    write("Patient", "q", PATIENT)
    write("Patient", "q", None)
    assert queued("s") == [("update", "Patient/p", 2), ("create", "Patient/q", 1), ("delete", "Patient/q", 2)]


def test_what_changes_nothing_is_not_told(subscribe, write, queued):
    subscribe("s", "Patient")
    write("Patient", "p", PATIENT)
    write("Patient", "p", {**PATIENT, "id": "p"})
    assert len(queued("s")) == 1


def test_each_subscription_is_told_what_it_asked_for(subscribe, write, queued):
    subscribe("men", "Patient?gender=male")
    subscribe("all", "Patient?_format=json")
    subscribe("others", "/Observation?status=final")
    write("Patient", "p", {**PATIENT, "gender": "male"})
    write("Patient", "q", {**PATIENT, "gender": "female"})
    assert queued("men") == [("create", "Patient/p", 1)]
    assert [reference for _, reference, _ in queued("all")] == ["Patient/p", "Patient/q"]
    assert queued("others") == []


def test_a_transaction_that_is_rolled_back_tells_nothing(repository, subscribe, write, queued):
    subscribe("s", "Patient")
    write("Patient", "p", PATIENT)

    def fail(session):
        raise ConnectionFailure

    with pytest.raises(VersionConflict):
        repository.commit([Change("Patient", "new", PATIENT, 0), Change("Patient", "p", {**PATIENT, "active": False}, 7)])
    with pytest.raises(ConnectionFailure):
        repository.commit([Change("Patient", "other", PATIENT, 0)], also=fail)
    assert queued("s") == [("create", "Patient/p", 1)]


def test_of_racing_writers_what_was_accepted_is_told_and_nothing_else(repository, subscribe, write, queued):
    subscribe("s", "Patient")
    write("Patient", "p", PATIENT)

    def change(turn):
        try:
            return repository.commit([Change("Patient", "p", {**PATIENT, "multipleBirthInteger": turn}, 1 + turn % 2)])[0].version
        except VersionConflict:
            return None

    with ThreadPoolExecutor(20) as pool:
        made = [version for version in pool.map(change, range(20)) if version]
    assert queued("s") == [("create", "Patient/p", 1), *(("update", "Patient/p", version) for version in sorted(made))]


def test_other_criteria_hold_from_the_next_commit_on_and_keep_the_queue(subscribe, write, queued):
    subscribe("s", "Patient?active=true")
    write("Patient", "p", PATIENT)
    subscribe("s", "Patient?active=false")
    write("Patient", "q", PATIENT)
    write("Patient", "r", {**PATIENT, "active": False})
    assert queued("s") == [("create", "Patient/p", 1), ("create", "Patient/r", 1)]


def test_a_pause_misses_nothing_and_what_is_off_for_good_is_told_nothing(subscribe, write, queued):
    subscribe("s", "Patient", status="off")
    write("Patient", "p", PATIENT)
    subscribe("s", "Patient", status="off", error="The endpoint answered 410.")
    write("Patient", "q", PATIENT)
    subscribe("s", "Patient")
    write("Patient", "r", PATIENT)
    assert [reference for _, reference, _ in queued("s")] == ["Patient/p", "Patient/r"]


def test_after_its_end_a_subscription_is_told_nothing(subscribe, write, queued):
    subscribe("s", "Patient", end="2025-04-22T12:00:03Z")  # the clock of these tests starts at noon and ticks a second each time
    for id in "pqrs":
        write("Patient", id, PATIENT)
    assert 0 < len(queued("s")) < 4


def test_a_subscription_made_anew_under_an_id_gets_nothing_of_the_one_before(repository, subscribe, write, queued):
    subscribe("s", "Patient")
    write("Patient", "p", PATIENT)
    write("Subscription", "s", None)
    write("Patient", "q", PATIENT)
    subscribe("s", "Patient")
    assert queued("s") == []
    write("Patient", "r", PATIENT)
    assert queued("s") == [("create", "Patient/r", 1)]
    [gone] = [row for row in subscriptions.rows(repository.database["state"].find_one({"_id": "subscriptions"}, {"_id": 0})) if row.gone]
    assert repository.notifications.count(gone.queue) == 1
    repository.notifications.drop_all(gone.queue)
    assert not repository.notifications.waiting(gone.queue)


def test_the_status_of_a_subscription_does_not_touch_the_register(repository, subscribe):
    subscribe("s", "Patient")
    subscribe("t", "Patient")
    before = repository.database["state"].find_one({"_id": "subscriptions"})
    subscribe("s", "Patient", status="active")
    subscribe("s", "Patient", status="error", error="The endpoint answered 500.")
    assert repository.database["state"].find_one({"_id": "subscriptions"}) == before


def test_subscriptions_that_are_written_at_once_are_all_registered(repository, write, queued):
    def make(turn):
        for _ in range(20):
            try:
                return repository.commit([Change("Subscription", f"s{turn}", subscription("Patient"), 0)])
            except VersionConflict:
                continue
        raise AssertionError

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))
    write("Patient", "p", PATIENT)
    assert [queued(f"s{turn}") for turn in range(8)] == [[("create", "Patient/p", 1)]] * 8


def test_a_subscription_is_never_owed_to_a_remote(repository, subscribe, write):
    Bridge(repository.database).remotes.add(Remote("hospital", "http://127.0.0.1:9/fhir"))
    subscribe("s", "Patient")
    write("Patient", "p", PATIENT)
    assert repository.find("Patient", "p").outbox == ("hospital",)
    assert repository.find("Subscription", "s").outbox == ()


class Commands(monitoring.CommandListener):
    """What the store is asked."""

    def __init__(self):
        self.names = []

    def started(self, event):
        self.names.append((event.command_name, event.command.get(event.command_name)))

    def succeeded(self, event): ...

    def failed(self, event): ...


def test_a_write_that_nobody_subscribed_to_asks_the_store_no_more_for_it(store_uri, database, subscribe, write):
    heard = Commands()
    subscribe("s", "Observation")
    write("Patient", "p", PATIENT)
    with pymongo.MongoClient(store_uri, tz_aware=True, event_listeners=[heard]) as client:
        watched = Repository(client[database.name])
        watched.commit([Change("Patient", "first", PATIENT, 0)])
        heard.names.clear()
        watched.commit([Change("Patient", "q", PATIENT, 0)])
        asked = [*heard.names]
    assert asked == [("find", "state"), ("insert", "Patient"), ("commitTransaction", 1)]


@pytest.mark.parametrize(
    ("criteria", "why"),
    [
        ("", "resource type"),
        ("Bird?name=x", "resource type"),
        ("Patient/1", "resource type"),
        ("[*]", "resource type"),
        ("http://example.org/SubscriptionTopic/admission", "resource type"),
        ("Patient?feathers=Kanarifugl", "feathers"),
        ("Patient?birthdate=soon", "birthdate"),
        ("Observation?subject.name=Kanarifugl", "A chain"),
        ("Patient?_has:Observation:patient:code=x", "_has"),
        ("Patient?_list=x", "_list"),
        ("Observation?code:in=http://example.org/vs", "A token with :in"),
        ("Patient?_filter=name eq x", "_filter"),
        ("Patient?_include=Patient:organization", "how to answer"),
        ("Patient?_count=1", "how to answer"),
        ("Subscription", "secrets"),
    ],
)
def test_criteria_that_a_changed_resource_alone_cannot_answer_are_refused(criteria, why):
    with pytest.raises(Invalid) as caught:
        subscriptions.query(criteria)
    assert caught.value.expression == ("Subscription.criteria",)
    assert why in caught.value.text


@pytest.mark.parametrize(
    ("change", "element"),
    [({"channel": {"type": kind, "endpoint": "mailto:x@example.org"}}, "channel.type") for kind in ("email", "sms", "websocket", "message")]
    + [
        ({"channel": {**HOOK, "payload": "application/fhir+xml"}}, "channel.payload"),
        ({"channel": {**HOOK, "payload": "text/plain"}}, "channel.payload"),
        ({"channel": {**HOOK, "payload": "application/fhir+json", "_payload": {"extension": [{"url": "urn:x", "valueCode": "id-only"}]}}},)
        + ("channel.payload",),
        ({"channel": {"type": "rest-hook"}}, "channel.endpoint"),
        ({"channel": {**HOOK, "header": ["Authorization"]}}, "channel.header"),
        ({"channel": {**HOOK, "header": ["X: a\r\nY: b"]}}, "channel.header"),
        ({"channel": {**HOOK, "header": ["Webhook-Signature: v1,x"]}}, "channel.header"),
        ({"channel": {**HOOK, "header": ["Content-Length: 0"]}}, "channel.header"),
        ({"channel": {**HOOK, "header": ["Host: inside.example"]}}, "channel.header"),
        ({"_criteria": {"extension": [{"url": "urn:x", "valueString": "Kanarifugl"}]}}, "criteria"),
        ({"modifierExtension": [{"url": "urn:x", "valueString": "Kanarifugl"}]}, "modifierExtension"),
        ({"end": "2025-04-22"}, "end"),
    ],
)
def test_a_subscription_that_cannot_be_served_is_refused_by_its_element(change, element):
    with pytest.raises(Invalid) as caught:
        subscriptions.read(subscription("Patient", **change))
    assert f"Subscription.{element}" in caught.value.expression


def test_what_is_read_of_a_subscription_is_what_its_delivery_needs():
    channel = {**HOOK, "payload": "application/fhir+json;fhirVersion=4.0", "header": ["Authorization: Bearer a b", "X-Site:  7 "]}
    found = subscriptions.read(subscription("/Patient?active=true", channel=channel, end="2025-04-22T14:00:00+02:00"))
    assert found.payload
    assert found.headers == (("Authorization", "Bearer a b"), ("X-Site", "7"))
    assert found.end.isoformat() == "2025-04-22T12:00:00+00:00"


def test_a_subscription_that_cannot_be_served_does_not_stand_in_the_way_of_writes(subscribe, write, queued):
    subscribe("s", "Patient", channel={"type": "email", "endpoint": "mailto:x@example.org"})
    write("Patient", "p", PATIENT)
    assert queued("s") == []


VALUES = {
    "token": "a|b",
    "reference": "Patient/1",
    "uri": "urn:x",
    "string": "x",
    "phonetic": "x",
    "date": "ge2025",
    "number": "lt1",
    "quantity": "5",
}
MODIFIERS = ("", ":missing", ":not", ":text", ":identifier", ":exact", ":contains", ":above", ":below", ":Patient")


def test_whatever_criteria_are_taken_any_resource_can_be_judged_by_them():
    resources = [candidate("x", {"resourceType": "Patient"}, utc_now()), candidate("x", PATIENT, utc_now())]
    taken = 0
    for type, rows in table().items():
        for row in rows.values():
            for modifier in MODIFIERS:
                value = "true" if modifier == ":missing" else "$".join(VALUES[kind] for kind, _ in row.parts) or VALUES.get(row.kind, "x")
                try:
                    found = subscriptions.query(f"{type}?{urlencode({row.name + modifier: value})}")
                except CasebridgeError:
                    continue
                taken += 1
                for resource in resources:
                    assert matches(found.filter, resource) in (True, False)
    assert taken > 2000


def owner(name, role="administrator"):
    return {"name": name, "client": name, "role_name": role, "scope": "system/*.rs"}


def test_a_subscription_stays_its_owners_whoever_changes_it_and_what_is_made_under_its_id_later_is_nobodys(repository, subscribe, write):
    def owners():
        return [(row.id, row.owner and row.owner["name"]) for row in repository.subscribed() if not row.gone]

    write("Subscription", "s", subscription("Organization"), owner=owner("north"))
    subscribe("other", "Organization")
    write("Subscription", "s", subscription("Organization?active=true"))
    assert owners() == [("s", "north"), ("other", None)]
    assert subscriptions.owned(repository.database, "north") == {"s"}
    assert subscriptions.owned(repository.database, None) == frozenset()
    write("Subscription", "s", None)
    subscribe("s", "Organization")
    assert owners() == [("other", None), ("s", None)]
    assert subscriptions.owned(repository.database, "north") == frozenset()


@pytest.mark.parametrize(("role", "told"), [("administrator", 1), ("auditor", 1), ("nobody", 0)])
def test_nothing_is_queued_for_an_owner_without_a_policy(write, queued, role, told):
    write("Subscription", "s", subscription("Organization"), owner=owner("north", role))
    write("Subscription", "mine", subscription("Patient"), owner=owner("north", role))
    write("Organization", "o", {"resourceType": "Organization", "name": "Kanarifugl"})
    write("Patient", "p", PATIENT)
    assert (len(queued("s")), queued("mine")) == (told, [])


def test_who_knows_a_notification_as_it_was_before_another_process_wrote_it_down_or_told_it_commits_nothing(repository, subscribe, write):
    subscribe("s", "Patient")
    write("Patient", "p", PATIENT)
    notifications = repository.notifications
    [before] = notifications.oldest("s/1", 1)

    def account(notification, id):
        raw = {"resourceType": "Organization", "name": "Kanarifugl"}
        repository.commit([Change("Organization", id, raw, 0)], also=partial(notifications.account, notification, "https://hooks.example"))

    account(before, "first")
    with pytest.raises(VersionConflict):
        account(before, "again")
    [after] = notifications.oldest("s/1", 1)
    assert (before.accounted, after.accounted) == (None, "https://hooks.example")
    notifications.drop(after)
    with pytest.raises(VersionConflict):
        account(after, "late")
    assert [stored.id for stored in repository.scan("Organization")] == ["first"]


def test_criteria_are_not_longer_than_what_every_write_can_read():
    with pytest.raises(Invalid, match="4000 characters"):
        subscriptions.read(subscription(f"Patient?name={'x' * 4000}"))
