"""The key sets that clients publish: remembered, asked for by one at a time, and used while they cannot be had."""

from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest

from adapter.errors import RemoteTemporary
from server.auth.public_keys import Published

URL = "https://west.example/jwks.json"


class Publisher:
    """A set at a URL, and how often it was asked for; it fails where it has none."""

    def __init__(self) -> None:
        self.kids: tuple[str, ...] | None = ("one",)
        self.asked = 0
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.published = Published(self.fetch, lambda: self.now)

    def fetch(self, url: str) -> Any:
        self.asked += 1
        if self.kids is None:
            raise RemoteTemporary("no answer")
        return {"keys": [{"kid": kid} for kid in self.kids]}

    def find(self, kid: str = "one") -> Any:
        return self.published.find(URL, kid)

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)


def test_a_set_is_asked_for_again_after_five_minutes_and_at_once_for_a_new_key():
    west = Publisher()
    assert [west.find(), west.find(), west.asked] == [{"kid": "one"}, {"kid": "one"}, 1]
    west.kids = ("two",)
    west.later(seconds=11)
    assert (west.find("two"), west.find("one"), west.asked) == ({"kid": "two"}, None, 2)
    west.later(minutes=5)
    assert (west.find("two"), west.asked) == ({"kid": "two"}, 3)


def test_a_failure_is_remembered_for_a_while():
    west = Publisher()
    west.kids = None
    for _ in range(3):
        with pytest.raises(RemoteTemporary):
            west.find()
    assert west.asked == 1
    west.kids = ("one",)
    west.later(seconds=11)
    assert (west.find(), west.asked) == ({"kid": "one"}, 2)


def test_the_keys_that_are_held_are_good_while_the_url_fails_but_not_for_ever():
    west = Publisher()
    assert west.find()
    west.kids = None
    west.later(minutes=6)
    assert (west.find(), west.asked) == ({"kid": "one"}, 2)
    with pytest.raises(RemoteTemporary):
        west.find("two")
    west.later(hours=1)
    with pytest.raises(RemoteTemporary):
        west.find()


def test_what_is_no_key_set_takes_no_key_away(monkeypatch: pytest.MonkeyPatch):
    west = Publisher()
    assert west.find()
    monkeypatch.setattr(west.published, "_fetch", lambda _: "sorry")
    west.later(minutes=6)
    assert west.find() == {"kid": "one"}


def test_while_one_fetches_a_set_others_are_told_at_once(monkeypatch: pytest.MonkeyPatch):
    west, begun, go_on = Publisher(), Event(), Event()

    def slowly(url: str) -> Any:
        begun.set()
        assert go_on.wait(30)
        return west.fetch(url)

    monkeypatch.setattr(west.published, "_fetch", slowly)
    found: list[Any] = []
    first = Thread(target=lambda: found.append(west.find()))
    first.start()
    try:
        assert begun.wait(30)
        with pytest.raises(RemoteTemporary):
            west.find()
    finally:
        go_on.set()
        first.join(30)
    assert (found, west.find(), west.asked) == ([{"kid": "one"}], {"kid": "one"}, 1)
