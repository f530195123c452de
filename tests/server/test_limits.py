"""How many requests get through: by the bucket itself, and over each door of a server that knows its callers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from adapter.config import Settings
from adapter.errors import Invalid, Throttled
from adapter.fhir.jwks import fetch
from adapter.store.cost import INCLUDES_AT_MOST, LOOKED_AT, QUERIES_AT_MOST, SORTS_AT_MOST
from adapter.store.includes import MAX_INCLUDED
from adapter.store.query import JOINS_AT_MOST
from adapter.store.repository import Repository
from adapter.store.syntax import ALL_AT_MOST, PARAMETERS_AT_MOST, VALUE_AT_MOST
from server import MAX_BODY, MAX_FORM, create_app
from server.auth.clients import LONGEST, Client, check
from server.auth.principal import Principal
from server.fhir.sizes import DEPTH_AT_MOST, ENTRIES_AT_MOST
from server.limits import BURST_SECONDS, DEBT_SECONDS, KEPT_AT_MOST, KNOWN, UNKNOWN, Caller, Limits, network

from .auth.conftest import issuer
from .auth.site import SECONDS, Browser, Site, opened
from .fhir import Fhir, assert_outcome, entry, patient, transaction

__all__ = ["issuer"]

NORTH = "user/*.rs"


class Time:
    """A clock that stands until it is moved on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def let_in(limits: Limits, caller: Caller, tries: int) -> int:
    """How many of so many requests get through now."""
    passed = 0
    for _ in range(tries):
        try:
            limits.enter(caller)
            passed += 1
        except Throttled:
            pass
    return passed


def test_after_a_rest_as_many_get_through_as_come_in_ten_seconds_and_then_as_many_as_the_rate_says():
    time = Time()
    limits, caller = Limits(now=time), Caller("north", 5)
    assert let_in(limits, caller, 100) == 5 * BURST_SECONDS
    time.now += 1
    assert let_in(limits, caller, 100) == 5
    time.now += 10_000
    assert let_in(limits, caller, 100) == 5 * BURST_SECONDS


def test_who_comes_too_early_is_told_when_to_come_and_gets_through_then():
    time = Time()
    limits, caller = Limits(now=time), Caller("slow", 0.05)
    limits.enter(caller)
    time.now += 3
    with pytest.raises(Throttled) as refused:
        limits.enter(caller)
    assert refused.value.retry_after == 17
    time.now += 17
    limits.enter(caller)


@given(
    st.sampled_from([0.2, 1, 3, 7.5, 200]),
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 80)), max_size=12),
)
def test_it_lets_through_what_a_bucket_holds_however_the_requests_come(rate, arrivals):
    time = Time()
    limits, caller = Limits(now=time), Caller("any", rate)
    most = max(rate * BURST_SECONDS, 1)
    held = most
    for pause, tries in arrivals:
        time.now += pause
        held = min(most, held + pause * rate)
        passed = let_in(limits, caller, tries)
        # What is left of a request is rounded once for each that got through.
        assert int(min(tries, held - 1e-3)) <= passed <= min(tries, held + 1e-3)
        held -= passed


def test_what_an_answer_took_is_paid_for_afterwards_and_for_a_minute_at_most():
    time = Time()
    limits, caller = Limits(now=time), Caller("north", 10)
    limits.charge(caller, 10**6)
    with pytest.raises(Throttled) as refused:
        limits.enter(caller)
    assert refused.value.retry_after == DEBT_SECONDS + 1
    time.now += DEBT_SECONDS + 1
    assert let_in(limits, caller, 100) == 10


def test_nobody_waits_for_another_and_no_rate_is_no_limit():
    limits = Limits(now=Time())
    assert let_in(limits, Caller("loud", 1), 1000) == BURST_SECONDS
    assert let_in(limits, Caller("quiet", 1), 5) == 5
    assert let_in(limits, limits.caller("all", None), 1000) == 1000
    assert let_in(limits, limits.address({"REMOTE_ADDR": "192.0.2.1"}), 1000) == 1000


def test_callers_that_come_and_go_take_no_more_memory_than_is_set_and_who_asks_on_stays_counted():
    limits = Limits(unknown=1, now=Time())
    for number in range(KEPT_AT_MOST + 2):
        limits.enter(Caller(f"address {number}", 1))
        if number % 1000 == 0:
            let_in(limits, Caller("loud", 1), 1)
    assert len(limits._full) <= KEPT_AT_MOST
    assert let_in(limits, Caller("loud", 1), 5) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1:5012", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("[2001:db8::1]:443", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("unknown", "unknown", True),
        ("x" * 64, "x" * 5000, True),
    ],
)
def test_an_address_is_what_one_caller_can_have(one, other, same):
    assert (network(one) == network(other)) is same


def test_the_page_of_limits_tells_those_that_are_kept():
    page = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()
    for told in (
        f"| each client and person | {KNOWN:g};",
        f"or logs in | {UNKNOWN:g};",
        f"`CASEBRIDGE_SCAN`: {LOOKED_AT:,};",
        f"lead to) | {JOINS_AT_MOST}; {QUERIES_AT_MOST} |",
        f"| parameters in `_sort` | {SORTS_AT_MOST} |",
        f"| {INCLUDES_AT_MOST}; ten rounds of `:iterate`; {MAX_INCLUDED:,} resources |",
        f"| {PARAMETERS_AT_MOST:,}; {ALL_AT_MOST:,}; {VALUE_AT_MOST:,} |",
        f"also after a patch | {DEPTH_AT_MOST} |",
        f"| entries of a Bundle | {ENTRIES_AT_MOST:,} |",
        f"| a body, packed or unpacked | {MAX_BODY >> 20} MiB; at the case API and the console {MAX_FORM >> 20} MiB;",
        f"| the scopes of a client or token | {LONGEST:,} characters |",
    ):
        assert told in page, told


@pytest.mark.parametrize("text", ["-1", "x", "1e3", "1 000", "nan"])
def test_a_setting_that_is_no_number_is_refused(text):
    assert Settings.from_env({"CASEBRIDGE_RATE": "0", "CASEBRIDGE_ADDRESS_RATE": "2.5"}).address_rate == 2.5
    for name in ("CASEBRIDGE_RATE", "CASEBRIDGE_ADDRESS_RATE", "CASEBRIDGE_SCAN"):
        with pytest.raises(Invalid, match=name):
            Settings.from_env({name: text})


@pytest.mark.parametrize("text", ["0.5", "1.0", "-1"])
def test_what_a_search_may_look_at_is_a_whole_number(text):
    """A half would be rounded to 0, which is any number."""
    assert [Settings.from_env({"CASEBRIDGE_SCAN": whole}).scan for whole in ("0", "7", "")] == [0, 7, None]
    with pytest.raises(Invalid, match="CASEBRIDGE_SCAN"):
        Settings.from_env({"CASEBRIDGE_SCAN": text})


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def limited(repository: Repository, tmp_path: Path, issuer: Any, time: Time) -> Iterator[Site]:
    """A server that takes one request a second of each who is known, and of each address."""
    with opened(repository, tmp_path, issuer, fetch, limits=Limits(1, 1, now=time)) as made:
        yield made


def asked(site: Site, path: str, token: str | None = None, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(more.pop("method", "GET"), f"{site.address}/{path}", headers=headers, timeout=SECONDS, **more)


def token(site: Site, client: str = "north", **more: Any) -> str:
    principal = Principal(client, "supervisor", **({"scope": NORTH, "user": "dana", "fhir_user": "Practitioner/dana"} | more))
    return site.gate.registers.tokens.issue(principal)


def refused(answer: requests.Response) -> Any:
    assert answer.status_code == 429, answer.text
    assert int(answer.headers["Retry-After"]) == 1
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json()


def test_over_each_door_one_who_is_known_is_counted_once(limited: Site, time: Time) -> None:
    mine = token(limited)
    for number in range(int(BURST_SECONDS)):
        assert asked(limited, "fhir/Patient" if number % 2 else "api/cases", mine).status_code == 200
    told = refused(asked(limited, "fhir/Patient", mine))
    assert (told["resourceType"], told["issue"][0]["code"]) == ("OperationOutcome", "throttled")
    told = refused(asked(limited, "api/cases", mine))
    assert (told["status"], told["code"]) == (429, "throttled")
    # Another token of the same person by the same app is the same caller, and by another app another.
    refused(asked(limited, "fhir/Patient", token(limited)))
    assert asked(limited, "fhir/Patient", token(limited, "chart")).status_code == 200
    time.now += 1
    assert asked(limited, "fhir/Patient", mine).status_code == 200
    refused(asked(limited, "fhir/Patient", mine))


def test_where_nobody_is_known_an_address_is_counted_and_who_is_known_there_is_not_kept_waiting(limited: Site, time: Time) -> None:
    browser = Browser(limited.address)
    assert browser.log_in().status_code == 303
    doors = ("fhir/metadata", "fhir/Patient", "oauth/jwks", "login", "no/such/page", "api/cases", "people")
    for number in range(int(BURST_SECONDS) - 1):
        assert asked(limited, doors[number % len(doors)], allow_redirects=False).status_code != 429
    for door in doors:
        refused(asked(limited, door, allow_redirects=False))
    refused(requests.post(limited.token_url, {"grant_type": "client_credentials"}, timeout=SECONDS))
    assert asked(limited, "fhir/Patient", token(limited)).status_code == 200
    assert browser.get("/people").status_code != 429, "the console, of one who is logged in"
    for probe in ("health", "ready", "metrics"):
        assert asked(limited, probe).status_code == 200


def test_at_the_console_each_person_is_counted(limited: Site, time: Time) -> None:
    browser = Browser(limited.address)
    browser.log_in()
    for _ in range(int(BURST_SECONDS)):
        assert browser.get("/people").status_code != 429
    assert refused(browser.get("/people"))["code"] == "throttled"
    assert browser.get("/console/console.css").status_code == 200


def test_each_entry_of_a_bundle_is_a_request(limited: Site, time: Time) -> None:
    mine = token(limited, scope="system/*.cruds", user=None, fhir_user=None)
    body = transaction(*[entry("GET", "Patient") for _ in range(12)], type="batch")
    assert asked(limited, "fhir/", mine, method="POST", json=body).status_code == 200
    answer = asked(limited, "fhir/Patient", mine)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    time.now += 3
    assert asked(limited, "fhir/Patient", mine).status_code == 200


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_what_fails_is_counted_as_what_is_done(limited: Site, time: Time, kind: str) -> None:
    mine = token(limited, scope="system/*.cruds", user=None, fhir_user=None)
    body = transaction(*[entry("GET", "Patient") for _ in range(11)], entry("PUT", "Patient/one", {**patient(), "id": "other"}), type=kind)
    assert asked(limited, "fhir/", mine, method="POST", json=body).status_code == {"batch": 200, "transaction": 400}[kind]
    answer = asked(limited, "fhir/Patient", mine)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")


def test_a_client_may_have_a_rate_of_its_own_from_its_next_token_on(limited: Site, time: Time) -> None:
    limited.gate.registers.clients.set_rate("north", 2)
    mine = limited.token()
    assert [asked(limited, "fhir/Patient", mine).status_code for _ in range(21)] == [200] * 20 + [429]


@pytest.mark.parametrize("rate", [0, -1, 10**6, float("nan")])
def test_a_rate_that_is_none_is_refused(limited: Site, rate: float) -> None:
    with pytest.raises(Invalid):
        check(Client("x", "x", "insurer-reader", "system/*.rs", jwks=limited.keys.jwks(), rate=rate))


def test_without_a_gate_an_address_is_counted_where_that_is_set(repository: Repository, time: Time) -> None:
    app = create_app(repository, limits=Limits(unknown=1, now=time), url="https://fhir.example")
    fhir = Fhir(app.test_client())
    seen_from = [{"Host": "fhir.example", "X-Forwarded-For": f"203.0.113.7, {address}"} for address in ("192.0.2.1", "192.0.2.2")]
    for _ in range(int(BURST_SECONDS)):
        assert fhir.send("POST", "Patient", patient(), **seen_from[0]).status_code == 201
    assert_outcome(fhir.send("POST", "Patient", patient(), **seen_from[0]), 429, "throttled")
    assert fhir.client.get("/api/cases", headers=seen_from[0]).status_code == 429
    assert fhir.send("GET", "Patient", **seen_from[1]).status_code == 200
    assert fhir.client.get("/health").status_code == 200
    # A proxy that tells no address would make one caller of all.
    assert all(fhir.send("GET", "Patient", Host="fhir.example").status_code == 200 for _ in range(15))
