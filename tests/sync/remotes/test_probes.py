"""Each probe finds what a server really does: this project's own behaves, and a proxy before it lies in one way at a time."""

import json
import os
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapter.clock import utc_now
from adapter.errors import RemoteError
from adapter.fhir.client import FhirClient
from adapter.store.state import State
from adapter.sync.remotes import profile as profiles
from adapter.sync.remotes.lab import SYSTEM, Lab, opened
from adapter.sync.remotes.probes import PROBES, answer, probe
from adapter.sync.remotes.remote import Remote
from tests.sync.faulty import Exchange, Proxy, Reply, changes, commits_and_drops, drops_header, says
from tests.sync.hospital import hospital_server

Act = Callable[[Exchange], None]

# This project's own server does as FHIR has it, but for what it does not do at all.
BEHAVED = {
    "search_delay": 0.0,
    "search_cached": False,
    "versions": True,
    "etag": True,
    "last_updated": True,
    "if_match": "412",
    "if_match_delete": "412",
    "conditional_create": True,
    "conditional_create_race": True,
    "transaction": "atomic",
    "transaction_size": 4,
    "batch": True,
    "delete": "410",
    "history_type": True,
    "history_system": True,
    "search_last_updated": True,
    "count": True,
    "next_links": True,
    "sort": True,
    "page_limit": None,
    "unknown_parameter": "refused",
    "decimals": True,
    "zones": True,
    "extensions": True,
    "tags": "replaced",
    "client_ids": True,
    "patch": "json fhirpath",
    "export": "system",
    "subscriptions": None,
}


@pytest.fixture(scope="module")
def proxy(store) -> Iterator[Proxy]:
    """A hospital behind a proxy that lies where it is told to; what probes make there is told apart by their marks."""
    database = store[f"test_{uuid.uuid4().hex}"]
    with hospital_server(database) as url, Proxy(url) as made:
        yield made
    if os.environ.get("CASEBRIDGE_DB"):
        store.drop_database(database.name)


def remote(proxy: Proxy) -> Remote:
    return Remote("hospital", proxy.url, sandbox=True, bundle_size=4)


def there(proxy: Proxy, mark: str = "") -> int:
    """How many resources of probes the hospital has."""
    with FhirClient(proxy.url) as client:
        return sum(client.count(type, {"identifier": f"{SYSTEM}|{mark}"}) for type in ("Patient", "Observation"))


def asks_otherwise(pattern: str, instead: str = "") -> Act:
    """The server behind is asked with another address or body."""

    def act(exchange: Exchange) -> None:
        exchange.path = re.sub(pattern, instead, exchange.path)
        exchange.sent = re.sub(pattern.encode(), instead.encode(), exchange.sent)
        exchange.answer(exchange.forward())

    return act


def answers_otherwise(pattern: str, instead: str = "", status: dict[int, int] | None = None, without: str = "") -> Act:
    """The server's answer has another text, status, or a header less."""

    def act(exchange: Exchange) -> None:
        reply = exchange.forward()
        body = re.sub(pattern.encode(), instead.encode(), reply.body)
        headers = {name: value for name, value in reply.headers.items() if name.lower() != without}
        exchange.answer(Reply((status or {}).get(reply.status, reply.status), body, headers))

    return act


def status(before: int, after: int) -> Act:
    return answers_otherwise("^$", status={before: after})


def remembers() -> Act:
    """Answers a search as it did the first time, unless it is asked not to."""
    answers: dict[str, Reply] = {}

    def act(exchange: Exchange) -> None:
        if exchange.headers.get("Cache-Control") == "no-cache":
            exchange.answer(exchange.forward())
            return
        if exchange.path not in answers:
            answers[exchange.path] = exchange.forward()
        exchange.answer(answers[exchange.path])

    return act


def takes_at_most(entries: int) -> Act:
    def act(exchange: Exchange) -> None:
        if len(json.loads(exchange.sent)["entry"]) > entries:
            says(413)(exchange)
        else:
            exchange.answer(exchange.forward())

    return act


def lenient_only(exchange: Exchange) -> None:
    """An unknown parameter is left out where strictness is not asked for."""
    asks_otherwise("" if "Prefer" in exchange.headers else "&casebridge-unknown=1")(exchange)


def tagged_for_ever(raw: dict[str, Any]) -> None:
    raw["meta"]["tag"] = [*raw["meta"]["tag"], {"code": "extra"}]


def without_entries(raw: dict[str, Any]) -> None:
    raw.pop("entry", None)


def without_deletions(raw: dict[str, Any]) -> None:
    raw["entry"] = [entry for entry in raw["entry"] if "resource" in entry]


def without_next(raw: dict[str, Any]) -> None:
    raw["link"] = [link for link in raw["link"] if link["relation"] != "next"]


def starts_export(exchange: Exchange) -> None:
    says(202, Content_Location=f"{exchange.server.url}/export-job")(exchange)


VERSIONLESS = answers_otherwise('"versionId":"[0-9]+",?', without="etag")
BATCHED = asks_otherwise('"type":"transaction"', '"type":"batch"')
LIES: list[tuple[str, Any, Act, dict[str, Any]]] = [
    ("search_delay", 0.3, changes(without_entries), {"method": "GET", "path": "-delay", "times": 2}),
    ("search_delay", None, changes(without_entries), {"method": "GET", "path": "-delay"}),
    ("search_cached", True, remembers(), {"method": "GET", "path": "-cached"}),
    ("versions", False, VERSIONLESS, {"method": "GET", "path": "Patient/"}),
    ("etag", False, answers_otherwise("^$", without="etag"), {"method": "GET"}),
    ("last_updated", False, answers_otherwise('"lastUpdated"', '"sometime"'), {"method": "GET"}),
    ("if_match", "ignored", drops_header("If-Match"), {"method": "PUT"}),
    ("if_match", "409", status(412, 409), {"method": "PUT"}),
    ("if_match_delete", "ignored", drops_header("If-Match"), {"method": "DELETE"}),
    ("conditional_create", False, drops_header("If-None-Exist"), {"method": "POST"}),
    ("conditional_create_race", False, drops_header("If-None-Exist"), {"method": "POST"}),
    ("transaction", "no", says(501), {"method": "POST", "body": '"transaction"'}),
    ("transaction", "not atomic", BATCHED, {"method": "POST", "body": '"transaction"'}),
    ("transaction_size", 2, takes_at_most(3), {"method": "POST", "body": '"transaction"'}),
    ("transaction_size", None, takes_at_most(0), {"method": "POST", "body": '"transaction"'}),
    ("batch", False, says(400), {"method": "POST", "body": '"batch"'}),
    ("delete", "404", status(410, 404), {"method": "GET"}),
    ("delete", "refused", says(405), {"method": "DELETE", "times": 1}),
    ("delete", "still there", says(204), {"method": "DELETE", "times": 1}),
    ("history_type", False, changes(without_deletions), {"path": "Patient/_history"}),
    ("history_system", False, says(404), {"path": "fhir/_history"}),
    ("search_last_updated", False, asks_otherwise("&_lastUpdated=[^&]+"), {"method": "GET"}),
    ("count", False, asks_otherwise("&_count=2"), {"method": "GET"}),
    ("next_links", False, changes(without_next), {"method": "GET", "path": "_count=2"}),
    ("next_links", False, says(404), {"method": "GET", "path": "pages", "skip": 2}),
    ("sort", False, asks_otherwise("&_sort=[^&]+"), {"method": "GET"}),
    ("page_limit", 2, asks_otherwise("_count=1000", "_count=2"), {"method": "GET"}),
    ("unknown_parameter", "ignored", asks_otherwise("&casebridge-unknown=1"), {"method": "GET"}),
    ("unknown_parameter", "refused where strict is asked for", lenient_only, {"method": "GET", "path": "casebridge-unknown"}),
    ("decimals", False, answers_otherwise("1[.]50", "1.5"), {"method": "GET"}),
    ("zones", False, answers_otherwise("2025-04-22T09:00:00-04:00", "2025-04-22T13:00:00Z"), {"method": "GET"}),
    ("extensions", False, answers_otherwise('"extension":\\[[^]]*\\],?'), {"method": "GET", "path": "Patient/"}),
    ("tags", "merged", changes(tagged_for_ever), {"method": "GET", "path": "Patient/"}),
    ("client_ids", False, says(405), {"method": "PUT"}),
    ("patch", "fhirpath", says(415), {"method": "PATCH", "body": '"op"'}),
    ("patch", "no", says(405), {"method": "PATCH"}),
    ("export", "patient", says(404), {"path": "fhir/$export"}),
    ("export", "no", says(404), {"path": "$export"}),
    ("subscriptions", True, says(201, Location="Subscription/probe-1"), {"method": "POST", "path": "Subscription"}),
    ("subscriptions", False, says(404), {"method": "POST", "path": "Subscription"}),
]


@pytest.mark.parametrize(("name", "found", "act", "where"), LIES, ids=[f"{name}-{found}" for name, found, _, _ in LIES])
def test_a_probe_finds_what_the_server_does(proxy: Proxy, name: str, found: Any, act: Act, where: dict[str, Any]) -> None:
    left: list[str] = []
    with opened(remote(proxy), utc_now, left.extend, sleep=lambda seconds: None) as lab:
        if name == "page_limit":
            for number in range(3):
                lab.make(lab.patient(str(number)))
        proxy.fault(act, **where)
        try:
            finding = PROBES[name].ask(lab)
        finally:
            proxy.mend()
        mark = lab.mark
    assert finding.value == found
    assert PROBES[name].meaning(finding)
    assert left == []
    assert there(proxy, mark) == 0


def test_every_probe_has_a_test_in_which_it_finds_something_else_than_with_a_server_that_behaves():
    assert {name for name, found, _, _ in LIES if found != BEHAVED[name]} == set(PROBES) == set(BEHAVED)


def test_an_export_that_was_started_is_ended(proxy: Proxy) -> None:
    with opened(remote(proxy), utc_now, lambda left: None) as lab:
        proxy.fault(starts_export, path="fhir/$export")
        PROBES["export"].ask(lab)
        proxy.mend()
    assert ("DELETE", "/fhir/export-job") in proxy.seen


def run(proxy: Proxy, database: Any, report: Any = lambda *progress: None) -> tuple[dict[str, Any], list[str]]:
    """A whole run of probes: the answers, and what was left there."""
    left: list[str] = []
    found = probe(State(database), remote(proxy), utc_now, report, left.extend)
    return {name: finding.value for name, finding in found.findings.items()}, left


def test_a_server_that_behaves_is_found_to_and_nothing_stays_there(proxy: Proxy, database: Any) -> None:
    answers, left = run(proxy, database)
    assert answers == BEHAVED
    assert left == []
    assert there(proxy) == 0
    kept = profiles.kept(State(database), "hospital")
    assert kept is not None
    assert {name: finding.value for name, finding in kept.findings.items()} == BEHAVED
    assert kept.software.startswith("casebridge")


def stops_after(number: int) -> Callable[[str, int, int], None]:
    def report(what: str, done: int, total: int) -> None:
        if done == number:
            raise KeyboardInterrupt

    return report


def test_a_run_that_is_stopped_takes_away_what_it_made_and_keeps_no_profile(proxy: Proxy, database: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(proxy, database, stops_after(2))
    assert there(proxy) == 0
    assert profiles.kept(State(database), "hospital") is None


def test_what_cannot_be_taken_away_is_told_and_taken_away_by_the_next_run(proxy: Proxy, database: Any) -> None:
    left: list[str] = []
    proxy.fault(says(403), method="DELETE")
    with pytest.raises(KeyboardInterrupt):
        probe(State(database), remote(proxy), utc_now, stops_after(2), left.extend)
    proxy.mend()
    assert len(left) == there(proxy) == 2
    assert all(reference.startswith("Patient/") for reference in left)
    with pytest.raises(KeyboardInterrupt):
        run(proxy, database, stops_after(0))
    assert there(proxy) == 0
    assert profiles.marks(State(database), "hospital") == []


def test_what_was_made_by_a_request_whose_answer_was_lost_is_taken_away(proxy: Proxy) -> None:
    left: list[str] = []
    with opened(remote(proxy), utc_now, left.extend) as lab:
        proxy.fault(commits_and_drops, method="POST")
        assert asked(lab, "etag") is None
        proxy.mend()
        assert there(proxy, lab.mark) == 1
    assert there(proxy, lab.mark) == 0
    assert left == []


def test_what_could_not_be_looked_for_is_told_and_taken_away_by_the_next_run(proxy: Proxy, database: Any) -> None:
    left: list[str] = []
    state = State(database)

    def loses_an_answer(what: str, done: int, total: int) -> None:
        proxy.fault(commits_and_drops, method="POST")
        if done:
            proxy.fault(says(403), method="GET")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe(state, remote(proxy), utc_now, loses_an_answer, left.extend)
    proxy.mend()
    [mark] = profiles.marks(state, "hospital")
    assert there(proxy, mark) == 1
    assert left == [f"anything else with the tag {SYSTEM}|{mark}"]
    proxy.fault(says(403), method="GET", path=mark)
    with pytest.raises(RemoteError):
        run(proxy, database)
    proxy.mend()
    assert profiles.marks(state, "hospital") == [mark]
    with pytest.raises(KeyboardInterrupt):
        run(proxy, database, stops_after(0))
    assert there(proxy) == 0
    assert profiles.marks(state, "hospital") == []


@pytest.mark.parametrize("name", ["conditional_create", "transaction_size"])
def test_what_a_remote_takes_for_what_it_had_before_is_not_taken_away(proxy: Proxy, name: str) -> None:
    """A remote that does not know a parameter of If-None-Exist finds somebody else by the rest of it."""
    with FhirClient(proxy.url) as client:
        theirs = client.create({"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}).id
        raw = client.read("Patient", theirs).raw
        place = f"Patient/{theirs}/_history/1"

        def knows(exchange: Exchange) -> None:
            entry = {"response": {"status": "200 OK", "location": place}, "resource": raw}
            body = {"resourceType": "Bundle", "type": "transaction-response", "entry": [entry] * 4} if name == "transaction_size" else raw
            says(200, json.dumps(body).encode(), Location=f"{proxy.url}/{place}")(exchange)

        proxy.fault(knows, method="POST")
        with opened(remote(proxy), utc_now, lambda left: None) as lab:
            asked(lab, name)
            proxy.mend()
        assert client.read("Patient", theirs).raw == raw


def asked(lab: Lab, name: str) -> Any:
    return answer(lab, PROBES[name]).value


def test_nothing_is_made_of_a_type_that_could_not_be_deleted_again(proxy: Proxy) -> None:
    def keeps_for_ever(raw: dict[str, Any]) -> None:
        for item in raw["rest"][0]["resource"]:
            item["interaction"] = [each for each in item["interaction"] if each["code"] != "delete"]

    proxy.fault(changes(keeps_for_ever), path="metadata")
    with opened(remote(proxy), utc_now, lambda left: None) as lab:
        before = len(proxy.seen)
        answers = {name: asked(lab, name) for name, each in PROBES.items() if each.needs}
        assert proxy.seen[before:] == []
    proxy.mend()
    assert set(answers.values()) == {None}
