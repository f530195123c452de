"""New documents of a transaction, inserted some at a time beside whoever makes the next of them.

To make a document, with its search index, takes us about as long as it takes a store to insert it, and each has a core of its own.
"""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from adapter.store.documents import Document

# As many as are worth a command and a change of threads.
_AT_ONCE = 50


class Insertion:
    """To be used in a `with` block. `insert` gets a collection's name and documents, in one thread at a time: nobody else may use what it
    writes with, such as a session, before `end` has come back."""

    def __init__(self, insert: Callable[[str, list[Document]], object]) -> None:
        self._insert = insert
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="insert")
        self._made: dict[str, list[Document]] = defaultdict(list)
        self._under_way: list[Future[object]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Whoever aborts the transaction must not meet a command of it that is under way.
        self._beside.shutdown(cancel_futures=True)

    def add(self, collection: str, document: Document) -> None:
        """Have a document inserted."""
        made = self._made[collection]
        made.append(document)
        if len(made) == _AT_ONCE:
            self._under_way.append(self._beside.submit(self._insert, collection, self._made.pop(collection)))

    def end(self) -> None:
        """Insert what is left, and come back when all is inserted. Raises what an insertion raised."""
        for each in self._under_way:
            each.result()
        for collection, made in self._made.items():
            self._insert(collection, made)
