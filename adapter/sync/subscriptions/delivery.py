"""What a subscriber is sent, and what its answers do to its Subscription. http://hl7.org/fhir/R4/subscription.html

Without a payload each notification is an empty POST to the endpoint. With one the endpoint is the base of a FHIR service: the resource is
put there, and deleted there. docs/subscriptions.md is the contract.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from http import HTTPStatus

from adapter import log
from adapter.errors import CasebridgeError, Forbidden, Invalid, RemoteError, RemoteGone, RemoteTemporary, VersionConflict
from adapter.fhir.resource import Raw
from adapter.fhir.retry import RetryPolicy
from adapter.store.documents import Change, Stored
from adapter.store.notifications import DELETE, Notification
from adapter.store.repository import Repository
from adapter.store.subscriptions import TYPE, Row, Subscription, query, read
from adapter.sync.subscriptions import endpoints, owners, signature
from adapter.sync.subscriptions.owners import Owners, Standing
from adapter.sync.subscriptions.subscriber import Answer, Subscriber

ENDED = "Its end has passed."
# After so many notifications others have their turn.
_TURN = 100
_LONGEST_WAIT = timedelta(days=1).total_seconds()
# So often the wait is doubled; the longest is reached long before.
_DOUBLINGS = 30
_FHIR_JSON = ("Content-Type", "application/fhir+json")


@dataclass(frozen=True)
class Site:
    """How this site delivers."""

    key: bytes = field(repr=False)
    """What the secrets are derived from; see signature.site_key."""
    named: tuple[str, ...] = ()
    """The URLs under which subscribers may be, besides this machine."""
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(base=1.0, cap=300.0))
    patience: float = 15.0
    """How many seconds one request may take."""
    owners: Owners | None = None
    """Says how those stand to whom Subscriptions belong. Without, only the operator's own are told."""


@dataclass
class Course:
    """How it goes with one subscription, as far as this process remembers."""

    failures: int = 0
    due: float = 0.0
    """Before that moment, by time.monotonic(), it is not tried again."""
    version: int = 0
    """The version of the Subscription that this is about: a newer one is somebody's wish to be tried at once."""
    running: bool = False
    subscriber: Subscriber | None = None


class Turn:
    """One subscription's turn: what it is owed, in order, as far as it takes it."""

    def __init__(self, repository: Repository, site: Site, row: Row, course: Course, may_go_on: Callable[[], bool]) -> None:
        """`may_go_on` says, before each request, whether this process is still the one that delivers."""
        self._repository, self._site, self._row, self._course, self._may_go_on = repository, site, row, course, may_go_on
        self._secret = signature.secret(site.key, row.queue)
        self._stored: Stored
        self._standing: Standing | None = None

    def take(self) -> None:
        """Have the turn. Raises VersionConflict where the Subscription is changed meanwhile: then it is looked at anew."""
        stored = self._repository.find(TYPE, self._row.id)
        # Read after it, so that its owner is who wrote this version or a later one: a later one ends the turn.
        row = next((row for row in self._repository.subscribed() if row.queue == self._row.queue and not row.gone), None)
        if stored is None or stored.deleted or row is None or not self._may_go_on():
            return
        self._stored, self._row = stored, row
        self._course.version, self._course.due = stored.version, 0.0
        try:
            asked = read(stored.raw)
        except Invalid as error:
            self._mark("off", error.text)
            return
        if asked.status == "off":
            return
        if asked.end is not None and asked.end <= self._repository.clock():
            self._mark("off", ENDED)
            return
        try:
            if not self._owner_may(asked):
                return
            endpoints.check(asked.endpoint, payload=asked.payload, named=self._site.named, operators=self._row.owner is None)
            with self._connected(asked) as subscriber:
                if asked.status == "requested":
                    self._shake_hands(asked, subscriber)
                self._deliver(asked, subscriber)
        except RemoteGone as error:
            self._failed("off", error)
        except (RemoteTemporary, Forbidden, Invalid) as error:
            self._failed("requested" if self._status == "requested" else "error", error)

    @property
    def _status(self) -> str:
        return str(self._stored.raw["status"])

    @contextmanager
    def _connected(self, asked: Subscription) -> Iterator[Subscriber]:
        with Subscriber(asked.endpoint, self._site.patience, self._repository.clock) as subscriber:
            self._course.subscriber = subscriber
            try:
                yield subscriber
            finally:
                self._course.subscriber = None

    def _shake_hands(self, asked: Subscription, subscriber: Subscriber) -> None:
        method, under = ("GET", "metadata") if asked.payload else ("POST", "")
        _judge(self._send(subscriber, asked, method, under, f"handshake/{self._stored.version}", b""))
        self._mark("active")
        log.event("subscription.active", subscription=self._row.id)

    def _deliver(self, asked: Subscription, subscriber: Subscriber) -> None:
        for notification in self._repository.notifications.oldest(self._row.queue, _TURN):
            if not self._may_go_on():
                return
            self._check_unchanged()
            if not self._owner_may(asked):
                return
            told = owners.told(self._repository, self._standing, notification)
            if told is not None:
                self._write_down(notification, told, asked)
                self._tell(notification, told, asked, subscriber)
            self._repository.notifications.drop(notification)
            if told is None:
                continue
            self._go_well()
        if self._status == "error" and not self._repository.notifications.waiting(self._row.queue):
            # What was not taken is not to be told any more.
            self._go_well()

    def _go_well(self) -> None:
        self._course.failures = 0
        if self._status != "active":
            self._mark("active")

    def _owner_may(self, asked: Subscription) -> bool:
        """Whether whoever it belongs to may be told anything, as they stand now; it is ended where they may not be any more."""
        owner, standing = self._row.owner, self._site.owners
        if owner is None:
            self._standing = owners.operator(self._repository.database)
            return True
        if standing is None:
            return False
        try:
            self._standing = standing(owner, query(asked.criteria).type)
        except Forbidden as error:
            log.event("subscription.ended", level=logging.WARNING, subscription=self._row.id)
            self._mark("off", error.text)
            return False
        return True

    def _write_down(self, notification: Notification, told: owners.Told, asked: Subscription) -> None:
        """Write down once for an address, before anything is sent there, whom a notification tells of what."""
        # Of the endpoint's path nothing is written down: it can hold a secret.
        to = log.safe_origin(asked.endpoint)
        if self._standing is None or notification.accounted == to:
            return
        events = [*owners.account(self._standing, self._row.id, to, notification, told, self._repository.clock())]
        if events:
            self._repository.commit(events, also=partial(self._repository.notifications.account, notification, to))

    def _check_unchanged(self) -> None:
        now = self._repository.find(TYPE, self._row.id)
        if now is None or now.version != self._stored.version:
            raise VersionConflict("The Subscription was changed.")

    def _tell(self, notification: Notification, told: owners.Told, asked: Subscription, subscriber: Subscriber) -> None:
        """Send a notification. Raises RemoteGone, RemoteTemporary."""
        about = f"{notification.event}/{notification.reference}/{notification.version}"
        if not asked.payload:
            _judge(self._send(subscriber, asked, "POST", "", about, b""))
        elif notification.event == DELETE:
            _judge(self._send(subscriber, asked, "DELETE", notification.reference, about, b""), deletion=True)
        elif told.text:
            _judge(self._send(subscriber, asked, "PUT", notification.reference, about, told.text.encode()))
        else:
            log.event("subscription.lost", level=logging.ERROR, subscription=self._row.id, about=notification.reference)
        log.event("subscription.told", level=logging.DEBUG, subscription=self._row.id, about=about)

    def _send(self, subscriber: Subscriber, asked: Subscription, method: str, under: str, about: str, body: bytes) -> Answer:
        # The standard parts what is signed with full stops, so there is none in an id.
        id = f"{self._row.id}/{about}".replace(".", "%2E")
        signed = signature.headers(self._secret, id, self._repository.clock(), body)
        return subscriber.send(method, under, [*asked.headers, *signed.items(), *([_FHIR_JSON] if body else [])], body)

    def _failed(self, status: str, error: CasebridgeError) -> None:
        if not self._may_go_on():
            return
        course = self._course
        course.failures += 1
        asked = (error.retry_after or 0.0) if isinstance(error, RemoteTemporary) else 0.0
        wait = max(self._site.retry.wait(min(course.failures, _DOUBLINGS)), min(asked, _LONGEST_WAIT))
        course.due = time.monotonic() + wait
        answer = error.http_status if isinstance(error, RemoteError) else None
        log.event(
            "subscription.failed", level=logging.WARNING, subscription=self._row.id, status=status, answer=answer, wait=round(wait, 1)
        )
        self._mark(status, error.text)

    def _mark(self, status: str, error: str | None = None) -> None:
        """Give the Subscription that status and error. Raises VersionConflict where somebody changed it meanwhile."""
        raw = with_status(self._stored.raw, status, error)
        [self._stored] = self._repository.commit([Change(TYPE, self._row.id, raw, self._stored.version)])
        self._course.version = self._stored.version


def with_status(raw: Raw, status: str, error: str | None = None) -> Raw:
    """The Subscription with that status, and that error or none."""
    rest = {name: value for name, value in raw.items() if name not in ("error", "_error", "_status")}
    return {**rest, "status": status, **({"error": error} if error else {})}


def _judge(answer: Answer, *, deletion: bool = False) -> None:
    """Raise RemoteGone where the subscriber wants no more, RemoteTemporary where it did not take what it was sent."""
    status = answer.status
    if 200 <= status < 300 or (deletion and status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)):
        # What is to be deleted there and is not there needs no more telling.
        return
    if status == HTTPStatus.GONE:
        raise RemoteGone("The endpoint answered 410: it wants no more notifications.", http_status=status)
    text = f"The endpoint redirects ({status}), which is not followed." if 300 <= status < 400 else f"The endpoint answered {status}."
    raise RemoteTemporary(text, http_status=status, retry_after=answer.retry_after)
