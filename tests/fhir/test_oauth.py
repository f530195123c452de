"""When a token is fetched; how it is asked for, against a real authorisation server, is in tests/sync/remotes/test_authorisation.py."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import requests

from adapter.errors import RemoteTemporary
from adapter.fhir.oauth import AccessToken, Granted

START = datetime(2025, 4, 22, 13, tzinfo=UTC)


class Scene:
    """A token that was fetched at the start, and a clock that the test sets."""

    def __init__(self, seconds: float | None) -> None:
        self.now, self.seconds, self.fetched = START, seconds, 0
        self.auth = AccessToken(self.fetch, lambda: self.now)
        self.sent()

    def fetch(self) -> Granted:
        self.fetched += 1
        return Granted(f"token-{self.fetched}", self.seconds, None)

    def sent(self, after: float = 0) -> str:
        """The header of a request so many seconds after the start."""
        self.now = START + timedelta(seconds=after)
        return requests.Request("GET", "https://ehr.example/fhir", auth=self.auth).prepare().headers["Authorization"]


@pytest.mark.parametrize(("lives", "good", "renewed"), [(300, 269, 270), (3600, 3569, 3570), (8, 5.9, 6), (0, 0, 0)])
def test_a_token_is_fetched_again_before_it_expires(lives: float, good: float, renewed: float) -> None:
    scene = Scene(lives)
    assert scene.sent(good) == ("Bearer token-1" if lives else "Bearer token-2")
    assert scene.sent(renewed) == ("Bearer token-2" if lives else "Bearer token-3")


def test_a_token_whose_life_is_not_told_is_kept_until_it_is_refused() -> None:
    scene = Scene(None)
    assert scene.sent(10**8) == "Bearer token-1"


def test_a_fetch_that_fails_is_made_again_for_the_next_request() -> None:
    scene = Scene(300)
    fetch: Callable[[], Granted] = scene.fetch
    answers = iter([RemoteTemporary("down")])

    def failing() -> Granted:
        for problem in answers:
            raise problem
        return fetch()

    scene.auth = AccessToken(failing, lambda: scene.now)
    with pytest.raises(RemoteTemporary):
        scene.sent()
    assert scene.sent() == "Bearer token-2"


def test_a_token_is_in_nothing_that_is_printed() -> None:
    scene = Scene(300)
    assert "token-1" not in repr(scene.auth) + repr(scene.fetch())
