"""History by moment: http://hl7.org/fhir/R4/http.html#history"""

from datetime import UTC, datetime, timedelta

import pytest

from adapter.clock import instant
from adapter.store.repository import Repository
from server import create_app

from .fhir import Fhir, patient

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
