"""The pages of many searches, read ahead of who works on them; a search whose pages expire begins again, one that fails ends by itself."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, TypeVar

from adapter import log
from adapter.errors import RemoteError, RemoteFatal, RemoteTemporary
from adapter.fhir.client import FhirClient, Page
from adapter.fhir.exchange import Params
from adapter.fhir.outcome import ends_all
from adapter.fhir.resource import Raw, version_of
from adapter.sync.pulling.cursors import Cursor

T = TypeVar("T")

# How often a search is made in one pull before its pages that expire are a failure.
_SEARCHES = 3
AHEAD = 8 * 1024 * 1024
"""Bytes of text that are fetched before they are asked for, give or take a page: some pages of 500 resources. Fewer, and nobody works while
a remote is slow: HAPI 8.8 lets half a second pass before it answers a next link that follows at once."""


@dataclass(frozen=True)
class Search:
    """A search of one type, and how many resources the remote says that it finds; None where it does not tell."""

    params: Params
    count: int | None = None


@dataclass(frozen=True)
class Part:
    """A type to pull: by which searches, and where its cursor was and is to be after them."""

    type: str
    searches: tuple[Search, ...]
    before: Cursor
    after: Cursor
    order: Params = field(default_factory=dict)
    """What puts the pages in an order."""
    whole: bool = False
    """Whether the searches find all that there is, and not only what changed."""
    patients: frozenset[str] = frozenset()
    """The ids there of the patients that the searches are for; empty where they are for everybody."""

    @property
    def count(self) -> int | None:
        """How many resources there are to be read."""
        counts = [search.count for search in self.searches]
        return None if None in counts else sum(filter(None, counts))


@dataclass(frozen=True)
class Read:
    """What came of the search `search` of the part `part`, both by number: a page, the part's failure, or None at the part's end."""

    part: int
    search: int
    found: Page | RemoteError | None


def again(read: Callable[[], Iterable[T]], about: str) -> Iterator[T]:
    """What `read` gives, from its start again where the remote has let go of its pages: whoever takes it meets some twice."""
    for left in range(_SEARCHES)[::-1]:
        try:
            yield from read()
            return
        except RemoteTemporary as error:
            if error.http_status not in (404, 410) or not left:
                raise
            log.event("pull.expired", about=about, status=error.http_status)


def read(client: FhirClient, parts: list[Part]) -> Iterator[Read]:
    """The pages of the parts that have any, part after part."""
    for number, part in enumerate(parts):
        try:
            for place, search in enumerate(part.searches):
                if search.count != 0:
                    pages = again(partial(client.search, part.type, {**search.params, **part.order}), part.type)
                    yield from (Read(number, place, page) for page in pages)
            yield Read(number, 0, None)
        except RemoteError as error:
            yield Read(number, 0, error)
            if ends_all(error):
                return


def of_part(reads: Iterator[Read], number: int) -> Iterator[tuple[int, Page]]:
    """(search, page) of one part; what is left of parts before it is passed over. Raises the RemoteError that ended it."""
    for each in reads:
        if each.part != number:
            continue
        if isinstance(each.found, RemoteError):
            raise each.found
        if each.found is None:
            return
        yield each.search, each.found


def size(each: Read) -> int:
    """The bytes that it holds."""
    return each.found.size if isinstance(each.found, Page) else 0


class _Held(Queue[tuple[int, bool, Any]]):
    """A queue that is full by the bytes of its items; each counts for one more."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self._bytes = 0

    def _qsize(self) -> int:
        return self._bytes + len(self.queue)

    def _put(self, item: tuple[int, bool, Any]) -> None:
        super()._put(item)
        self._bytes += item[0]

    def _get(self) -> tuple[int, bool, Any]:
        item = super()._get()
        self._bytes -= item[0]
        return item


@contextmanager
def ahead(items: Iterator[T], size: Callable[[T], int]) -> Iterator[Iterator[T]]:
    """The same items, the next ones being fetched while one is worked on; who leaves the context before the end stops that.

    `size` tells the bytes of an item: no more are fetched while AHEAD of them wait.
    """
    queue = _Held(maxsize=AHEAD)
    left = Event()

    def fetch() -> None:
        try:
            for item in items:
                queue.put((size(item), True, item))
                if left.is_set():
                    return
            queue.put((0, False, None))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
            queue.put((0, False, error))

    def taken() -> Iterator[T]:
        while True:
            _, more, item = queue.get()
            if more:
                yield item
                continue
            if item is not None:
                raise item
            return

    Thread(target=fetch, name="pull-ahead", daemon=True).start()
    try:
        yield taken()
    finally:
        left.set()
        # It may wait to hand over an item: with room for that it sees that nobody is here, and ends.
        with suppress(Empty):
            while True:
                queue.get_nowait()


def fresh(resources: list[Raw], seen: set[tuple[str, str]]) -> list[Raw]:
    """Those not seen before in the same version, or without one with the same content. Raises RemoteFatal for one without an id."""
    found = []
    for raw in resources:
        if not isinstance(raw.get("id"), str):
            raise RemoteFatal(f"The remote sent a {raw['resourceType']} without an id.")
        key = (raw["id"], version_of(raw))
        if key not in seen:
            seen.add(key)
            found.append(raw)
    return found
