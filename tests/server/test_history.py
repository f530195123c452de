"""History by moment: http://hl7.org/fhir/R4/http.html#history"""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from adapter.clock import instant
from adapter.store import timeline
from adapter.store.documents import Change
from adapter.store.repository import Repository
from server import create_app
from server.auth.grant import Grant
from server.fhir.messages import Request
from server.fhir.routes import endpoint

from .fhir import Fhir, assert_outcome, patient

START = datetime(2025, 4, 1, 12, tzinfo=UTC)


@pytest.fixture
def hours(database):
    """A server whose clock stands at the hour that is asked for."""
    now = [START]
    fhir = Fhir(create_app(Repository(database, clock=lambda: now[0])).test_client())

    def at(hour: int) -> Fhir:
        now[0] = START + timedelta(hours=hour)
        return fhir

    return at


@pytest.fixture
def story(hours):
    """p: made at 0, changed at 2, deleted at 4, back at 6. q: made at 1 and never changed."""
    hours(0).put({**patient("p1"), "id": "p"})
    hours(1).put({**patient("q1"), "id": "q"})
    hours(2).put({**patient("p2"), "id": "p"})
    hours(4).send("DELETE", "Patient/p")
    hours(6).put({**patient("p4"), "id": "p"})
    return hours(7)


def told(fhir, path):
    """(id, version) of the entries on all pages of two."""
    found, url = [], f"{path}{'&' if '?' in path else '?'}_count=2"
    while url:
        page = fhir.send("GET", url).json
        assert page["type"] == "history", page
        places = [(item["request"]["url"], item["fullUrl"], item["response"]["etag"]) for item in page.get("entry", [])]
        found += [(full.rpartition("/")[2], int(etag[3:-1])) for _, full, etag in places]
        url = next((link["url"].partition("/fhir/")[2] for link in page["link"] if link["relation"] == "next"), None)
    return found


def moment(hours: float) -> str:
    return instant(START + timedelta(hours=hours))


@pytest.mark.parametrize("path", ["Patient/_history", "_history"])
@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (-1, []),
        (0, [("p", 1)]),
        (0.5, [("p", 1)]),
        (1, [("q", 1), ("p", 1)]),
        (2, [("p", 2), ("q", 1)]),
        (3, [("p", 2), ("q", 1)]),
        (4, [("p", 3), ("q", 1)]),
        (5, [("q", 1)]),
        (9, [("p", 4), ("q", 1)]),
    ],
)
def test_at_finds_what_was_current_at_a_moment(story, path, at, expected):
    assert told(story, f"{path}?_at={moment(at)}") == expected
    assert told(story, f"Patient/p/_history?_at={moment(at)}") == [place for place in expected if place[0] == "p"]


def test_at_finds_all_that_was_current_in_a_time(story):
    for path in ("Patient/_history", "_history"):
        assert told(story, f"{path}?_at=2025-04-01") == [("p", 4), ("p", 3), ("p", 2), ("q", 1), ("p", 1)]
        assert told(story, f"{path}?_at=2025-04-02") == [("p", 4), ("q", 1)]
    assert told(story, "Patient/p/_history?_at=2025-04-01") == [("p", 4), ("p", 3), ("p", 2), ("p", 1)]


@pytest.mark.parametrize("path", ["Patient/p/_history", "Patient/_history", "_history"])
def test_since_finds_what_was_made_then_or_later(story, path):
    assert told(story, f"{path}?_since={moment(2)}") == [("p", 4), ("p", 3), ("p", 2)]
    assert told(story, f"{path}?_since={moment(2.5)}&_at={moment(5)}") == []
    assert told(story, f"{path}?_since={moment(9)}") == []


def test_the_total_of_a_resources_history_counts_what_is_asked_for(story):
    assert story.send("GET", "Patient/p/_history?_count=1").json["total"] == 4
    assert story.send("GET", f"Patient/p/_history?_count=1&_since={moment(3)}").json["total"] == 2
    assert "total" not in story.send("GET", "Patient/_history").json


def test_each_version_says_how_it_was_made(story):
    entries = story.send("GET", "Patient/p/_history").json["entry"]
    made = [(item["request"]["method"], item["request"]["url"], item["response"]["status"][:3]) for item in entries]
    assert made == [("PUT", "Patient/p", "201"), ("DELETE", "Patient/p", "204"), ("PUT", "Patient/p", "200"), ("PUT", "Patient/p", "201")]


def test_what_was_created_was_posted_and_a_patch_is_an_update(story):
    id = story.create(patient())["id"]
    story.send("PATCH", f"Patient/{id}", [{"op": "add", "path": "/active", "value": True}], Content_Type="application/json-patch+json")
    story.send("PUT", "Patient?identifier=https://hospital.example/mrn|9", patient("9"))
    made = [
        (item["resource"]["meta"]["versionId"], item["request"]["method"], item["request"]["url"], item["response"]["status"][:3])
        for item in story.send("GET", "Patient/_history?_count=3").json["entry"]
    ]
    assert sorted(made) == [("1", "POST", "Patient", "201")] * 2 + [("2", "PUT", f"Patient/{id}", "200")]


BASE = "http://localhost/fhir"


@pytest.fixture
def pages(repository, tmp_path):
    """Asks with what is granted; the pages, each as its versions and what its `next` says."""
    answer = endpoint(repository, tmp_path)

    def asked(path: str, grant: Grant) -> list[tuple[list[tuple[str, int]], str]]:
        found, url = [], f"{BASE}/{path}"
        while url:
            place = urlsplit(url)
            page = json.loads(answer(Request("GET", place.path.removeprefix("/fhir"), BASE, parse_qsl(place.query), grant=grant)).text)
            versions = [(each["fullUrl"].rpartition("/")[2], int(each["response"]["etag"][3:-1])) for each in page.get("entry", ())]
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
            cursor = dict(parse_qsl(urlsplit(url).query)).get("_cursor", "")
            found.append((versions, cursor if cursor.isdigit() else base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()))
            assert "total" not in page
        return found

    return asked


def weight(owner: str) -> dict:
    subject = {"reference": f"Patient/{owner}"}
    return {"resourceType": "Observation", "status": "final", "code": {"text": "Kanarifugl, weight"}, "subject": subject}


OF_OURS = Grant.of("patient/Observation.rs", "ours")


@pytest.mark.parametrize("grant", [OF_OURS, Grant.of("system/Observation.rs?subject=Patient/ours")])
@pytest.mark.parametrize("path", ["Observation/_history", "_history"])
@pytest.mark.parametrize("piece", [1, 200])
def test_the_pages_and_their_links_tell_nothing_of_what_is_not_granted(repository, pages, monkeypatch, path, grant, piece):
    monkeypatch.setattr(timeline, "_PIECE", piece)
    for number in range(3):
        repository.commit([Change("Observation", f"ours-{number}", weight("ours"), 0)])
        repository.commit([Change("Observation", f"others-{number}-{more}", weight("others"), 0) for more in range(4)])
    found = pages(f"{path}?_count=1", grant)
    assert [versions for versions, _ in found] == [[(f"ours-{number}", 1)] for number in (2, 1, 0)]
    assert not [said for _, said in found if "others" in said]
    two, one = pages(f"{path}?_count=2&_at=2100", grant)
    assert (two[0], one[0]) == ([("ours-2", 1), ("ours-1", 1)], [("ours-0", 1)])


def test_versions_that_were_anothers_are_on_no_page_of_a_resource_that_is_granted_now(repository, pages):
    for version, owner in enumerate(["ours", "others", "elsewhere", "ours", "others", "ours"]):
        repository.commit([Change("Observation", "w", weight(owner), version)])
    found = pages("Observation/w/_history?_count=1", OF_OURS)
    assert found == [([("w", 6)], "6"), ([("w", 4)], "4"), ([("w", 1)], "")]


@pytest.mark.parametrize("moment", ["2025-04-01T12:00:00", "9999-12-31T23:59:59.999999+00:00", "0001-01-01T00:00:00+14:00"])
def test_a_cursor_whose_moment_is_of_no_version_is_refused(story, moment):
    cursor = base64.urlsafe_b64encode(json.dumps([moment, "Patient", "p", 1]).encode()).decode()
    assert_outcome(story.send("GET", f"Patient/_history?_cursor={cursor}"), 400, "invalid")
