"""People who log in at an OpenID Provider: who comes in, and what of its word is not taken."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.clock import utc_now
from adapter.errors import Conflict, Invalid, RemoteTemporary
from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.fhir.oidc import redeem
from adapter.store.documents import Change
from adapter.store.repository import Repository
from server.auth.gate import Gate
from server.auth.oidc import Provider, account
from server.auth.users import User
from server.errors import ProofRefused

from .arrivals import back, is_in, log_in, over, refused
from .provider import CLIENT, NAME, PERSON, SECRET, OpenIdProvider, Signing, curve, provided, rsa
from .site import CALLBACK, App, Browser, Site, opened, query

Open = Callable[..., Site]


@pytest.fixture
def provider(signing: Signing) -> Iterator[OpenIdProvider]:
    with provided(signing) as made:
        yield made


@pytest.fixture
def ask(repository: Repository, tmp_path: Path, issuer: Keys, provider: OpenIdProvider) -> Iterator[Open]:
    """Opens the site with that provider, at which dana has an account."""
    with ExitStack() as stack:

        def made(*, secret: str | None = SECRET, passwords: bool = True, **settings: Any) -> Site:
            oidc = over(provider, repository, secret=secret, **settings)
            site = stack.enter_context(opened(repository, tmp_path, issuer, fetch, oidc=oidc, passwords=passwords))
            known = provider.settings(**settings)
            site.gate.registers.users.join("dana", account(known, PERSON[known.claim]))
            return site

        yield made


@pytest.fixture
def site(ask: Open) -> Site:
    return ask()


@pytest.fixture
def record(repository: Repository) -> None:
    person = {"resourceType": "Practitioner", "id": "dana", "name": [{"family": "Kanarifugl", "given": ["Dana"]}]}
    repository.commit([Change("Practitioner", "dana", person, 0)])


def known(site: Site) -> str:
    """Dana's account."""
    [dana] = [user for user in site.gate.registers.users.all() if user.name == "dana"]
    assert dana.account
    return dana.account


def test_who_has_an_account_at_the_provider_logs_in_and_sees_the_page_that_was_wanted(record, site, browser, provider):
    page = browser.get(browser.get("/people?q=x").headers["Location"])
    assert f"Log in with {NAME}</a>" in page.text
    assert 'href="/login/oidc?to=/people?q%3Dx"' in page.text
    assert log_in(browser, "/people?q%3Dx").headers["Location"] == "/people?q=x"
    assert browser.get("/people").status_code == 200
    assert "Dana Kanarifugl" in browser.get("/").text
    [asked], [redeemed] = provider.asked, provider.redeemed
    assert (asked["scope"], asked["code_challenge_method"], asked["response_type"]) == ("openid", "S256", "code")
    assert asked["redirect_uri"] == redeemed["redirect_uri"] == f"{site.address}/login/oidc/back"
    digest = hashlib.sha256(redeemed["code_verifier"].encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert len({asked["state"], asked["nonce"], redeemed["code_verifier"]}) == 3


def test_the_secret_of_a_log_in_is_a_cookie_for_this_server_and_no_script_and_is_kept_nowhere_else(site, browser, database):
    given = browser.get("/login/oidc").headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} <= set(given.split("; "))
    [kept] = database["sign_ins"].find()
    secret = given.partition("=")[2].partition(";")[0]
    derived = [hashlib.sha256(f"{name} {secret}".encode()).hexdigest() for name in ("state", "nonce", "verifier")]
    assert not [text for text in (secret, *derived) if text in str(kept)]


def test_an_app_that_a_person_uses_goes_on_after_the_provider(record, site, browser):
    app = App(site)
    page = browser.get(browser.get(app.path()).headers["Location"])
    to = page.text.partition('href="/login/oidc?to=')[2].partition('"')[0].replace("&amp;", "&")
    consent = log_in(browser, to).headers["Location"]
    answer = browser.send(browser.get(consent), consent, decision="allow")
    assert answer.headers["Location"].startswith(CALLBACK)
    assert app.exchange(query(answer)["code"]).json()["id_token"]


@pytest.mark.parametrize(
    ("claim", "let_in", "others"),
    [
        (
            "email",
            ({}, {"email": "DANA@city.example"}),
            (
                *({"email_verified": told} for told in (False, "true", 1, None)),
                *({"email": told} for told in ("other@city.example", ["dana@city.example"], "", "x" * 300, None)),
            ),
        ),
        ("preferred_username", ({},), ({"preferred_username": "Dana"}, {"preferred_username": None})),
    ],
)
def test_a_person_is_known_by_the_claim_that_the_site_chose(ask, provider, claim, let_in, others):
    address = ask(claim=claim).address
    for person in let_in:
        provider.says = person
        assert log_in(Browser(address)).status_code == 303
    for person in others:
        provider.says = person
        refused(browser := Browser(address), log_in(browser))


def test_an_e_mail_address_that_was_not_verified_is_told_so(ask, provider):
    browser = Browser(ask(claim="email").address)
    provider.says["email_verified"] = False
    assert "has not been verified" in refused(browser, log_in(browser))


def test_an_account_is_one_providers_and_one_claims_and_no_letter_becomes_another(provider):
    settings = provider.settings(claim="email")
    own = account(settings, "kim@city.example")
    assert own == account(settings, "Kim@City.Example")
    others = provider.settings(issuer="https://other.example", claim="email"), provider.settings(claim="preferred_username")
    assert own not in {*(account(other, "kim@city.example") for other in others), account(settings, "\u212aim@city.example")}


def test_nobody_comes_in_who_is_not_registered_here(site, browser, provider, caplog):
    provider.says["sub"] = "a-stranger"
    assert "Nobody is registered here with that account" in refused(browser, log_in(browser))
    assert "reason=account" in caplog.text
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith(("urllib3", "pymongo")))
    assert "a-stranger" not in ours


def test_who_is_disabled_or_parted_from_the_account_does_not_come_in_and_is_logged_out(site, browser):
    users, own = site.gate.registers.users, known(site)
    assert log_in(browser).status_code == 303
    users.join("dana", None)
    refused(browser, log_in(browser))
    users.join("dana", own)
    assert log_in(browser).status_code == 303
    users.disable("dana")
    refused(browser, log_in(browser))


def test_who_is_parted_from_the_account_while_they_log_in_has_no_session(site, browser, monkeypatch):
    sessions, users = site.gate._sessions, site.gate.registers.users
    begin = sessions.begin

    def slowly(*given: object) -> object:
        users.join("dana", None)
        return begin(*given)

    monkeypatch.setattr(sessions, "begin", slowly)
    refused(browser, log_in(browser))
    assert not [*users._state.all("sessions")]


def test_an_account_is_one_persons(site, browser, database):
    users, own = site.gate.registers.users, known(site)
    with pytest.raises(Conflict):
        users.add(User("kim", "supervisor", account=own))
    users.add(User("kim", "supervisor", account="another"))
    with pytest.raises(Conflict):
        users.join("kim", own)
    # As two administrators at once could leave it.
    database["users"].update_one({"_id": "kim"}, {"$set": {"account": own}})
    refused(browser, log_in(browser))
    users.disable("kim")
    assert log_in(browser).status_code == 303


def test_who_has_no_password_logs_in_by_none(site, browser):
    users = site.gate.registers.users
    users.add(User("kim", "supervisor", account="another"))
    for password in ("", "None", "a long sentence that kim has not"):
        assert browser.log_in("kim", password).status_code == 401
    with pytest.raises(Invalid):
        users.add(User("lee", "supervisor"))
    users.set_password("kim", "a long sentence that kim has now")
    assert browser.log_in("kim", "a long sentence that kim has now").status_code == 303


def test_a_token_by_an_elliptic_curve_is_taken(provider, ask):
    signing = curve("curved")
    provider.published.append(signing.public())
    provider.signs = signing.sign
    browser = Browser(ask().address)
    assert log_in(browser).status_code == 303


def test_what_a_browser_brings_back_is_taken_once(site, browser):
    address = back(browser)
    assert browser.get(address).status_code == 303
    other = Browser(site.address, browser.session)
    other.send(other.get("/login"), "/logout")
    assert "Try again" in refused(browser, browser.get(address))


def test_what_another_browser_was_given_is_not_taken(site, browser, provider):
    """Else whoever makes a person follow a link would have them work under the account of the one who made it."""
    address, other = back(browser), Browser(site.address)
    refused(other, other.get(address))
    begun = other.get("/login/oidc")
    refused(other, other.get(address))
    assert browser.get(address).status_code == 303
    assert other.get(other.get(begun.headers["Location"]).headers["Location"]).status_code == 303


def test_a_provider_that_says_that_it_names_itself_has_to(ask, provider):
    provider.tells["authorization_response_iss_parameter_supported"] = True
    browser = Browser(ask().address)
    address = back(browser)
    refused(browser, browser.get(address))
    address = back(browser)
    assert browser.get(f"{address}&iss={provider.url}").status_code == 303


def test_a_code_of_another_log_in_is_not_taken(site, browser, provider):
    """The verifier is that of the browser's own log-in, and so is the nonce."""
    stolen = query(browser.get(browser.get("/login/oidc").headers["Location"]))["code"]
    other = Browser(site.address)
    other.get("/login/oidc")
    address = browser.url("/login/oidc/back")
    own = hashlib.sha256(f"state {other.session.cookies['casebridge-oidc']}".encode()).hexdigest()
    refused(other, other.get(f"{address}?code={stolen}&state={own}"))
    assert provider.redeemed[-1]["code"] == stolen


def test_a_log_in_is_over_after_ten_minutes(repository, site, browser, monkeypatch):
    address, late = back(browser), utc_now() + timedelta(minutes=10)
    monkeypatch.setattr(site.gate._oidc, "_clock", lambda: late)
    refused(browser, browser.get(address))


def test_who_declines_at_the_provider_is_told_that_they_were_not_logged_in(site, browser, provider):
    provider.person = None
    assert "You were not logged in there" in refused(browser, log_in(browser))


def test_a_key_that_the_provider_changes_is_known_at_once_and_one_that_it_drops_is_good_no_more(
    site, browser, provider, signing, monkeypatch
):
    oidc, now = site.gate._oidc._provider, utc_now()
    for holder in (oidc, oidc._keys):
        monkeypatch.setattr(holder, "_clock", lambda: now)
    assert log_in(browser).status_code == 303
    second = rsa("second")
    provider.published, provider.signs = [second.public()], second.sign
    now += timedelta(seconds=11)
    assert log_in(browser).status_code == 303
    provider.signs = signing.sign
    browser.session.cookies.clear()
    now += timedelta(seconds=11)
    refused(browser, log_in(browser))


def test_while_the_provider_is_away_the_page_says_so_and_passwords_are_taken(site, browser, provider):
    provider.away = True
    answer = browser.get("/login/oidc?to=/people")
    assert "cannot be used just now" in refused(browser, answer, 503)
    assert 'name="to" value="/people"' in answer.text
    assert browser.log_in().status_code == 303


def test_a_provider_that_goes_away_in_between_lets_nobody_in(site, browser, provider):
    address = back(browser)
    provider.away = True
    refused(browser, browser.get(address), 503)


def test_what_the_provider_said_of_itself_stays_in_use_while_it_is_away_and_not_when_it_says_otherwise(repository, provider, monkeypatch):
    oidc, now = over(provider, repository), utc_now()
    monkeypatch.setattr(oidc, "_clock", lambda: now)

    def address() -> str:
        return oidc.address("https://fhir.example/back", state="s", nonce="n", verifier="v" * 43)

    first = address()
    provider.away, now = True, now + timedelta(hours=2)
    assert address() == first
    provider.away, provider.tells, now = False, {"issuer": "https://other.example"}, now + timedelta(seconds=11)
    with pytest.raises(ProofRefused):
        address()
    with pytest.raises(RemoteTemporary):
        address()
    provider.tells, now = {}, now + timedelta(seconds=11)
    assert address() == first


@pytest.mark.parametrize(
    "tells",
    [
        {"issuer": "https://other.example"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "http://provider.example/token"},
        {"authorization_endpoint": "http://provider.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "http://provider.example/keys"},
    ],
)
def test_a_provider_that_is_another_or_could_be_overheard_is_not_asked(repository, provider, tells):
    provider.tells = tells
    with pytest.raises(ProofRefused):
        over(provider, repository).address("https://fhir.example/back", state="s", nonce="n", verifier="v" * 43)


@pytest.mark.parametrize(
    ("methods", "secret", "proof"),
    [
        (None, SECRET, "basic"),
        (["client_secret_post"], SECRET, "client_secret"),
    ],
)
def test_this_server_says_who_it_is_in_the_way_that_the_provider_takes(ask, provider, methods, secret, proof):
    provider.tells["token_endpoint_auth_methods_supported"] = methods
    browser = Browser(ask(secret=secret).address)
    assert log_in(browser).status_code == 303
    [redeemed] = provider.redeemed
    assert {"basic", "client_secret"} & redeemed.keys() == {proof}


@pytest.mark.parametrize("secret", ["a wrong one", None])
def test_a_secret_that_the_provider_does_not_take_lets_nobody_in(ask, secret, caplog):
    browser = Browser(ask(secret=secret).address)
    refused(browser, log_in(browser))
    assert "reason=RemoteUnauthorised" in caplog.text


def test_who_logs_out_is_led_to_the_end_of_the_providers_session_too(site, browser, provider):
    log_in(browser)
    page = browser.send(browser.get("/login"), "/logout")
    assert (page.status_code, is_in(browser)) == (200, False)
    browser.get(page.headers["Refresh"].partition("url=")[2])
    assert provider.left == [{"client_id": CLIENT, "post_logout_redirect_uri": f"{site.address}/login"}]
    browser.log_in()
    assert browser.send(browser.get("/login"), "/logout").headers["Location"] == "/login"


@pytest.mark.parametrize("ends", [None, "http://provider.example/end", "https://["])
def test_where_the_provider_has_no_end_of_a_session_it_ends_here(ask, provider, ends):
    provider.tells = {"end_session_endpoint": ends}
    browser = Browser(ask().address)
    log_in(browser)
    assert browser.send(browser.get("/login"), "/logout").headers["Location"] == "/login"
    assert not is_in(browser)


def test_who_logs_out_is_out_whatever_becomes_of_the_question_where_to_go(site, browser, monkeypatch):
    log_in(browser)
    monkeypatch.setattr(Provider, "leaving", lambda *_: 1 / 0)
    assert browser.send(browser.get("/login"), "/logout").status_code == 500
    assert not is_in(browser)


def test_where_passwords_are_off_there_is_no_form_and_none_is_taken(ask, repository, issuer):
    browser = Browser(ask(passwords=False).address)
    assert 'type="password"' not in browser.get("/login").text
    assert browser.log_in().status_code == 403
    assert log_in(browser).status_code == 303
    with pytest.raises(Invalid):
        Gate(repository, issuer, fetch, passwords=False)


def test_a_provider_that_could_be_overheard_is_refused_at_the_start(provider, repository):
    with pytest.raises(Invalid):
        Provider(provider.settings(issuer="http://provider.example"), None, fetch, redeem, repository.clock)
