"""A consent that is taken back counts from the next page on: of a search, and of a file that is being written."""

import json
from datetime import timedelta

import pytest

from adapter.errors import NotFound
from adapter.sync.exporting.pace import Pace
from adapter.sync.exporting.selection import Selection

from .insurers import asks, consent, coverage, exported, named, reader
from .people import PEOPLE, of


@pytest.fixture
def stored(scene, make):
    make(*(raw for id in PEOPLE for raw in (*of(id), consent(id), coverage(id))))
    return scene


@pytest.fixture
def ask(stored):
    return asks(stored, reader("ins"))


@pytest.fixture
def revoke(make):
    """Takes the consents of these people back."""
    return lambda *ids: make(*(consent(id, status="inactive") for id in ids))


def after(answer):
    """The address of the next page, None on the last one."""
    return next((link["url"] for link in json.loads(answer.text)["link"] if link["relation"] == "next"), None)


@pytest.mark.parametrize(
    "path", ["CarePlan?_count=1", "CarePlan?_count=1&_sort=_id", "CarePlan?subject=Patient/river,Patient/alma&_count=1"]
)
def test_who_takes_the_consent_back_between_two_pages_of_a_search_is_on_no_page_that_follows(ask, revoke, path):
    page = ask(path)
    [first] = named(page)
    assert after(page)
    left = [id for id in PEOPLE if first != f"CarePlan/plan-{id}"]
    revoke(*left)
    while url := after(page):
        page = ask(url)
        assert named(page) == {}
    assert [*named(ask("CarePlan"))] == [first]
    for id in left:
        with pytest.raises(NotFound):
            ask(f"CarePlan/plan-{id}")


def test_who_takes_the_consent_back_is_missing_on_the_next_page_and_others_are_on_it(ask, revoke):
    page = ask("CarePlan?_count=1&_sort=_id")
    assert [*named(page)] == ["CarePlan/plan-alma"]
    revoke("river")
    rest = []
    while url := after(page):
        page = ask(url)
        rest += named(page)
    assert rest == ["CarePlan/plan-wren"]


@pytest.mark.parametrize("age", [timedelta(), timedelta(hours=1)], ids=["told by id", "told in order of change"])
def test_who_takes_the_consent_back_while_a_file_is_written_is_in_no_piece_of_it_that_follows(
    stored, ask, revoke, piecemeal, monkeypatch, age
):
    monkeypatch.setattr("adapter.sync.exporting.pace._FEWEST", 1)
    monkeypatch.setattr("adapter.sync.exporting.pace.PIECE", 1)
    monkeypatch.setattr(Selection, "pace", lambda *_: Pace(False, count=1))
    now = stored.repository.clock
    stored.repository.clock = lambda: now() + age
    begun = ask("$export?_type=CarePlan")
    places = piecemeal(4, lambda: revoke(*PEOPLE))
    found = exported(stored, begun)
    before = sum(made.count for made in places[3].files)
    assert len(found) == before
    assert 0 < before < len(PEOPLE)
    assert exported(stored, ask("$export?_type=CarePlan")) == {}
