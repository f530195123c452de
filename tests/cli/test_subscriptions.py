"""`casebridge subscriptions`, and processes of their own that deliver, are killed, and are followed by others."""

import base64
import hashlib
import hmac
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
import requests

from adapter.clock import utc_now
from adapter.fhir.keys import Keys
from adapter.store.documents import Change
from adapter.store.repository import Repository
from server.auth.clients import Client
from server.auth.principal import Principal
from server.auth.registers import Registers
from tests.sync.receiver import Receiver, eventually

JSON = "application/fhir+json"
PATIENT = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}


@pytest.fixture
def repository(database):
    return Repository(database)


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def subscribe(repository):
    def subscribe(id, endpoint, criteria="Patient?name=Kanarifugl", **channel):
        channel = {"type": "rest-hook", "endpoint": endpoint, "header": ["Authorization: Bearer Kanarifugl"], **channel}
        raw = {"resourceType": "Subscription", "status": "requested", "reason": "x", "criteria": criteria, "channel": channel}
        return repository.commit([Change("Subscription", id, raw, 0)])[0]

    return subscribe


@pytest.fixture
def start(environment):
    """Starts `casebridge …` as a process of its own; what still runs at the end is killed."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "adapter.cli", *arguments]
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        _, err = process.communicate()
        assert "kanarifugl" not in err.casefold()
        assert "Traceback" not in err, err


def make(repository, numbers):
    for number in numbers:
        repository.commit([Change("Patient", f"p{number:03}", PATIENT, 0)])


def test_what_there_is_is_listed_and_shown_without_secrets(casebridge, repository, subscribe):
    assert casebridge("subscriptions", "list").err == "There is none.\n"
    subscribe("s", "http://127.0.0.1:9/hook?token=Kanarifugl")
    make(repository, range(12))
    [row] = casebridge("subscriptions", "list", "--json").json
    assert (row["id"], row["status"], row["type"], row["waiting"]) == ("s", "requested", "Patient", 12)
    assert row["endpoint"] == "http://127.0.0.1:9/hook"
    shown = casebridge("subscriptions", "show", "s", "--json").json
    assert [each["resource"] for each in shown["next"]] == [f"Patient/p{number:03}" for number in range(10)]
    for ran in (casebridge("subscriptions", "list"), casebridge("subscriptions", "show", "s")):
        assert ran.code == 0
        assert "Bearer" not in ran.out
        assert "token" not in ran.out
    assert casebridge("subscriptions", "show", "none").code == 2


def test_the_secret_is_the_one_that_notifications_are_signed_with(casebridge, subscribe, receiver, start):
    subscribe("s", receiver.url)
    text = casebridge("subscriptions", "secret", "s").out.strip()
    assert text == casebridge("subscriptions", "secret", "s").out.strip()
    start("subscriptions", "deliver")
    assert eventually(lambda: receiver.got)
    headers = receiver.got[0].headers
    key = base64.b64decode(text.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode(), hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_a_pause_a_resume_and_a_skip(casebridge, repository, subscribe):
    subscribe("s", "http://127.0.0.1:9/hook")
    assert casebridge("subscriptions", "skip", "s", "--yes").code == 2
    make(repository, range(2))
    assert casebridge("subscriptions", "pause", "s").err == "s is off.\n"
    assert casebridge("subscriptions", "pause", "s").code == 2
    assert repository.read("Subscription", "s").raw["status"] == "off"
    assert casebridge("subscriptions", "skip", "s", answer="n\n").code == 130
    assert casebridge("subscriptions", "skip", "s", answer="y\n").err.endswith("Skipped: create of Patient/p000, version 1.\n")
    assert [each.id for each in repository.notifications.oldest("s/1", 9)] == ["p001"]
    assert casebridge("subscriptions", "resume", "s").code == 0
    assert repository.read("Subscription", "s").raw["status"] == "requested"


@pytest.mark.slow
def test_killed_ten_times_in_the_middle_it_tells_all_in_order_and_each_kill_repeats_one_at_most(repository, subscribe, receiver, start):
    chance = random.Random(20261122)
    subscribe("s", f"{receiver.url}/fhir", payload=JSON)
    make(repository, range(100))
    kills = 0
    while kills < 10:
        process = start("subscriptions", "deliver")
        before = len(receiver.told())
        assert eventually(lambda before=before: len(receiver.told()) > before)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.communicate()
        kills += 1
        assert len(receiver.told()) < 100
    last = start("subscriptions", "deliver")
    # Being received is not yet being struck off: a stop in between cuts it off, and it would be told again.
    assert eventually(lambda: not repository.notifications.waiting("s/1"))
    last.send_signal(signal.SIGTERM)
    _, err = last.communicate(timeout=60)
    assert (last.returncode, err.splitlines()[-1]) == (0, "Stopped.")
    told = receiver.told()
    assert list(dict.fromkeys(told)) == [f"create/Patient/p{number:03}/1" for number in range(100)]
    assert told == sorted(told)
    assert len(told) <= 100 + kills


def test_killed_in_the_middle_what_an_owner_is_told_is_written_down_once(repository, receiver, start, environment, tmp_path, casebridge):
    environment["CASEBRIDGE_SUBSCRIBERS"] = receiver.url
    keys = Keys(tmp_path / "keeper")
    keys.make("ES384", utc_now())
    Registers.of(repository).clients.add(Client("keeper", "Keeper", "administrator", "system/*.rs", jwks=keys.jwks()))
    hook = {"type": "rest-hook", "endpoint": receiver.url}
    raw = {"resourceType": "Subscription", "status": "requested", "reason": "x", "criteria": "Organization", "channel": hook}
    owner = Principal("keeper", "administrator", "system/*.rs").owner
    repository.commit([Change("Subscription", "s", raw, 0, owner=owner)])
    [row] = casebridge("subscriptions", "list", "--json").json
    assert row["owner"] == "keeper"
    repository.commit([Change("Organization", f"o{number:02}", {"resourceType": "Organization"}, 0) for number in range(9)])
    killed = threading.Event()
    receiver.answer = lambda got: 200 if len(receiver.got) < 5 or killed.wait(60) else 200
    first = start("subscriptions", "deliver")
    assert eventually(lambda: len(receiver.got) == 5)
    first.kill()
    first.communicate()
    killed.set()
    start("subscriptions", "deliver")
    assert eventually(lambda: not repository.notifications.waiting("s/1"))
    told = [f"create/Organization/o{number:02}/1" for number in range(9)]
    assert [got.about for got in receiver.got[1:]] == [*told[:4], *told[3:]]
    events = [entity for stored in repository.scan("AuditEvent") for entity in stored.raw["entity"]]
    written = [each["what"]["reference"] for each in events if "/_history/" in each.get("what", {}).get("reference", "")]
    assert sorted(written) == [f"Organization/o{number:02}/_history/1" for number in range(9)]


def test_of_two_processes_one_delivers_and_the_other_follows_when_it_is_killed(repository, subscribe, receiver, start):
    subscribe("s", receiver.url)
    first = start("subscriptions", "deliver")
    assert eventually(lambda: receiver.got)
    second = start("subscriptions", "deliver")
    assert second.stderr.readline().startswith("Delivering.")
    make(repository, range(10))
    assert eventually(lambda: len(receiver.told()) == 10)
    first.kill()
    first.communicate()
    make(repository, range(10, 20))
    assert eventually(lambda: len(set(receiver.told())) == 20)
    told = receiver.told()
    assert [*dict.fromkeys(told)] == [f"create/Patient/p{number:03}/1" for number in range(20)]
    assert len(told) <= 21, "only what was under way when the first was killed is told again"


def test_serve_delivers_what_is_written_to_it_and_takes_the_subscribers_that_the_environment_names(environment, subscribe, receiver, start):
    environment["CASEBRIDGE_SUBSCRIBERS"] = "https://hooks.example/in https://other.example/"
    process = start("serve", "--no-auth", "--port", "0")
    address = re.search(r"http://127\.0\.0\.1:\d+/fhir", process.stderr.readline())[0]
    raw = subscribe("model", receiver.url).raw
    assert requests.post(f"{address}/Subscription", json={**raw, "criteria": "Patient"}, timeout=30).status_code == 201
    assert eventually(lambda: len(receiver.got) == 2)
    assert requests.post(f"{address}/Patient", json=PATIENT, timeout=30).status_code == 201
    assert eventually(lambda: len(receiver.told()) == 2)
    for endpoint, status in (("https://hooks.example/in/7", 201), ("https://other.example/", 201), ("https://hooks.example/", 403)):
        named = {**raw, "channel": {**raw["channel"], "endpoint": endpoint}, "criteria": "Flag", "end": "2999-01-01T00:00:00Z"}
        assert requests.post(f"{address}/Subscription", json=named, timeout=30).status_code == status
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.splitlines()[-1]) == (0, "Stopped.")
