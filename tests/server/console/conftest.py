"""The console over two lived stories, asked as a browser asks: by pages and forms of its own."""

import json
import re
from datetime import datetime, timedelta
from html import unescape

import pytest

from adapter.cases.story import parse
from adapter.casework.stories import load_story
from adapter.clock import utc_now
from adapter.fhir.resource import parse as parse_json
from adapter.store.repository import Repository
from server import create_app
from tests.mapping.data import FIXTURES

ORIGIN = {"Origin": "http://localhost"}


class Time:
    """A clock that stands where it is put and goes on by a second whenever it is looked at; the day of the test until then."""

    def __init__(self):
        self.now = utc_now()

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def repository(database):
    return Repository(database, Time())


@pytest.fixture
def loaded(repository):
    """River's case, as the story leaves it, by its id."""
    told = parse(parse_json((FIXTURES / "cases" / "river.json").read_bytes()))
    return load_story(repository, told).case.partition("/")[2]


@pytest.fixture
def halfway(repository):
    """River's case on the day before the plan is activated, by its id."""
    return _until_the_plan(repository, lambda plan: plan)


@pytest.fixture
def drafting(repository):
    """The same case, its plan still a draft that nobody has accepted."""
    return _until_the_plan(repository, lambda plan: {**plan, "status": "draft", "acceptance": {"status": "pending"}})


@pytest.fixture
def unplanned(repository):
    """The same case when it has come to planning: nothing of a plan is there."""
    return _until(repository, "2025-04-22T10:00", lambda plan: plan)


@pytest.fixture
def closed(repository):
    """The same case, an hour after it was closed."""
    return _until(repository, "2025-10-24T12:00", lambda plan: plan)


def _until_the_plan(repository, change):
    return _until(repository, "2025-04-22T10:30", change)


def _until(repository, end, change):
    raw = json.loads((FIXTURES / "cases" / "river.json").read_text())
    raw["timeline"] = [entry for entry in raw["timeline"] if entry["at"] < end]
    for saved in (each for entry in raw["timeline"] for each in entry.get("save", ()) if each["concept"] == "plan"):
        saved["fields"] = change(saved["fields"])
    raw.pop("expect", None)
    repository.clock.now = datetime.fromisoformat(f"{end}:00-04:00")
    return load_story(repository, parse(parse_json(json.dumps(raw).encode()))).case.partition("/")[2]


class Browser:
    """Follows links, sends forms, and reads what is shown."""

    def __init__(self, client):
        self.client = client

    def get(self, path):
        return self.client.get(path)

    def post(self, path, **form):
        return self.client.post(path, data=form, headers=ORIGIN)

    def text(self, path):
        answer = self.get(path)
        assert answer.status_code == 200, answer.status_code
        return words(answer.text)


def words(html):
    """What of a page is read, without its tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


@pytest.fixture
def stranger(repository, tmp_path):
    return Browser(create_app(repository, plans=tmp_path / "plans").test_client())


@pytest.fixture
def dana(stranger, repository):
    """Somebody at the console, once a story is loaded."""

    def sign_in():
        [staff] = [
            stored.id
            for stored in repository.scan("PractitionerRole", {"concept": "case_manager"})
            if stored.record.get("discipline") == "therapist"
        ]
        assert stranger.post("/sign-in", actor=f"Practitioner/{staff}", to="/").status_code == 303
        return stranger

    return sign_in


def form_of(html, start='class="sheet"'):
    """What a browser would send of the page's form, untouched."""
    html = html[html.index(start) :]
    html = html[: html.index("</form>")]
    found = {}
    for name, value in re.findall(r'<input(?: type="hidden")?[^>]*?name="([^"]*)"[^>]*?value="([^"]*)"(?![^>]*checkbox)', html):
        found[unescape(name)] = unescape(value)
    for box in re.findall(r'<input type="checkbox"[^>]*>', html):
        name, value = re.search(r'name="([^"]*)"', box)[1], re.search(r'value="([^"]*)"', box)[1]
        found.pop(name, None) if not isinstance(found.get(name), list) else None
        if " checked" in box:
            found[name] = [*found.get(name, []), value]
    for name, inner in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', html, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', inner)
        found[unescape(name)] = chosen[1] if chosen else ""
    for name, value in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', html, re.S):
        found[unescape(name)] = unescape(value)
    return found


def send(browser, path, **changed):
    """Open the form at this path and send it, changed so."""
    form = form_of(browser.get(path).text) | changed
    return browser.client.post(path, data=form, headers=ORIGIN)
