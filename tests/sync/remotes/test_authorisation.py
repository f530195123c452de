"""A hospital that asks who we are: SMART Backend Services and client secrets, against a real authorisation server, through whole syncs."""

import logging
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest
import requests

from adapter.clock import utc_now
from adapter.errors import Invalid, RemoteFatal, RemoteTemporary, RemoteUnauthorised
from adapter.fhir.auth import auth_from
from adapter.fhir.client import FhirClient
from adapter.fhir.keys import ALGORITHMS, Keys, keys_named
from adapter.fhir.retry import RetryPolicy
from adapter.fhir.scopes import OAUTH_URIS
from adapter.fhir.tls import Transport
from adapter.store.documents import Change
from tests.sync.authorisation import CLIENT, SECRET, Authorisation, basic_of, guarded_hospital
from tests.sync.faulty import Proxy, changes
from tests.sync.world import World, world

PATIENT = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}


@pytest.fixture
def hospital(new_database: Callable[[], Any]) -> Iterator[Authorisation]:
    with guarded_hospital(new_database()) as made:
        yield made


@pytest.fixture
def keys(tmp_path: Path, hospital: Authorisation) -> Keys:
    """A key pair of ours, registered there."""
    made = keys_named("city", tmp_path)
    made.make("ES384", utc_now())
    hospital.client.jwks = made.jwks()
    return made


@pytest.fixture
def settings(keys: Keys) -> dict[str, str]:
    folder = str(keys.folder.parent)
    return {"kind": "smart-backend", "client_id": CLIENT, "keys": "city", "keys_folder": folder, "scope": "system/*.cruds"}


@pytest.fixture
def secret_settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("CITY_SECRET", SECRET)
    return {"kind": "client_credentials", "client_id": CLIENT, "secret_env": "CITY_SECRET"}


def client(hospital: Authorisation, settings: dict[str, str], clock: Callable[[], datetime] = utc_now, **options: Any) -> FhirClient:
    auth = auth_from(settings, hospital.fhir, options.pop("transport", Transport()), clock)
    return FhirClient(hospital.fhir, auth=auth, sleep=lambda seconds: None, **options)


def ask(hospital: Authorisation, settings: dict[str, str], clock: Callable[[], datetime] = utc_now, **options: Any) -> int:
    """How many patients the hospital says that it has."""
    with client(hospital, settings, clock, **options) as made:
        return made.count("Patient", {})


def fill(hospital: Authorisation, settings: dict[str, str], count: int) -> None:
    with client(hospital, settings) as made:
        for number in range(count):
            made.create({**PATIENT, "identifier": [{"system": "urn:example:mrn", "value": str(number)}]})


@pytest.fixture
def guarded_world(hospital: Authorisation, settings: dict[str, str], database: Any) -> Iterator[World]:
    """A bridge that knows the hospital, which has 25 patients."""
    fill(hospital, settings, 25)
    made = world(database, hospital.fhir, auth=settings, types=("Patient",), page_size=3)
    yield made
    made.hospital.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_of_smart_proves_who_we_are(hospital: Authorisation, settings: dict[str, str], algorithm: str, keys: Keys) -> None:
    keys.make(algorithm, utc_now())
    hospital.client.jwks = keys.jwks()
    hospital.algorithms = (algorithm,)
    assert ask(hospital, settings) == 0
    assert (len(hospital.forms), hospital.refused) == (1, 0)


def test_an_assertion_is_taken_once_and_a_new_one_is_made_for_each_token(hospital: Authorisation, settings: dict[str, str]) -> None:
    assert ask(hospital, settings) == 0
    again = requests.post(hospital.token_url, data=hospital.forms[0], timeout=10)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_client")
    hospital.revoke()
    assert ask(hospital, settings) == 0
    assert len({form["client_assertion"] for form in hospital.forms}) == 2


def test_a_hospital_that_does_not_tell_where_it_gives_tokens_is_told_apart(hospital: Authorisation, settings: dict[str, str]) -> None:
    hospital.tells = False
    with pytest.raises(RemoteFatal, match=r"does not say where it gives tokens: set auth\.token_url"):
        ask(hospital, settings)
    assert ask(hospital, {**settings, "token_url": hospital.token_url}) == 0


def test_the_capability_statement_is_asked_where_there_is_no_smart_configuration(hospital: Authorisation, settings: dict[str, str]) -> None:
    hospital.tells = False

    def declare(raw: dict[str, Any]) -> None:
        uris = [{"url": "token", "valueUri": hospital.token_url}]
        raw["rest"][0]["security"] = {"extension": [{"url": OAUTH_URIS, "extension": uris}]}

    with Proxy(hospital.fhir) as proxy:
        proxy.fault(changes(declare), path="/metadata")
        with FhirClient(proxy.url, auth=auth_from(settings, proxy.url)) as made:
            assert made.count("Patient", {}) == 0
        assert [path.partition("?")[0] for _, path in proxy.seen] == [
            "/fhir/.well-known/smart-configuration",
            "/fhir/metadata",
            "/fhir/Patient",
        ]


def test_a_token_that_expires_in_the_midst_of_paging_is_replaced_and_no_page_is_lost(hospital: Authorisation, guarded_world: World) -> None:
    hospital.revoke()
    hospital.uses = 2
    before = len(hospital.issued)
    assert guarded_world.sync().holds
    assert len([*guarded_world.bridge.repository.scan("Patient")]) == 25
    # Nine pages and more, two requests a token: each token but the first was fetched because a page was refused.
    assert len(hospital.issued) - before == hospital.refused > 5
    assert guarded_world.sync().holds


def test_what_is_pushed_with_tokens_that_expire_is_there_once(
    hospital: Authorisation, settings: dict[str, str], guarded_world: World
) -> None:
    repository = guarded_world.bridge.repository
    for number in range(12):
        repository.commit([Change("Patient", f"p{number}", {**PATIENT, "id": f"p{number}"}, 0)])
    guarded_world.bridge.remotes.change("hospital", {"bundle_size": 2})
    hospital.revoke()
    hospital.uses = 2
    assert guarded_world.sync().holds
    assert hospital.refused > 5
    assert ask(hospital, settings) == 25 + 12


def test_tokens_of_a_second_hold_for_a_whole_sync(hospital: Authorisation, guarded_world: World) -> None:
    hospital.revoke()
    hospital.lifetime = 1
    for _ in range(3):
        assert guarded_world.sync().holds
    assert len([*guarded_world.bridge.repository.scan("Patient")]) == 25


def test_a_write_is_sent_again_after_a_401_and_done_once(hospital: Authorisation, settings: dict[str, str]) -> None:
    fill(hospital, settings, 1)
    hospital.revoke()
    fill(hospital, settings, 1)
    assert hospital.refused == 1
    assert ask(hospital, settings) == 2


def test_a_token_that_is_refused_at_once_ends_in_a_clear_error(hospital: Authorisation, settings: dict[str, str]) -> None:
    hospital.uses = 0
    with pytest.raises(RemoteUnauthorised, match="answered 401; it does not accept who we say we are") as caught:
        ask(hospital, settings)
    assert caught.value.exit_code == 4
    assert (hospital.refused, len(hospital.issued)) == (2, 2)


def test_a_key_that_is_new_here_waits_until_the_hospital_knows_it(
    hospital: Authorisation, settings: dict[str, str], keys: Keys, guarded_world: World
) -> None:
    hospital.revoke()
    hospital.uses = 2
    with guarded_world.remote.client() as reader:
        pages = reader.search("Patient", {"_count": 3})
        found = len(next(pages).entries)
        keys.make("ES384", utc_now())
        found += sum(len(page.entries) for page in pages)
    assert found == 25
    # Once it knows the new key, the old one is not needed any more.
    hospital.client.jwks = keys.jwks()
    keys.drop(keys.all()[0].kid)
    hospital.client.jwks = keys.jwks()
    hospital.forms.clear()
    hospital.revoke()
    assert ask(hospital, settings) == 25
    assert len(hospital.forms) == 1


def test_a_key_that_is_not_registered_says_what_to_do(hospital: Authorisation, settings: dict[str, str]) -> None:
    hospital.client.jwks = {"keys": []}
    with pytest.raises(RemoteUnauthorised, match=r"\(invalid_client\).*auth\.client_id.*casebridge keys jwks city") as caught:
        ask(hospital, settings)
    assert caught.value.exit_code == 4
    assert hospital.refused == 0


def test_a_signature_that_the_hospital_cannot_check_is_not_tried(hospital: Authorisation, settings: dict[str, str]) -> None:
    hospital.algorithms = ("RS384",)
    with pytest.raises(Invalid, match=r"RS384 only.*keys rotate city --algorithm RS384"):
        ask(hospital, settings)
    assert hospital.forms == []


@pytest.mark.parametrize("minutes", [-60, -6, 6, 60])
def test_a_clock_that_differs_is_put_right(hospital: Authorisation, settings: dict[str, str], minutes: int) -> None:
    clock: Callable[[], datetime] = lambda: utc_now() + timedelta(minutes=minutes)  # noqa: E731
    assert ask(hospital, settings, clock) == 0
    assert len(hospital.forms) == 2


def test_less_than_was_asked_for_is_told(hospital: Authorisation, settings: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    hospital.client.scope = "system/*.rs"
    caplog.set_level(logging.WARNING)
    assert ask(hospital, {**settings, "scope": "system/*.rs system/Patient.write"}) == 0
    (event,) = [record.getMessage() for record in caplog.records if "scope" in record.getMessage()]
    assert event == "remote.scope_reduced lacking=system/Patient.cud"


@pytest.mark.parametrize("place", ["header", "body"])
def test_a_client_secret_gets_a_token(hospital: Authorisation, secret_settings: dict[str, str], place: str) -> None:
    assert ask(hospital, {**secret_settings, "secret_in": place}) == 0
    (form,) = hospital.forms
    assert form.get("client_secret") == (SECRET if place == "body" else None)
    assert ("basic" in form) == (place == "header")


def test_a_client_secret_is_written_as_a_form_in_the_header(hospital: Authorisation, secret_settings: dict[str, str]) -> None:
    ask(hospital, secret_settings)
    assert basic_of(hospital.forms[0]) == "casebridge:hush%20hush%2F%2B%25"


def test_a_wrong_client_secret_says_where_it_was_read(
    hospital: Authorisation, secret_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITY_SECRET", "hush-wrong")
    with pytest.raises(RemoteUnauthorised, match=r"\(invalid_client\).*the environment variable CITY_SECRET") as caught:
        ask(hospital, secret_settings)
    assert "hush" not in caught.value.text


def test_a_client_secret_does_not_go_to_another_host_that_the_server_names(
    hospital: Authorisation, secret_settings: dict[str, str], settings: dict[str, str]
) -> None:
    hospital.token_base = hospital.url.replace("127.0.0.1", "localhost")
    with pytest.raises(RemoteFatal, match=r"at another host, http://localhost:.*set auth\.token_url"):
        ask(hospital, secret_settings)
    assert hospital.forms == []
    assert ask(hospital, {**secret_settings, "token_url": hospital.token_url}) == 0
    # A signature is no secret, and good for that host alone.
    assert ask(hospital, settings) == 0


HTML = "<html>hush Kanarifugl</html>"


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ((200, "text/html", HTML), RemoteFatal, r"answered 200, with no bearer token: is the address right\?"),
        ((404, "text/html", HTML), RemoteFatal, "answered 404, with no bearer token"),
        ((302, "text/html", HTML), RemoteFatal, "answered 302, with no bearer token"),
        ((401, "text/html", HTML), RemoteUnauthorised, r"answered 401: check auth\.client_id and"),
        ((400, "application/json", '{"error": "hush", "error_description": "hush"}'), RemoteFatal, "answered 400, with no"),
        ((400, "application/json", '{"error": "invalid_scope", "error_description": "hush"}'), RemoteUnauthorised, r"check auth\.scope"),
        ((200, "application/json", '{"access_token": "hush\\n", "token_type": "bearer"}'), RemoteFatal, "with no bearer token"),
        ((200, "application/json", '{"access_token": "hush", "token_type": "mac"}'), RemoteFatal, "with no bearer token"),
        ((200, "application/json", '["hush"]'), RemoteFatal, "with no bearer token"),
        ((200, "application/json", f'{{"access_token": "{"x" * 300_000}"}}'), RemoteFatal, "with no bearer token"),
        ((429, "text/html", HTML), RemoteTemporary, "answered 429"),
        ((503, "text/html", HTML), RemoteTemporary, "answered 503"),
    ],
)
def test_what_a_token_endpoint_does_wrong_is_one_line_without_a_word_of_it(
    hospital: Authorisation, settings: dict[str, str], answer: tuple[int, str, str], kind: type[Exception], text: str
) -> None:
    hospital.answer = lambda: answer
    with pytest.raises(kind, match=rf"^The token endpoint http://127\.0\.0\.1:\d+/auth/token .*{text}") as caught:
        ask(hospital, settings, retry=RetryPolicy(attempts=2, base=0.01))
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(hospital.forms) == (2 if kind is RemoteTemporary else 1)
    hospital.answer = lambda: None
    assert ask(hospital, settings) == 0


def test_a_token_endpoint_that_does_not_answer_is_temporary(hospital: Authorisation, settings: dict[str, str]) -> None:
    ended = Event()

    def hang() -> None:
        ended.wait(10)

    hospital.answer = hang
    transport = Transport(timeout=(2, 0.3))
    with pytest.raises(RemoteTemporary, match="The token endpoint .*did not answer in time"):
        ask(hospital, settings, transport=transport, retry=RetryPolicy(attempts=1))
    ended.set()
    with pytest.raises(RemoteTemporary, match="The token endpoint .*cannot be reached"):
        ask(hospital, {**settings, "token_url": "http://127.0.0.1:1/token"}, retry=RetryPolicy(attempts=1))


def test_threads_share_one_token(hospital: Authorisation, settings: dict[str, str]) -> None:
    together = Barrier(8)
    counted: list[int] = []

    def one() -> None:
        with client(hospital, settings) as made:
            together.wait(30)
            counted.extend(made.count("Patient", {}) for _ in range(3))

    def all_at_once() -> None:
        threads = [Thread(target=one) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    all_at_once()
    assert (len(counted), len(hospital.issued)) == (24, 1)
    hospital.revoke()
    all_at_once()
    assert (len(counted), len(hospital.issued)) == (48, 2)


def test_neither_a_token_nor_a_secret_nor_a_signature_is_in_a_log(
    hospital: Authorisation,
    settings: dict[str, str],
    secret_settings: dict[str, str],
    keys: Keys,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    for given in (settings, {**secret_settings, "secret_in": "body"}, secret_settings):
        ask(hospital, given)
        hospital.revoke()
        ask(hospital, given)
    monkeypatch.setenv("CITY_SECRET", "hush-wrong")
    hospital.revoke()
    with pytest.raises(RemoteUnauthorised):
        ask(hospital, secret_settings)
    # Not those of the authorisation server, which runs in this process too.
    told = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("authlib"))
    assert re.search("remote.token_asked", told)
    told += repr(auth_from(settings, hospital.fhir)) + repr(auth_from(secret_settings, hospital.fhir))
    signatures = [form["client_assertion"] for form in hospital.forms if "client_assertion" in form]
    pem = next(keys.folder.glob("*.pem")).read_text().splitlines()[1]
    for hidden in (*hospital.issued, *signatures, SECRET, "hush", pem):
        assert hidden not in told
