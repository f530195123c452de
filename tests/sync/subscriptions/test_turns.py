"""Who delivers: several at once, one after another, and what goes wrong in between."""

import json
import threading

from pymongo.errors import ConnectionFailure

from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.subscriptions.delivery import Site
from adapter.sync.subscriptions.turns import delivering
from tests.sync.receiver import eventually
from tests.sync.subscriptions.site import JSON, KEY, PATIENT, SITE, told


def test_two_that_deliver_send_nothing_twice(repository, database, receiver, subscribe, write):
    other = Repository(database)
    with delivering(repository, SITE), delivering(other, SITE):
        subscribe("s", receiver)
        for number in range(30):
            write("Patient", f"p{number:02}", PATIENT)
        assert eventually(lambda: not repository.notifications.waiting("s/1"))
    assert receiver.told() == told(*(("create", f"p{number:02}", 1) for number in range(30)))


def test_another_takes_over_when_the_first_has_ended(repository, database, receiver, subscribe, write):
    with delivering(repository, SITE):
        subscribe("s", receiver)
        write("Patient", "p", PATIENT)
        assert eventually(lambda: len(receiver.told()) == 1)
    with delivering(Repository(database), SITE):
        write("Patient", "q", PATIENT)
        assert eventually(lambda: len(receiver.told()) == 2)


def test_ending_does_not_wait_for_one_that_hangs_and_loses_nothing(repository, receiver, subscribe, write, status):
    hung = threading.Event()

    def hang(got):
        if got.about.startswith("handshake"):
            return 200
        hung.set()
        receiver.freed.wait(60)
        return 200

    receiver.answer = hang
    subscribe("s", receiver)
    write("Patient", "p", PATIENT)
    with delivering(repository, Site(KEY, patience=600.0)):
        assert hung.wait(60)
    assert status()[0] == "active"
    receiver.answer = lambda got: 200
    with delivering(repository, SITE):
        assert eventually(lambda: receiver.told() == told(("create", "p", 1)))
    assert [got.about for got in receiver.got[1:]] == told(("create", "p", 1)) * 2


def test_writers_at_once_are_all_told_and_each_resource_in_the_order_of_its_versions(repository, receiver, subscribe):
    subscribe("s", receiver, payload=JSON)
    made = []

    def work(id):
        for version in range(10):
            made.append(repository.commit([Change("Patient", id, {**PATIENT, "multipleBirthInteger": version}, version)])[0])

    with delivering(repository, SITE):
        writers = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(6)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert eventually(lambda: len(receiver.told()) == 60)
    bodies = [json.loads(got.body) for got in receiver.got if got.method == "PUT"]
    assert {(body["id"], body["meta"]["versionId"]) for body in bodies} == {(stored.id, str(stored.version)) for stored in made}
    for number in range(6):
        assert [body["multipleBirthInteger"] for body in bodies if body["id"] == f"w{number}"] == [*range(10)]


def test_a_fault_in_between_does_not_end_the_delivery(repository, receiver, subscribe, write, monkeypatch):
    subscribe("s", receiver)
    sound, faults = repository.subscribed, iter([ValueError("Kanarifugl"), ConnectionFailure("Kanarifugl")])

    def subscribed():
        if fault := next(faults, None):
            raise fault
        return sound()

    monkeypatch.setattr(repository, "subscribed", subscribed)
    with delivering(repository, SITE):
        write("Patient", "p", PATIENT)
        assert eventually(lambda: receiver.told() == told(("create", "p", 1)))
