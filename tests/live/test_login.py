"""Logging in, and letting an app act for oneself, in a real browser: what it keeps, where it may go, and who can read the pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest

from adapter.audit.event import Asker, audit_event
from adapter.fhir.jwks import fetch
from adapter.fhir.oidc import redeem
from adapter.store.documents import Change
from adapter.store.repository import Repository
from server import running
from server.auth.clients import Client
from server.auth.oidc import Provider, account
from server.auth.users import User
from tests.server.auth.provider import NAME, PERSON, SECRET, provided, rsa
from tests.server.auth.site import PASSWORD, App, Site, keys, opened

from .browser import NARROW, WIDE, Visitor, visitors

pytestmark = pytest.mark.live


@pytest.fixture
def site(database: Any, tmp_path: Path) -> Iterator[Site]:
    repository = Repository(database)
    for type, id, given in (("Practitioner", "dana", "Dana"), ("Patient", "river", "River")):
        person = {"resourceType": type, "id": id, "name": [{"family": "Kanarifugl", "given": [given]}]}
        repository.commit([Change(type, id, person, 0)])
    with opened(repository, tmp_path, keys(tmp_path / "issuer", "RS384"), fetch) as made:
        yield made


@pytest.fixture
def chart(site: Site) -> Iterator[str]:
    """An app at another origin, which says what it is sent."""
    app = flask.Flask("chart")
    app.config.update(MAX_CONTENT_LENGTH=1024)
    app.add_url_rule("/back", "back", lambda: f"code {bool(flask.request.args.get('code'))}")
    app.add_url_rule("/start", "start", lambda: f"launch {bool(flask.request.args.get('launch'))}")
    with running(app) as address:
        site.gate.registers.clients.add(
            Client(
                "live",
                "Growth chart",
                "clinician",
                "launch launch/patient openid patient/*.rs",
                redirects=(f"{address}/back",),
                launch_url=f"{address}/start",
            )
        )
        yield address


@pytest.fixture
def visitor(site: Site) -> Iterator[Visitor]:
    yield from visitors(site.address)


def readable(visitor: Visitor) -> None:
    """Fail unless the page can be read by everybody, in a wide and in a narrow window."""
    assert visitor.violations() == []
    for size in (NARROW, WIDE):
        visitor.page.set_viewport_size(size)  # type: ignore[arg-type]
        assert not visitor.overflows()


def log_in(visitor: Visitor, name: str = "dana") -> None:
    visitor.page.get_by_label("Name").fill(name)
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.page.get_by_role("button", name="Log in").click()
    visitor.page.wait_for_load_state()


def test_a_person_logs_in_works_and_logs_out(site: Site, visitor: Visitor) -> None:
    visitor.go("/people")
    readable(visitor)
    log_in(visitor)
    assert visitor.page.url == f"{site.address}/people"
    [cookie] = visitor.page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    visitor.go("/login")
    readable(visitor)
    visitor.page.get_by_role("button", name="Log out").click()
    visitor.page.wait_for_url("**/login")
    visitor.go("/people")
    assert "/login" in visitor.page.url
    assert (visitor.astray, visitor.complaints) == ([], [])


def test_a_person_lets_an_app_act_and_the_browser_follows_it_there(site: Site, chart: str, visitor: Visitor) -> None:
    asked = App(site, "live").path(scope="launch/patient patient/*.rs", redirect_uri=f"{chart}/back")
    visitor.page.goto(site.address + asked)
    log_in(visitor)
    readable(visitor)
    visitor.page.get_by_label("For which patient?").fill("Kanari")
    visitor.page.get_by_role("button", name="Find").click()
    visitor.page.get_by_label("River Kanarifugl").check()
    readable(visitor)
    visitor.page.get_by_role("button", name="Allow", exact=True).click()
    visitor.page.wait_for_url(f"{chart}/back?**")
    assert visitor.page.inner_text("body") == "code True"


def test_an_auditor_comes_from_the_login_to_the_disclosures_of_a_patient(database: Any, site: Site, visitor: Visitor) -> None:
    site.gate.registers.users.add(User("vera", "auditor"), PASSWORD)
    read = audit_event("read", Asker(user="dana", reference="Practitioner/dana"), "2026-03-02T09:00:00.000Z", patients=["Patient/river"])
    Repository(database).commit([Change("AuditEvent", "told", read, 0)])
    visitor.go("/")
    log_in(visitor, "vera")
    assert visitor.page.url == f"{site.address}/disclosures"
    readable(visitor)
    visitor.page.get_by_label("Or the id of the record").fill("nobody")
    visitor.page.get_by_role("button", name="Show disclosures").click()
    visitor.page.get_by_role("alert").wait_for()
    readable(visitor)
    visitor.page.get_by_label("Or the id of the record").fill("river")
    visitor.page.get_by_role("button", name="Show disclosures").click()
    visitor.page.get_by_role("cell", name="Dana Kanarifugl").first.wait_for()
    readable(visitor)
    with visitor.page.expect_download() as download:
        visitor.page.get_by_role("link", name="Download as CSV").click()
    assert download.value.suggested_filename == "disclosures-river.csv"
    visitor.page.get_by_role("link", name="Page to print and file").click()
    visitor.page.get_by_text("Accounting of disclosures of Patient/river").wait_for()
    assert visitor.violations() == []
    for path in ("/account", "/account?refused=on", "/glass/broken"):
        visitor.go(path)
        readable(visitor)
    assert visitor.astray == []
    # The form that was refused is the one page that answers so.
    assert [text for text in visitor.complaints if "404" not in text] == []


def test_a_person_starts_an_app_for_a_patient(chart: str, visitor: Visitor) -> None:
    visitor.go("/login")
    log_in(visitor)
    visitor.go("/apps/river")
    readable(visitor)
    visitor.page.get_by_role("button", name="Growth chart").last.click()
    visitor.page.wait_for_url(f"{chart}/start?**")
    assert visitor.page.inner_text("body") == "launch True"


def test_a_person_logs_in_and_out_at_the_provider_of_their_house(database: Any, tmp_path: Path) -> None:
    repository = Repository(database)
    person = {"resourceType": "Practitioner", "id": "dana", "name": [{"family": "Kanarifugl", "given": ["Dana"]}]}
    repository.commit([Change("Practitioner", "dana", person, 0)])
    with provided(rsa("first")) as provider:
        oidc = Provider(provider.settings(), lambda: SECRET, fetch, redeem, repository.clock)
        with opened(repository, tmp_path, keys(tmp_path / "issuer", "RS384"), fetch, oidc=oidc) as site:
            site.gate.registers.users.join("dana", account(provider.settings(), PERSON["sub"]))
            for visitor in visitors(site.address):
                visitor.go("/people")
                readable(visitor)
                visitor.page.get_by_role("link", name=f"Log in with {NAME}").click()
                visitor.page.wait_for_url(f"{site.address}/people")
                visitor.go("/login")
                assert visitor.complaints == []
                visitor.page.get_by_role("button", name="Log out").click()
                visitor.page.wait_for_url(f"{provider.url}/end?**")
                visitor.go("/people")
                assert "/login" in visitor.page.url
