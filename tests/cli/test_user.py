"""`casebridge user`, and a server to which people come: by a password, or from an OpenID Provider."""

import signal
import subprocess
from pathlib import Path

import pytest

from adapter.config import Settings
from adapter.errors import Invalid
from adapter.store.documents import Change
from adapter.store.repository import Repository
from tests.server.auth.provider import CLIENT, NAME, PERSON, SECRET, provided, rsa
from tests.server.auth.site import PASSWORD, Browser

from .test_serve import ended, serving

FIXTURES = Path(__file__).parents[2] / "fixtures"
ADD = ("user", "add", "dana", "--role", "case-manager", "--fhir-user", "Practitioner/dana")
OIDC = {"CASEBRIDGE_OIDC_ISSUER": "https://idp.city.example", "CASEBRIDGE_OIDC_CLIENT": CLIENT}


def stopped(run: subprocess.Popen[str]) -> list[str]:
    """What it told on standard error until it was asked to stop."""
    run.send_signal(signal.SIGTERM)
    code, _, err = ended(run)
    assert code == 0
    return err


def test_a_user_is_added_with_a_password_from_standard_input_and_never_shown(casebridge):
    ran = casebridge(*ADD, answer="a long sentence of hers\n")
    assert (ran.code, ran.out) == (0, "")
    assert casebridge("user", "password", "dana", answer="another sentence of hers\n").code == 0
    listed = casebridge("user", "list", "--json")
    assert "sentence" not in listed.out
    assert "argon" not in listed.out
    assert casebridge("user", "disable", "dana").code == 0
    assert casebridge("user", "password", "nobody", answer="a sentence of nobody's\n").code == 2


def test_a_short_password_and_none_are_refused(casebridge):
    for answer in ("short\n", "\n"):
        assert casebridge("user", "add", "dana", "--role", "auditor", answer=answer).code == 2


def test_a_user_is_joined_to_an_account_at_the_provider_and_parted_from_it(casebridge, environment):
    assert "CASEBRIDGE_OIDC_ISSUER" in casebridge(*ADD, "--oidc", "24828").err
    environment |= OIDC
    assert casebridge(*ADD, "--oidc", "24828").code == 0
    [listed] = casebridge("user", "list", "--json").json
    assert listed["account"] == "https://idp.city.example sub 24828"
    assert "https://idp.city.example sub 24828" in casebridge("user", "list").out
    kim = ("user", "add", "kim", "--role", "supervisor")
    assert casebridge(*kim, "--oidc", "24828").code == 2
    assert casebridge(*kim, answer="a long sentence of kim's\n").code == 0
    assert casebridge("user", "oidc", "kim", "24828").code == 2
    assert casebridge("user", "oidc", "dana", "--none").code == 0
    environment["CASEBRIDGE_OIDC_CLAIM"] = "email"
    assert casebridge("user", "oidc", "kim", "Kim@City.example").code == 0
    accounts = {each["name"]: each["account"] for each in casebridge("user", "list", "--json").json}
    assert accounts == {"dana": None, "kim": "https://idp.city.example email kim@city.example"}
    assert casebridge("user", "oidc", "nobody", "1").code == 2
    for arguments in (("kim",), ("kim", "1", "--none")):
        assert casebridge("user", "oidc", *arguments).code == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"CASEBRIDGE_OIDC_ISSUER": "https://idp.example"},
        {"CASEBRIDGE_OIDC_CLIENT": "x"},
        {**OIDC, "CASEBRIDGE_OIDC_CLAIM": "name"},
        {**OIDC, "CASEBRIDGE_OIDC_ISSUER": "https://["},
    ],
)
def test_a_provider_that_is_named_by_half_and_a_claim_that_anybody_could_choose_are_refused(wrong):
    with pytest.raises(Invalid):
        Settings.from_env(wrong)


@pytest.mark.parametrize("text", ["disabled", "off ", "none", "0.0"])
def test_a_switch_is_on_or_off_and_no_other_word_leaves_it_as_it_is(text):
    for name in ("CASEBRIDGE_PASSWORDS", "CASEBRIDGE_INTEGRITY"):
        with pytest.raises(Invalid, match=name):
            Settings.from_env({name: text})
    for told, on in (("Off", False), ("on", True), ("0", False), ("1", True)):
        settings = Settings.from_env({"CASEBRIDGE_PASSWORDS": told, "CASEBRIDGE_INTEGRITY": told})
        assert (settings.passwords, settings.integrity) == (on, on)
    assert (Settings.from_env({}).passwords, Settings.from_env({"CASEBRIDGE_INTEGRITY": ""}).integrity) == (True, False)


def test_searches_are_strict_or_lenient_and_no_other_word_makes_them_either():
    told = [Settings.from_env({"CASEBRIDGE_HANDLING": text}).handling for text in ("", "Strict", "LENIENT")]
    assert told == ["strict", "strict", "lenient"]
    with pytest.raises(Invalid, match="CASEBRIDGE_HANDLING"):
        Settings.from_env({"CASEBRIDGE_HANDLING": "leniant"})


def test_the_name_of_a_provider_is_its_host_where_nothing_else_is_said():
    told = Settings.from_env(OIDC).oidc
    assert told is not None
    assert (told.name, told.claim) == ("idp.city.example", "sub")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"CASEBRIDGE_PASSWORDS": "off"}, "CASEBRIDGE_OIDC_ISSUER"),
        ({**OIDC, "CASEBRIDGE_OIDC_ISSUER": "http://idp.city.example"}, "https://"),
        ({**OIDC, "CASEBRIDGE_OIDC_SECRET_FILE": "/nowhere/secret"}, "/nowhere/secret"),
    ],
)
def test_a_server_by_which_nobody_could_log_in_does_not_start(casebridge, environment, wrong, told):
    environment |= wrong
    ran = casebridge("serve", "--port", "0")
    assert (ran.code, told in ran.err, len(ran.err.splitlines())) == (2, True, 1)


def test_a_server_with_nobody_registered_says_what_to_type_and_that_lets_a_person_in(casebridge, environment):
    assert casebridge("case", "load", FIXTURES / "cases" / "river.json").code == 0
    with serving(environment) as (run, port):
        command = next(line.split() for line in run.stderr if "casebridge user add" in line)
        assert casebridge(*command[1:], answer=f"{PASSWORD}\n").code == 0
        browser = Browser(f"http://127.0.0.1:{port}")
        assert browser.get("/").status_code == 303
        assert browser.log_in().status_code == 303
        page = browser.get("/")
        assert (page.status_code, "Dana Kanarifugl" in page.text) == (200, True)
        stopped(run)
    with serving(environment) as (run, port):
        assert Browser(f"http://127.0.0.1:{port}").get("/login").status_code == 200
        assert not [line for line in stopped(run) if "casebridge user add" in line]


def test_a_server_lets_people_in_whom_the_provider_of_its_settings_sends(casebridge, environment, database, tmp_path):
    person = {"resourceType": "Practitioner", "id": "dana", "name": [{"family": "Kanarifugl", "given": ["Dana"]}]}
    Repository(database).commit([Change("Practitioner", "dana", person, 0)])
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    with provided(rsa("first")) as provider:
        environment |= {**OIDC, "CASEBRIDGE_OIDC_ISSUER": provider.url, "CASEBRIDGE_OIDC_NAME": NAME, "CASEBRIDGE_PASSWORDS": "off"}
        environment["CASEBRIDGE_OIDC_SECRET_FILE"] = str(secret)
        assert casebridge(*ADD, "--oidc", PERSON["sub"]).code == 0
        with serving(environment) as (run, port):
            browser = Browser(f"http://127.0.0.1:{port}")
            page = browser.get("/login").text
            assert (f"Log in with {NAME}" in page, "password" in page) == (True, False)
            for _ in range(2):
                browser.get(browser.get(browser.get("/login/oidc").headers["Location"]).headers["Location"])
            assert "Dana Kanarifugl" in browser.get("/").text
            provider.person = {**PERSON, "sub": "a-stranger"}
            browser.session.cookies.clear()
            browser.get(browser.get(browser.get("/login/oidc").headers["Location"]).headers["Location"])
            assert browser.get("/").status_code == 303
            err = stopped(run)
    assert any("login.refused by=oidc reason=account" in line for line in err)
    assert not [line for line in err if "a-stranger" in line or SECRET in line]
