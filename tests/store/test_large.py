"""Large questions: one under way at a time on the embedded store, the same one put once, and no answer older than its call."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from types import SimpleNamespace
from typing import Any

import pytest

from adapter.store import large as module
from adapter.store.large import large

WAIT = 10


class Store:
    """Counts the questions that are put to it and how many are under way at once; each waits until it is let go."""

    def __init__(self) -> None:
        self.put, self.at_once, self._now, self._lock = 0, 0, 0, Lock()
        self.begun, self.go = Event(), Event()

    def ask(self) -> int:
        with self._lock:
            self.put += 1
            number = self.put
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        self.begun.set()
        assert self.go.wait(WAIT)
        with self._lock:
            self._now -= 1
        return number


def database_of(retry_writes: bool) -> Any:
    """A database as far as its connection tells which store it is."""

    class Client:
        options = SimpleNamespace(retry_writes=retry_writes)

    return SimpleNamespace(client=Client(), name="a")


@pytest.fixture
def store() -> Store:
    return Store()


def waiting(database: Any) -> int:
    return sum(callers for _, callers in module._stores[database.client]._waiting.values())


def until(condition: Any) -> None:
    for _ in range(WAIT * 1000):
        if condition():
            return
        Event().wait(0.001)
    raise AssertionError("It never came to that.")


def test_who_asks_the_same_while_one_is_under_way_shares_the_next_answer(store: Store) -> None:
    database = database_of(retry_writes=False)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(large, database, "page", store.ask)
        assert store.begun.wait(WAIT)
        others = [pool.submit(large, database, "page", store.ask) for _ in range(7)]
        until(lambda: waiting(database) == 8)
        store.go.set()
        assert first.result() == 1, "what was asked before is not answered by a later question"
        assert {other.result() for other in others} == {2}, "the answer under way is older than these calls"
    assert waiting(database) == 0


def test_different_questions_are_put_to_the_embedded_store_one_after_the_other(store: Store) -> None:
    database = database_of(retry_writes=False)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(large, database, number, store.ask) for number in range(8)]
        until(lambda: waiting(database) == 8)
        store.go.set()
        assert sorted(each.result() for each in asked) == [*range(1, 9)]
    assert store.at_once == 1


def test_mongodb_gets_them_all_at_once(store: Store) -> None:
    database = database_of(retry_writes=True)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(large, database, number, store.ask) for number in range(4)]
        until(lambda: store.put == 4)
        store.go.set()
        assert sorted(each.result() for each in asked) == [1, 2, 3, 4]
    assert store.at_once == 4


def test_a_failure_is_told_and_the_next_question_is_put_anew() -> None:
    database = database_of(retry_writes=False)

    def fail() -> int:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        large(database, "page", fail)
    assert large(database, "page", lambda: 1) == 1


def test_the_same_words_about_another_database_are_another_question(store: Store) -> None:
    one = database_of(retry_writes=False)
    other = SimpleNamespace(client=one.client, name="b")
    store.go.set()
    assert (large(one, "page", store.ask), large(other, "page", store.ask)) == (1, 2)
