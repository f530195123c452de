"""What is good once is good once for many at the same time; and what a token, a code or a password is comes into no log."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
import requests

from adapter.clock import utc_now

from .site import PASSWORD, App, Browser, Site, keys

AT_ONCE = 6


def together(ask: Callable[[], requests.Response]) -> list[requests.Response]:
    start = Barrier(AT_ONCE)

    def one(_: int) -> requests.Response:
        start.wait(30)
        return ask()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [*pool.map(one, range(AT_ONCE))]


def good(answers: list[requests.Response]) -> int:
    return sum(answer.status_code == 200 for answer in answers)


def test_of_many_who_bring_the_same_assertion_one_gets_a_token(site: Site):
    text = site.signed(site.claims())
    assert good(together(lambda: site.ask(text))) == 1


def test_of_many_who_bring_the_same_code_one_gets_a_token_and_then_nobody_has_any(site: Site, app: App, dana: Browser):
    code = app.back(dana)["code"]
    answers = together(lambda: app.exchange(code))
    assert good(answers) <= 1
    assert not [*site.gate.registers.tokens.state.all("tokens", {"client": "chart"})]


def test_of_many_who_bring_the_same_refresh_token_one_gets_another_and_then_nobody_has_any(site: Site, app: App, dana: Browser):
    token = app.exchange(app.back(dana)["code"]).json()["refresh_token"]
    assert good(together(lambda: app.refresh(token))) <= 1
    assert not [*site.gate.registers.tokens.state.all("tokens", {"client": "chart"})]


def test_many_guesses_at_once_are_as_slow_as_one_after_the_other(site: Site, monkeypatch: pytest.MonkeyPatch):
    now = utc_now()
    monkeypatch.setattr(site.gate._login._throttle, "_clock", lambda: now)
    answers = [answer.status_code for _ in range(2) for answer in together(lambda: Browser(site.address).log_in("dana", "a wrong guess"))]
    assert (answers.count(401), set(answers)) == (5, {401, 429})


def test_who_is_disabled_while_a_token_is_made_has_none(site: Site, monkeypatch: pytest.MonkeyPatch):
    tokens, issue = site.gate.registers.tokens, site.gate.registers.tokens.issue

    def slowly(*args: object, **options: object) -> str:
        site.gate.registers.clients.disable("north")
        return issue(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tokens, "issue", slowly)
    assert site.ask().status_code == 400
    assert not [*tokens.state.all("tokens")]


def test_who_is_disabled_while_their_password_is_changed_stays_disabled(site: Site, monkeypatch: pytest.MonkeyPatch):
    users = site.gate.registers.users
    get, state = users._state.get, users._state

    def then_disabled(kind: str, id: str) -> object:
        held = get(kind, id)
        monkeypatch.setattr(state, "get", get)
        users.disable(id)
        return held

    hashing = users._hash

    def and_before(password: str) -> str:
        monkeypatch.setattr(state, "get", then_disabled)
        return hashing(password)

    monkeypatch.setattr(users, "_hash", and_before)
    users.set_password("dana", "another long sentence of hers")
    assert [user.disabled for user in users.all()] == [True]
    assert users.proven("dana", "another long sentence of hers") is None


def test_what_a_client_is_given_by_two_at_once_is_all_kept(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clients, other = site.gate.registers.clients, keys(tmp_path / "other").jwks()
    get, state = clients._state.get, clients._state

    def then_disabled(kind: str, id: str) -> object:
        held = get(kind, id)
        monkeypatch.setattr(state, "get", get)
        clients.disable(id)
        return held

    monkeypatch.setattr(state, "get", then_disabled)
    clients.rotate("north", jwks=other)
    [north] = [client for client in clients.all() if client.id == "north"]
    assert (north.disabled, north.jwks) == (True, other)


def test_who_logs_in_while_the_password_is_changed_has_no_session(site: Site, browser: Browser, monkeypatch: pytest.MonkeyPatch):
    users, sessions = site.gate.registers.users, site.gate._sessions
    begin = sessions.begin

    def slowly(*given: object) -> object:
        users.set_password("dana", "another long sentence of hers")
        return begin(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(sessions, "begin", slowly)
    answer = browser.log_in()
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (401, False)
    assert not [*users._state.all("sessions")]


def test_who_says_yes_to_an_app_while_the_password_is_changed_has_said_nothing(
    site: Site, app: App, dana: Browser, monkeypatch: pytest.MonkeyPatch
):
    users, state = site.gate.registers.users, site.gate.registers.tokens.state
    put = state.put

    def slowly(kind: str, id: str, body: dict[str, object]) -> None:
        if kind == "codes":
            users.set_password("dana", "another long sentence of hers")
        put(kind, id, body)

    path = app.path()
    page = dana.get(path)
    monkeypatch.setattr(state, "put", slowly)
    answer = dana.send(page, path, decision="allow")
    assert (answer.status_code, "Location" in answer.headers) == (403, False)


@pytest.mark.parametrize("refreshed", [True, False])
def test_what_is_exchanged_while_the_password_is_changed_gives_nothing(
    site: Site, app: App, dana: Browser, refreshed: bool, monkeypatch: pytest.MonkeyPatch
):
    tokens, issue = site.gate.registers.tokens, site.gate.registers.tokens.issue
    secret = app.back(dana)["code"]
    secret = app.exchange(secret).json()["refresh_token"] if refreshed else secret

    def slowly(*args: object, **options: object) -> str:
        site.gate.registers.users.set_password("dana", "another long sentence of hers")
        monkeypatch.setattr(tokens, "issue", issue)
        return issue(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tokens, "issue", slowly)
    answer = app.refresh(secret) if refreshed else app.exchange(secret)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert not [*tokens.state.all("tokens", {"user": "dana"})]


def test_a_session_that_begins_sweeps_away_those_that_are_over(site: Site, browser: Browser):
    tokens = site.gate.registers.tokens
    tokens.state.put("sessions", "old", {"user": "dana", "expires": utc_now() - timedelta(days=1)})
    tokens._swept -= timedelta(hours=1)
    assert browser.log_in().status_code == 303
    assert tokens.state.get("sessions", "old") is None


def test_no_secret_comes_into_a_log(site: Site, app: App, dana: Browser, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    code = app.back(dana)["code"]
    given = app.exchange(code).json()
    assertion = site.signed(site.claims())
    secrets = [
        code,
        given["access_token"],
        given["refresh_token"],
        given["id_token"],
        assertion,
        site.ask(assertion).json()["access_token"],
    ]
    dana.log_in(password="a wrong guess of hers")
    site.get(given["access_token"], "Patient")
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith(("urllib3", "pymongo")))
    assert "request.answered" in ours
    for secret in (*secrets, PASSWORD, "a wrong guess of hers", dana.session.cookies["casebridge"]):
        assert secret not in ours
