"""docs/subscriptions.md, held true: its code verifies what is really sent, and its numbers and settings are those of the program."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapter.config import Settings
from adapter.errors import Invalid
from adapter.fhir.retry import RetryPolicy
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.subscriptions import read
from adapter.sync.subscriptions import delivery, subscriber
from adapter.sync.subscriptions import turns as subscriptions
from adapter.sync.subscriptions.delivery import Site
from adapter.sync.subscriptions.signature import secret, written
from adapter.sync.subscriptions.turns import delivering
from tests.sync.receiver import Receiver, eventually

PAGE = (Path(__file__).parents[3] / "docs" / "subscriptions.md").read_text("utf-8")
KEY = b"a key of this site"


def block(language: str) -> str:
    found = re.search(rf"^ *```{language}\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture
def sent(database):
    """A notification with a body, as a subscriber that asked for it as the page does got it."""
    repository = Repository(database)
    asked = json.loads(block("json"))
    with Receiver() as receiver:
        channel = {**asked["channel"], "endpoint": receiver.url}
        plan = {
            "resourceType": "CarePlan",
            "status": "active",
            "intent": "plan",
            "subject": {"reference": "Patient/1"},
            "title": "Kanarifugl",
        }
        repository.commit([Change("Subscription", "s", {**asked, "channel": channel}, 0)])
        repository.commit([Change("CarePlan", "c", plan, 0)])
        with delivering(repository, Site(KEY)):
            assert eventually(lambda: len(receiver.got) == 2)
    assert [(got.method, got.path) for got in receiver.got] == [("GET", "/metadata"), ("PUT", "/CarePlan/c")]
    return receiver.got[1]


def test_the_python_of_the_page_verifies_what_is_sent_and_nothing_else(sent):
    page: dict[str, Any] = {}
    exec(block("python"), page)
    verified, text = page["verified"], written(secret(KEY, "s/1"))
    assert verified(text, sent.headers, sent.body)
    assert not verified(text, sent.headers, sent.body.replace(b"active", b"closed"))
    assert not verified(text, {**sent.headers, "webhook-id": "s/delete/CarePlan/c/1"}, sent.body)
    assert not verified(written(secret(KEY, "t/1")), sent.headers, sent.body)
    old = str(int(sent.headers["webhook-timestamp"]) - 301)
    assert not verified(text, {**sent.headers, "webhook-timestamp": old}, sent.body)


@pytest.mark.skipif(not (shutil.which("openssl") and shutil.which("od")), reason="the page's other way needs openssl and od")
def test_the_openssl_of_the_page_makes_the_same_signature(sent, tmp_path):
    (tmp_path / "body").write_bytes(sent.body)
    named = {"SECRET": written(secret(KEY, "s/1")), "ID": sent.headers["webhook-id"], "TIMESTAMP": sent.headers["webhook-timestamp"]}
    run = subprocess.run(["sh", "-c", block("sh")], env={**os.environ, **named}, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert f"v1,{run.stdout.strip()}" == sent.headers["webhook-signature"]


def test_the_example_of_the_page_can_be_served():
    assert read(json.loads(block("json"))).payload


def test_the_numbers_and_settings_of_the_page_are_those_of_the_program():
    site = Site(KEY)
    numbers = [
        f"up to {subscriptions._THREADS} at once",
        f"after {delivery._TURN} notifications",
        f"none within {site.patience:g} s",
        f"no connection within {subscriber._CONNECT_SECONDS:g} s",
        f"at most {site.retry.cap:g} s (`CASEBRIDGE_RETRY_SECONDS`)",
        f"in seconds [{Settings.from_env({}).retry_seconds:g}]",
    ]
    assert [number for number in numbers if number not in PAGE] == []
    given = {
        "CASEBRIDGE_SUBSCRIBERS": "https://a.example/ https://b.example/x",
        "CASEBRIDGE_RETRY_SECONDS": "60",
        "CASEBRIDGE_KEY": "k" * 32,
    }
    assert set(re.findall(r"`(CASEBRIDGE_\w+)` \|", PAGE)) == set(given)
    settings = Settings.from_env(given)
    assert settings.subscribers == ("https://a.example/", "https://b.example/x")
    assert (settings.retry_seconds, settings.key) == (60.0, "k" * 32)
    made = subscriptions.site(settings)
    assert (made.key, made.named, made.retry) == (b"k" * 32, settings.subscribers, RetryPolicy(base=1.0, cap=60.0))
    for wrong in ("0", "soon", "-1"):
        with pytest.raises(Invalid, match="CASEBRIDGE_RETRY_SECONDS"):
            Settings.from_env({"CASEBRIDGE_RETRY_SECONDS": wrong})
