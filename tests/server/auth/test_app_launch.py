"""An app that a person uses: standalone and started from here, with PKCE, by the pages of a real server."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from adapter.store.documents import Change
from server.auth.clients import Client
from server.auth.users import User

from .site import CALLBACK, PASSWORD, SECONDS, App, Browser, Site, keys, query


@pytest.fixture
def people(repository):
    """Two patients, each with a goal."""
    for id, given in (("river", "River"), ("alma", "Alma")):
        patient = {"resourceType": "Patient", "id": id, "name": [{"family": "Kanarifugl", "given": [given]}]}
        goal = {"resourceType": "Goal", "id": f"of-{id}", "lifecycleStatus": "active", "description": {"text": "Kanarifugl"}}
        subject = {"subject": {"reference": f"Patient/{id}"}}
        repository.commit([Change("Patient", id, patient, 0), Change("Goal", goal["id"], goal | subject, 0)])


def test_an_app_acts_for_a_person_who_said_yes_and_knows_who_they_are(site: Site, app: App, dana: Browser):
    told = app.back(dana)
    assert told["state"] == "abc-123"
    answer = app.exchange(told["code"])
    body = answer.json()
    assert (answer.status_code, body["scope"]) == (200, "openid fhirUser user/*.rs offline_access")
    assert site.get(body["access_token"], "Patient").status_code == 200
    published = requests.get(f"{site.address}/oauth/jwks", timeout=SECONDS).json()
    claims = jwt.decode(body["id_token"], KeySet.import_key_set(published), algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == (site.address, "chart", "dana")
    assert claims["fhirUser"] == f"{site.fhir}/Practitioner/dana"


def test_who_is_not_logged_in_is_asked_first_and_then_comes_back(site: Site, app: App, browser: Browser):
    asked = browser.get(app.path())
    assert asked.status_code == 303
    login = browser.get(asked.headers["Location"])
    back = browser.send(login, "/login", name="dana", password=PASSWORD)
    assert (back.status_code, back.headers["Location"]) == (303, app.path())
    assert "Growth chart" in browser.get(back.headers["Location"]).text


def test_a_person_who_says_no_sends_the_app_away(app: App, dana: Browser):
    answer = dana.send(dana.get(app.path()), app.path(), decision="deny")
    assert (query(answer)["error"], query(answer)["state"]) == ("access_denied", "abc-123")


def test_the_page_of_consent_may_only_lead_to_the_app(app: App, dana: Browser):
    policy = dana.get(app.path()).headers["Content-Security-Policy"]
    assert "form-action 'self' https://chart.example;" in policy


def test_a_refresh_token_is_good_once_and_using_it_again_ends_all_that_came_of_it(site: Site, app: App, dana: Browser):
    first = app.exchange(app.back(dana)["code"]).json()
    second = app.refresh(first["refresh_token"]).json()
    assert site.get(second["access_token"], "Patient").status_code == 200
    again = app.refresh(first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert site.get(second["access_token"], "Patient").status_code == 401
    assert app.refresh(second["refresh_token"]).status_code == 400


def test_a_refresh_can_narrow_what_may_be_done_and_never_widen_it(site: Site, app: App, dana: Browser):
    first = app.exchange(app.back(dana)["code"]).json()
    wider = app.refresh(first["refresh_token"], scope="user/*.cruds")
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")
    narrower = app.refresh(first["refresh_token"], scope="user/*.rs").json()
    assert narrower["scope"] == "user/*.rs"
    assert app.refresh(narrower["refresh_token"]).json()["scope"] == "openid fhirUser user/*.rs offline_access"


def test_without_the_scope_for_it_there_is_no_refresh_token(app: App, dana: Browser):
    told = app.back(dana, app.path(scope="user/*.rs"))
    assert "refresh_token" not in app.exchange(told["code"]).json()


def test_a_role_is_a_ceiling_for_apps_too(site: Site, app: App, browser: Browser):
    site.gate.registers.users.add(User("kim", "clinician"), PASSWORD)
    browser.log_in("kim")
    path = app.path(scope="user/*.cruds")
    assert app.exchange(app.back(browser, path)["code"]).json()["scope"] == "user/*.rs user/Subscription.cruds"


def test_started_by_itself_an_app_asks_the_person_for_which_patient(people, site: Site, app: App, dana: Browser):
    path = app.path(scope="launch/patient patient/*.rs")
    found = dana.send(dana.get(path), path, decision="find", q="Kanari")
    assert ("River" in found.text, "Alma" in found.text) == (True, True)
    answer = dana.send(found, path, decision="allow", patient="river")
    body = app.exchange(query(answer)["code"]).json()
    assert body["patient"] == "river"
    assert site.get(body["access_token"], "Patient/river").status_code == 200
    assert site.get(body["access_token"], "Patient/alma").status_code == 404


def test_without_a_patient_nothing_is_allowed(people, app: App, dana: Browser):
    path = app.path(scope="launch/patient patient/*.rs")
    answer = dana.send(dana.get(path), path, decision="allow", patient="nobody")
    assert (answer.status_code, "Choose a patient first" in answer.text) == (200, True)


def test_started_from_here_an_app_knows_the_patient(people, site: Site, app: App, dana: Browser):
    page = dana.get("/apps/river")
    started = dana.send(page, "/apps/river", client="chart")
    place = urlsplit(started.headers["Location"])
    given = parse_qs(place.query)
    assert (place.netloc, given["iss"]) == ("chart.example", [site.fhir])
    path = app.path(scope="launch patient/*.rs", launch=given["launch"][0])
    assert "It was started for <strong>River Kanarifugl" in dana.get(path).text
    assert app.exchange(app.back(dana, path)["code"]).json()["patient"] == "river"
    assert query(dana.get(path))["error"] == "invalid_request", "a launch is good once"


def test_a_launch_is_for_the_person_and_the_app_that_it_was_made_for(people, site: Site, app: App, dana: Browser):
    scope = "launch patient/*.rs"
    site.gate.registers.clients.add(Client("other", "Other", "clinician", scope, redirects=("https://other.example/back",)))
    started = dana.send(dana.get("/apps/river"), "/apps/river", client="chart")
    [launch] = parse_qs(urlsplit(started.headers["Location"]).query)["launch"]
    answer = dana.get(App(site, "other").path(scope=scope, launch=launch, redirect_uri="https://other.example/back"))
    assert query(answer)["error"] == "invalid_request"
    site.gate.registers.users.add(User("kim", "case-manager"), PASSWORD)
    kim = Browser(site.address)
    kim.log_in("kim")
    assert query(kim.get(app.path(scope=scope, launch=launch)))["error"] == "invalid_request"


def test_who_reads_no_patients_record_is_shown_nobodys_name(people, site: Site, app: App, browser: Browser):
    site.gate.registers.users.add(User("ada", "auditor"), PASSWORD)
    browser.log_in("ada")
    assert browser.get("/apps/river").status_code == 403
    path = app.path(scope="launch/patient openid")
    found = browser.send(browser.get(path), path, decision="find", q="Kanari")
    assert (found.status_code, "Kanarifugl" in found.text) == (403, False)


def test_a_request_of_an_app_that_is_not_in_order_is_told_on_a_page(app: App, dana: Browser):
    answer = dana.get(app.path(redirect_uri="https://evil.example/back"))
    assert (answer.status_code, "This cannot be done" in answer.text, "evil" in answer.text) == (400, True, False)


def test_a_disabled_person_is_out_at_once_with_all_their_apps(site: Site, app: App, dana: Browser):
    body = app.exchange(app.back(dana)["code"]).json()
    site.gate.registers.users.disable("dana")
    assert site.get(body["access_token"], "Patient").status_code == 401
    assert app.refresh(body["refresh_token"]).status_code == 400
    assert dana.get("/").headers["Location"].startswith("/login")
    assert dana.log_in().status_code == 401


@pytest.mark.parametrize("way", ["password", "account", "disabled"])
def test_who_is_known_otherwise_now_has_let_no_app_in(site: Site, app: App, dana: Browser, way):
    users = site.gate.registers.users
    code, body = app.back(dana)["code"], app.exchange(app.back(dana)["code"]).json()
    end = {
        "password": lambda: users.set_password("dana", "another long sentence of hers"),
        "account": lambda: users.join("dana", "248289761001"),
        "disabled": lambda: users.disable("dana"),
    }
    end[way]()
    assert site.get(body["access_token"], "Patient").status_code == 401
    assert app.refresh(body["refresh_token"]).status_code == 400
    answer = app.exchange(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert not [*site.gate.registers.tokens.state.all("tokens", {"user": "dana"})]


def test_an_app_with_keys_proves_itself_too(site: Site, app: App, dana: Browser, tmp_path):
    made = keys(tmp_path / "portal")
    site.gate.registers.clients.add(Client("portal", "Portal", "clinician", "user/*.rs", redirects=(CALLBACK,), jwks=made.jwks()))
    portal = App(site, "portal")
    told = portal.back(dana, portal.path(scope="user/*.rs"))
    assert portal.exchange(told["code"]).json()["error"] == "invalid_client"
    proof = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    signed = site.signed(site.claims(iss="portal", sub="portal"), made.all()[-1])
    assert portal.exchange(told["code"], **proof, client_assertion=signed).status_code == 200


def test_the_configuration_says_what_is_here(site: Site):
    told = requests.get(f"{site.fhir}/.well-known/smart-configuration", timeout=SECONDS).json()
    assert told["token_endpoint"] == site.token_url
    assert (told["code_challenge_methods_supported"], told["grant_types_supported"]) == (
        ["S256"],
        ["authorization_code", "client_credentials", "refresh_token"],
    )
    for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "introspection_endpoint", "revocation_endpoint"):
        assert requests.get(told[name], timeout=SECONDS).status_code in (200, 400, 405)
    openid = requests.get(f"{site.address}/.well-known/openid-configuration", timeout=SECONDS).json()
    assert (openid["issuer"], openid["jwks_uri"]) == (told["issuer"], told["jwks_uri"])
