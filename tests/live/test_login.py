"""Logging in, and letting an app act for oneself, in a real browser: what it keeps, where it may go, and who can read the pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest

from adapter.fhir.jwks import fetch
from adapter.store.documents import Change
from adapter.store.repository import Repository
from server import running
from server.auth.clients import Client
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


def log_in(visitor: Visitor) -> None:
    visitor.page.get_by_label("Name").fill("dana")
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


def test_a_person_starts_an_app_for_a_patient(chart: str, visitor: Visitor) -> None:
    visitor.go("/login")
    log_in(visitor)
    visitor.go("/apps/river")
    readable(visitor)
    visitor.page.get_by_role("button", name="Growth chart").last.click()
    visitor.page.wait_for_url(f"{chart}/start?**")
    assert visitor.page.inner_text("body") == "launch True"
