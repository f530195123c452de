"""Who of the subscribers is told when: each in a thread of its own, by one process at a time, for as long as it runs."""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock, Thread

from adapter import log
from adapter.config import Settings
from adapter.errors import Busy, VersionConflict
from adapter.fhir.retry import RetryPolicy
from adapter.store.documents import Stored
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.store.subscriptions import TYPE, Row
from adapter.sync.lease import Lease, hold
from adapter.sync.subscriptions.delivery import Course, Site, Turn
from adapter.sync.subscriptions.owners import Owners
from adapter.sync.subscriptions.signature import site_key

# A remote's name has no capital, so no sync has this lease.
LEASE = "Subscription"
POLL_SECONDS = 1.0
"""How often is looked for what other processes have queued, and whether the process that delivers has ended."""
# So many subscribers can keep us waiting at once before others wait for a thread.
_THREADS = 64


def site(settings: Settings, owners: Owners | None = None) -> Site:
    """How this site delivers; `owners` says how those stand to whom Subscriptions belong. Raises Invalid for a key that cannot be used."""
    cap = settings.retry_seconds
    return Site(site_key(settings), settings.subscribers, RetryPolicy(base=min(1.0, cap), cap=cap), owners=owners)


@contextmanager
def delivering(repository: Repository, site: Site) -> Iterator[None]:
    """Tell subscribers what they are owed while the context is open, unless another process does; then take over when it ends."""
    deliverer = Deliverer(repository, site)
    thread = Thread(target=deliverer.run, name="subscriptions", daemon=True)
    repository.on_queued = deliverer.told
    thread.start()
    try:
        yield
    finally:
        repository.on_queued = None
        deliverer.stop()
        thread.join()


class Deliverer:
    """Gives each subscription its turns while it holds the lease."""

    def __init__(self, repository: Repository, site: Site) -> None:
        self._repository, self._site = repository, site
        self._state = State(repository.database)
        self._courses: dict[str, Course] = {}
        self._news: set[str] = set()
        self._lock = Lock()
        self._wake, self._stopping = Event(), Event()

    def run(self) -> None:
        """Deliver until stopped."""
        while not self._stopping.is_set():
            try:
                with hold(self._state, LEASE) as lease:
                    self._serve(lease)
            except Busy:
                pass  # another process delivers, or has taken over
            except Exception as error:  # noqa: BLE001 - the worker loop: the store can be away, and nobody would be told any more
                log.event("subscriptions.interrupted", level=logging.ERROR, error=type(error).__name__)
            self._stopping.wait(POLL_SECONDS)

    def stop(self) -> None:
        """End soon: what is being sent is cut off, and sent again by who delivers next."""
        self._stopping.set()
        self._wake.set()

    def told(self, queues: set[str]) -> None:
        """Look at these queues at once."""
        with self._lock:
            self._news |= queues
        self._wake.set()

    def _serve(self, lease: Lease) -> None:
        ended = Event()
        look = 0.0
        self._courses = {}
        # Leaving it waits for the turns that run: the lease is given back after the last of them.
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="subscription") as pool:
            try:
                while not self._stopping.is_set():
                    self._wake.clear()
                    lease.check()
                    everybody = time.monotonic() >= look
                    if everybody:
                        look = time.monotonic() + POLL_SECONDS
                    self._give_turns(pool, lease, ended, everybody)
                    self._wake.wait(self._pause(look))
            finally:
                ended.set()
                for course in [*self._courses.values()]:
                    if subscriber := course.subscriber:
                        subscriber.cut()

    def _pause(self, look: float) -> float:
        """Seconds until somebody is due."""
        now = time.monotonic()
        waiting = [course.due for course in self._courses.values() if course.due > now and not course.running]
        return max(0.0, min([look, *waiting]) - now)

    def _give_turns(self, pool: ThreadPoolExecutor, lease: Lease, ended: Event, everybody: bool) -> None:
        rows = self._repository.subscribed()
        found = self._repository.find_many(TYPE, [row.id for row in rows if not row.gone])
        with self._lock:
            news, self._news = self._news, set()
        self._courses = {row.queue: self._courses.get(row.queue) or Course() for row in rows}
        for row in rows:
            course, stored = self._courses[row.queue], found.get(row.id)
            if course.running:
                continue
            if row.gone:
                self._start(pool, row, course, lambda row=row: self._repository.forget(row.queue))  # type: ignore[misc]
            elif stored is not None and self._wants(row, course, stored, everybody or row.queue in news):
                turn = Turn(self._repository, self._site, row, course, lambda: _goes_on(lease, ended))
                self._start(pool, row, course, turn.take)

    def _wants(self, row: Row, course: Course, stored: Stored, look: bool) -> bool:
        """Whether a subscription has something to do now."""
        if stored.version != course.version:
            course.due, course.failures = 0.0, 0
        status = stored.raw.get("status")
        if stored.deleted or status == "off" or course.due > time.monotonic():
            return False
        over = row.end is not None and row.end <= self._repository.clock()
        if status == "requested" or over or not row.criteria:
            return True
        return (look or course.due > 0) and (status == "error" or self._repository.notifications.waiting(row.queue))

    def _start(self, pool: ThreadPoolExecutor, row: Row, course: Course, work: Callable[[], None]) -> None:
        course.running = True
        pool.submit(work).add_done_callback(lambda future: self._ended(row, course, future))

    def _ended(self, row: Row, course: Course, future: "Future[None]") -> None:
        error = future.exception()
        if error is not None and not isinstance(error, VersionConflict | Busy):
            # Of the store, or a fault of ours: nobody else is to suffer from it, and its text could hold anything.
            log.event("subscription.interrupted", level=logging.ERROR, subscription=row.id, error=type(error).__name__)
            course.due = time.monotonic() + POLL_SECONDS
        course.running = False
        self.told({row.queue})


def _goes_on(lease: Lease, ended: Event) -> bool:
    """Whether this process still delivers. The store is asked, because one that was stopped for a while has no other way to know."""
    if ended.is_set():
        return False
    try:
        lease.check()
    except Busy:
        return False
    return True
