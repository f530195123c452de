"""Questions that the store has to read much for: one at a time, and of those that are the same only one.

The embedded store is one interpreter: eight pages of 100 at once take it 17 ms of its time each, one after the other 8.5. And who asks what
another is waiting to ask gets the same answer. A question is always put after the calls that it answers: no answer is older than its call.
"""

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pymongo import MongoClient
from pymongo.database import Database

from adapter.store.bounds import is_embedded
from adapter.store.documents import Document
from adapter.store.gathering import Gathered

T = TypeVar("T")


class _Large:
    """The large questions to one store."""

    def __init__(self, turn: AbstractContextManager[Any]) -> None:
        self._turn, self._lock = turn, Lock()
        self._waiting: dict[Hashable, tuple[Gathered[None, Any], int]] = {}

    def answer(self, question: Hashable, ask: Callable[[], T]) -> T:
        with self._lock:
            gathered, callers = self._waiting.get(question) or (Gathered(lambda _: {None: ask()}, self._turn), 0)
            self._waiting[question] = gathered, callers + 1
        try:
            found: T = gathered.of([None])[None]
            return found
        finally:
            with self._lock:
                gathered, callers = self._waiting.pop(question)
                if callers > 1:
                    self._waiting[question] = gathered, callers - 1


_stores: WeakKeyDictionary[MongoClient[Document], _Large] = WeakKeyDictionary()


def large(database: Database[Document], question: Hashable, ask: Callable[[], T]) -> T:
    """What `ask` answers, now. Those who ask the same `question` at the same time share one answer, which is read-only."""
    client = database.client
    if client not in _stores:
        # MongoDB has a thread for each question.
        _stores.setdefault(client, _Large(Lock() if is_embedded(client) else nullcontext()))
    return _stores[client].answer((database.name, question), ask)
