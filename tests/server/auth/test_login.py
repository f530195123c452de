"""People at the console: password, session, forms; and guessing made slow."""

from datetime import timedelta

import pytest

from adapter.clock import utc_now
from adapter.errors import Conflict, Invalid, NotFound
from adapter.fhir.jwks import fetch
from adapter.store.documents import Change
from server import create_app
from server.auth.gate import Gate
from server.auth.throttle import FREE_TRIES
from server.auth.users import User

from .site import PASSWORD, Browser, Site, hidden


@pytest.fixture
def record(repository):
    """Dana's record, so that there is somebody to work as."""
    person = {"resourceType": "Practitioner", "id": "dana", "name": [{"family": "Kanarifugl", "given": ["Dana"]}]}
    repository.commit([Change("Practitioner", "dana", person, 0)])


def test_a_page_of_the_console_asks_who_it_is_and_shows_itself_then(record, browser: Browser):
    first = browser.get("/people?q=x")
    assert (first.status_code, first.headers["Location"]) == (303, "/login?to=/people?q%3Dx")
    back = browser.send(browser.get(first.headers["Location"]), "/login", name="Dana ", password=PASSWORD)
    assert back.headers["Location"] == "/people?q=x"
    assert browser.get("/people").status_code == 200
    assert "Dana Kanarifugl" in browser.get("/").text


def test_who_has_no_record_is_told_that_this_is_why_there_is_no_worklist(browser: Browser):
    browser.log_in()
    asked = browser.get("/").headers["Location"]
    assert asked.startswith("/sign-in")
    page = browser.get(browser.get(asked).headers["Location"]).text
    assert "You are logged in as dana" in page
    assert "There is no Practitioner/dana in the record" in page
    assert "in the record" not in browser.get("/login").text


def test_the_cookie_is_for_this_server_and_no_script(browser: Browser):
    given = browser.log_in().headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(given.split("; "))


def test_behind_a_proxy_with_tls_the_cookie_is_for_that_host_over_tls_alone(repository, issuer):
    gate = Gate(repository, issuer, fetch)
    gate.registers.users.add(User("dana", "case-manager"), PASSWORD)
    client = create_app(repository, gate=gate, url="https://fhir.example").test_client()
    headers = {"Host": "fhir.example", "Origin": "https://fhir.example"}
    given = client.post("/login", data={"name": "dana", "password": PASSWORD}, headers=headers).headers["Set-Cookie"]
    assert given.startswith("__Host-casebridge=")
    assert "Secure" in given.split("; ")
    assert client.get("/fhir/.well-known/smart-configuration", headers=headers).json["issuer"] == "https://fhir.example"


def test_nobody_can_say_at_the_console_that_they_are_somebody_else(record, dana: Browser):
    dana.session.cookies.set("casebridge_actor", "Practitioner/other")
    assert "Dana Kanarifugl" in dana.get("/").text
    assert dana.post("/sign-in", actor="Practitioner/other").headers["Location"] == "/login"


def test_every_form_of_the_console_carries_the_token_of_its_session(record, dana: Browser):
    page = dana.get("/records/client/new")
    assert len(hidden(page.text)["csrf"]) == 43
    without = dana.post("/records/client/new")
    assert (without.status_code, "load the page again" in without.text) == (403, True)


def test_a_form_of_another_page_is_refused_even_with_the_token(record, dana: Browser):
    token = hidden(dana.get("/records/client/new").text)
    assert dana.post("/records/client/new", origin="https://evil.example", **token).status_code == 403
    for origin in ("https://[", "null"):
        assert dana.post("/records/client/new", origin=origin, **token).status_code == 403
        assert dana.post("/login", origin=origin, name="dana", password="x").status_code == 403


def test_the_token_of_another_session_is_none(record, site: Site, dana: Browser):
    other = Browser(site.address)
    other.log_in()
    assert dana.post("/records/client/new", **hidden(other.get("/records/client/new").text)).status_code == 403


def test_logging_out_ends_the_session_for_whoever_has_the_cookie(record, dana: Browser):
    cookies = dana.session.cookies.copy()
    assert dana.send(dana.get("/login"), "/logout").status_code == 303
    dana.session.cookies = cookies
    assert dana.get("/").status_code == 303


def test_an_account_without_a_record_is_told_so_and_one_that_does_not_work_there_is_refused(site: Site, browser: Browser):
    site.gate.registers.users.add(User("sam", "supervisor"), PASSWORD)
    browser.log_in("sam")
    assert "no worklist" in browser.get(browser.get(browser.get("/").headers["Location"]).headers["Location"]).text
    site.gate.registers.users.add(User("ada", "auditor"), PASSWORD)
    browser.log_in("ada")
    assert browser.get("/people").status_code == 403
    assert browser.get("/").headers["Location"] == "/disclosures", "auditors have no worklist, and begin at the account"


def test_a_wrong_password_and_an_unknown_name_are_told_in_the_same_words(browser: Browser):
    wrong, unknown = browser.log_in("dana", "not her password"), browser.log_in("nobody", "not her password")
    assert (wrong.status_code, wrong.text) == (unknown.status_code, unknown.text) == (401, wrong.text)


def test_guessing_is_made_to_wait_and_the_right_password_waits_too(site: Site, browser: Browser, monkeypatch):
    now = utc_now()
    monkeypatch.setattr(site.gate._login._throttle, "_clock", lambda: now)
    for _ in range(FREE_TRIES):
        assert browser.log_in("dana", "a guess that is wrong").status_code == 401
    assert browser.log_in().status_code == 429
    later = now + timedelta(seconds=3)
    monkeypatch.setattr(site.gate._login._throttle, "_clock", lambda: later)
    assert browser.log_in().status_code == 303
    assert browser.log_in("dana", "a guess that is wrong").status_code == 401


def test_good_log_ins_do_not_use_up_the_tries_of_an_address_and_wrong_ones_stay_counted(site: Site, browser: Browser, monkeypatch):
    now = utc_now()
    monkeypatch.setattr(site.gate._login._throttle, "_clock", lambda: now)
    assert browser.log_in("dana", "a guess that is wrong").status_code == 401
    for _ in range(3):
        assert browser.log_in().status_code == 303
    [(key, held)] = site.gate.registers.tokens.state.all("attempts", {"_id": {"$regex": "^address "}})
    assert (key, held["tries"]) == ("address 127.0.0.1", 1)


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "/\n/evil.example"])
def test_after_the_password_nobody_is_sent_elsewhere(browser: Browser, to):
    assert browser.post("/login", name="dana", password="a long sentence that dana knows", to=to).headers["Location"] == "/"


def test_a_new_password_logs_everybody_out(record, site: Site, dana: Browser):
    site.gate.registers.users.set_password("dana", "another long sentence of hers")
    assert dana.get("/").status_code == 303
    assert dana.log_in().status_code == 401
    assert dana.log_in(password="another long sentence of hers").status_code == 303


def test_what_cannot_be_registered_is_refused(site: Site):
    users = site.gate.registers.users
    for user, password in (
        (User("Dana", "case-manager"), PASSWORD),
        (User("kim", "king"), PASSWORD),
        (User("kim", "clinician", fhir_user="Goal/1"), PASSWORD),
        (User("kim", "clinician"), "short"),
    ):
        with pytest.raises(Invalid):
            users.add(user, password)
    with pytest.raises(Conflict):
        users.add(User("dana", "clinician"), PASSWORD)
    with pytest.raises(NotFound):
        users.disable("kim")


def test_passwords_are_kept_as_argon2id_makes_them(site: Site, database):
    kept = database["users"].find_one({"_id": "dana"})
    assert kept["password"].startswith("$argon2id$")
    assert PASSWORD not in str(kept)


def test_who_has_a_role_that_there_is_no_more_can_be_kept_out(site: Site, browser: Browser, database):
    database["users"].update_one({"_id": "dana"}, {"$set": {"role_name": "king"}})
    site.gate.registers.users.disable("dana")
    assert browser.log_in().status_code == 401
