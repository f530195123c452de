"""Subscribers on loopback are told what is written, in order, whatever happens to them and to us."""

import base64
import hashlib
import hmac
import socket
import threading
from contextlib import suppress

import pytest

from adapter.fhir.capability import Capability
from adapter.store.documents import Change
from adapter.sync.pulling.pull import types_to_pull
from adapter.sync.remotes.remote import Remote
from adapter.sync.subscriptions.delivery import Site
from adapter.sync.subscriptions.turns import delivering
from tests.sync.receiver import Receiver, eventually
from tests.sync.subscriptions.site import JSON, KEY, PATIENT, SITE, told


def test_what_is_made_changed_and_deleted_is_told_in_order_after_a_handshake(repository, receiver, subscribe, write, status):
    with delivering(repository, SITE):
        subscribe("s", receiver)
        assert eventually(lambda: status() == ("active", None))
        write("Patient", "p", PATIENT)
        write("Patient", "p", {**PATIENT, "active": False})
        write("Patient", "p", None)
        assert eventually(lambda: len(receiver.got) == 4)
    assert [(got.method, got.path, got.body) for got in receiver.got] == [("POST", "/hook", b"")] * 4
    assert [got.about for got in receiver.got] == ["handshake/1", *told(("create", "p", 1), ("update", "p", 2), ("delete", "p", 3))]


def test_with_a_payload_each_version_is_put_there_and_a_deletion_deletes_there(repository, receiver, subscribe, write):
    subscribe("s", receiver, payload=JSON, endpoint=f"{receiver.url}/fhir", header=["Authorization: Bearer x y"])
    first = write("Patient", "p", PATIENT)
    second = write("Patient", "p", {**PATIENT, "active": False})
    write("Patient", "p", None)
    with delivering(repository, SITE):
        assert eventually(lambda: len(receiver.got) == 4)
    assert [(got.method, got.path) for got in receiver.got] == [
        ("GET", "/fhir/metadata"),
        ("PUT", "/fhir/Patient/p"),
        ("PUT", "/fhir/Patient/p"),
        ("DELETE", "/fhir/Patient/p"),
    ]
    assert [got.body.decode() for got in receiver.got] == ["", first.text, second.text, ""]
    assert {got.headers["authorization"] for got in receiver.got} == {"Bearer x y"}
    assert [got.headers.get("content-type") for got in receiver.got] == [None, JSON, JSON, None]


def test_the_signature_verifies_and_a_tampered_body_does_not(repository, receiver, subscribe, write):
    subscribe("s.1", receiver, payload=JSON)
    write("Patient", "p", PATIENT)
    with delivering(repository, SITE):
        assert eventually(lambda: len(receiver.got) == 2)
    secret = hmac.digest(KEY, b"subscription s.1/1", hashlib.sha256)
    for got in receiver.got:
        assert verified(secret, got.headers, got.body)
        assert not verified(secret, got.headers, got.body + b" ")
        assert not verified(secret, {**got.headers, "webhook-id": "s.1/delete/Patient/p/1"}, got.body)
        assert not verified(b"another", got.headers, got.body)
    assert receiver.got[1].headers["webhook-id"] == "s%2E1/create/Patient/p/1"


def verified(secret, headers, body):
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(f"v1,{expected}", part) for part in headers["webhook-signature"].split())


@pytest.mark.parametrize("outage", ["closed", 500, 404, 302, (429, {"Retry-After": "0"}), "hangs", "breaks off"])
def test_after_an_outage_all_is_told_in_order_and_once(repository, receiver, subscribe, write, status, outage):
    def away(got):
        if outage == "hangs":
            receiver.freed.wait(3)
            return 500
        if outage == "breaks off":
            raise ConnectionResetError
        return outage

    with delivering(repository, SITE):
        subscribe("s", receiver)
        write("Patient", "p0", PATIENT)
        assert eventually(lambda: len(receiver.told()) == 1)
        if outage == "closed":
            receiver.close()
        else:
            receiver.answer = away
        for number in range(1, 8):
            write("Patient", f"p{number}", PATIENT)
        write("Patient", "p3", None)
        assert eventually(lambda: status()[0] == "error")
        assert status()[1].startswith("The endpoint ")
        receiver.answer = lambda got: 200
        if outage == "closed":
            receiver.open()
        expected = told(*(("create", f"p{number}", 1) for number in range(1, 8)), ("delete", "p3", 2))
        assert eventually(lambda: receiver.told()[-1:] == expected[-1:])
        assert eventually(lambda: status() == ("active", None))
    assert receiver.told()[1:] == expected
    assert not repository.notifications.waiting("s/1")


def test_what_is_sent_again_has_the_same_id(repository, receiver, subscribe, write):
    answers = iter([200, 500, 503, 200])
    receiver.answer = lambda got: next(answers)
    subscribe("s", receiver)
    write("Patient", "p", PATIENT)
    with delivering(repository, SITE):
        assert eventually(lambda: len(receiver.got) == 4)
    assert {got.about for got in receiver.got[1:]} == {"create/Patient/p/1"}


def test_one_that_fails_and_one_that_hangs_harm_nobody_else(repository, subscribe, write, status):
    with Receiver() as failing, Receiver() as hanging, Receiver() as well:
        failing.answer = lambda got: 500
        hanging.answer = lambda got: 200 if got.about.startswith("handshake") or hanging.freed.wait(60) else 200
        for id, receiver in (("failing", failing), ("hanging", hanging), ("well", well)):
            subscribe(id, receiver)
        patient_site = Site(KEY, retry=SITE.retry, patience=60.0)
        with delivering(repository, patient_site):
            assert eventually(lambda: status("hanging")[0] == "active" and status("well")[0] == "active")
            for number in range(20):
                write("Patient", f"p{number:02}", PATIENT)
            # The one that hangs is still hanging, in its first notification.
            assert eventually(lambda: len(well.told()) == 20)
            assert (len(hanging.got), hanging.told()) == (2, [])
            assert status("failing") == ("requested", "The endpoint answered 500.")
        assert well.told() == told(*(("create", f"p{number:02}", 1) for number in range(20)))
        assert repository.notifications.count("hanging/1") == repository.notifications.count("failing/1") == 20


def test_one_that_takes_some_and_fails_again_is_in_error_again(repository, receiver, subscribe, write, status):
    refused = []

    def answer(got):
        if got.about.endswith("/Patient/c/1") or (got.about.endswith("/Patient/a/1") and not refused):
            refused.append(got)
            return 500
        return 200

    receiver.answer = answer
    subscribe("s", receiver)
    for id in "abcd":
        write("Patient", id, PATIENT)
    with delivering(repository, SITE):
        assert eventually(lambda: len(refused) > 2)
        assert eventually(lambda: status() == ("error", "The endpoint answered 500."))
    statuses = [stored.raw["status"] for stored in reversed(repository.versions("Subscription", "s"))]
    assert statuses == ["requested", "active", "error", "active", "error"]
    assert receiver.told() == told(("create", "a", 1), ("create", "b", 1))


def test_an_endpoint_that_was_not_proven_gets_nothing(repository, receiver, subscribe, write, status):
    receiver.answer = lambda got: 401
    subscribe("s", receiver, payload=JSON)
    write("Patient", "p", PATIENT)
    with delivering(repository, SITE):
        assert eventually(lambda: len(receiver.got) > 3)
        receiver.answer = lambda got: 200
        assert eventually(lambda: receiver.told() == told(("create", "p", 1)))
    assert {(got.method, got.body) for got in receiver.got[:-1]} == {("GET", b"")}


def test_an_answer_of_410_switches_it_off_and_a_request_resumes_it(repository, receiver, subscribe, write, status):
    with delivering(repository, SITE):
        subscribe("s", receiver)
        assert eventually(lambda: status()[0] == "active")
        receiver.answer = lambda got: 410
        write("Patient", "p", PATIENT)
        assert eventually(lambda: status() == ("off", "The endpoint answered 410: it wants no more notifications."))
        write("Patient", "while-off", PATIENT)
        receiver.answer = lambda got: 200
        subscribe("s", receiver)
        assert eventually(lambda: status()[0] == "active")
        write("Patient", "q", PATIENT)
        assert eventually(lambda: receiver.told()[-1:] == told(("create", "q", 1)))
    assert receiver.told() == told(("create", "p", 1), ("create", "q", 1))


def test_a_deletion_of_what_is_not_there_is_told(repository, receiver, subscribe, write, status):
    receiver.answer = lambda got: 410 if got.method == "DELETE" else 200
    subscribe("s", receiver, payload=JSON)
    write("Patient", "p", PATIENT)
    write("Patient", "p", None)
    with delivering(repository, SITE):
        assert eventually(lambda: not repository.notifications.waiting("s/1") and len(receiver.got) == 3)
    assert status() == ("active", None)


def test_a_pause_holds_back_and_a_resume_catches_up(repository, receiver, subscribe, write, status):
    with delivering(repository, SITE):
        subscribe("s", receiver)
        assert eventually(lambda: status()[0] == "active")
        subscribe("s", receiver, status="off")
        for id in "abc":
            write("Patient", id, PATIENT)
        subscribe("t", receiver, "Observation")
        assert eventually(lambda: status("t")[0] == "active")
        assert receiver.told() == []
        subscribe("s", receiver)
        assert eventually(lambda: len(receiver.told()) == 3)
    assert receiver.told() == told(("create", "a", 1), ("create", "b", 1), ("create", "c", 1))


def test_at_its_end_it_is_switched_off(repository, receiver, subscribe, status):
    subscribe("s", receiver, end="2025-01-01T00:00:00Z")
    with delivering(repository, SITE):
        assert eventually(lambda: status() == ("off", "Its end has passed."))
    assert receiver.got == []


def test_an_endpoint_that_the_site_does_not_name_is_not_asked(repository, receiver, subscribe, write, status):
    subscribe("s", receiver, endpoint="https://hooks.example/in", status="active")
    write("Patient", "p", PATIENT)
    with delivering(repository, SITE):
        assert eventually(lambda: status()[0] == "error")
        assert "CASEBRIDGE_SUBSCRIBERS" in status()[1]
        subscribe("s", receiver)
        assert eventually(lambda: receiver.told() == told(("create", "p", 1)))


def test_a_subscription_that_cannot_be_served_says_so_itself(repository, receiver, subscribe, status):
    subscribe("s", receiver, "Patient?_has:Observation:patient:code=x")
    with delivering(repository, SITE):
        assert eventually(lambda: status()[0] == "off")
    assert "_has" in status()[1]


def test_what_a_deleted_subscription_was_not_told_is_dropped(repository, receiver, subscribe, write):
    subscribe("s", receiver)
    write("Patient", "p", PATIENT)
    write("Subscription", "s", None)
    with delivering(repository, SITE):
        assert eventually(lambda: repository.database["state"].find_one({"_id": "subscriptions"})["rows"] == [])
    assert receiver.got == []
    assert repository.notifications.count("s/1") == 0


@pytest.mark.parametrize("length", ["3", "1000000"])
def test_of_an_answer_whose_body_never_comes_the_status_counts(repository, receiver, subscribe, write, status, length):
    receiver.answer = lambda got: (200, {"Content-Length": length})
    subscribe("s", receiver)
    write("Patient", "p", PATIENT)
    write("Patient", "q", PATIENT)
    with delivering(repository, SITE):
        assert eventually(lambda: not repository.notifications.waiting("s/1"))
    assert status() == ("active", None)
    assert receiver.told() == told(("create", "p", 1), ("create", "q", 1))


def test_one_who_answers_a_byte_now_and_then_is_not_waited_for(repository, receiver, subscribe, status):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000:
                        connection.send(bytes([byte]))
                        if receiver.freed.wait(0.05):
                            return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        subscribe("s", receiver, endpoint=f"http://127.0.0.1:{listening.getsockname()[1]}/hook")
        with delivering(repository, SITE):
            assert eventually(lambda: status() == ("requested", "The endpoint did not answer within 1 s."))
        receiver.freed.set()
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_the_subscriptions_of_a_remote_are_not_pulled_even_where_that_is_asked_for():
    rows = [{"type": type, "interaction": [{"code": "search-type"}]} for type in ("Patient", "Subscription")]
    able = Capability.of({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [{"mode": "server", "resource": rows}]})
    assert types_to_pull(Remote("hospital", "http://127.0.0.1:9/fhir", types=("Patient", "Subscription")), able) == ["Patient"]


def test_what_a_pull_brings_is_told(repository, receiver, subscribe):
    subscribe("s", receiver)
    repository.commit([Change("Patient", "theirs", PATIENT, 0, born="hospital", sent="hospital")])
    with delivering(repository, SITE):
        assert eventually(lambda: receiver.told() == told(("create", "theirs", 1)))


def test_a_moment_that_is_asked_for_is_waited_for(repository, receiver, subscribe, write, status):
    receiver.answer = lambda got: 200 if got.about.startswith("handshake") else (503, {"retry-after": "86400"})
    subscribe("s", receiver)
    write("Patient", "p", PATIENT)
    with delivering(repository, SITE):
        assert eventually(lambda: status()[0] == "error")
        write("Patient", "q", PATIENT)
        subscribe("other", receiver, "Observation")
        assert eventually(lambda: status("other")[0] == "active")
    assert [got.about for got in receiver.got if got.about.startswith("create")] == told(("create", "p", 1))
