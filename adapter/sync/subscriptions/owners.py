"""What is told to whom a Subscription belongs: decided by their sight at the moment at which it is told, and written down before."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from pymongo.database import Database

from adapter.access import whose
from adapter.audit.event import TYPE as AUDIT_EVENT
from adapter.audit.event import Asker, audit_event
from adapter.audit.event import Told as Answer
from adapter.clock import instant
from adapter.errors import Gone, NotFound
from adapter.fhir import references
from adapter.store.documents import Change, Document, Stored
from adapter.store.notifications import DELETE, Notification
from adapter.store.repository import Repository
from adapter.store.seen import seen_by
from adapter.store.sight import Sight
from adapter.store.state import State
from adapter.store.subscriptions import TYPE

INTERACTION = "notification"
# One AuditEvent names so many patients at most.
_AT_ONCE = 1000
Shows = Callable[[str, str, str, datetime], bool]
"""Whether a version may be shown: its type, id, text, and when it was made."""


@dataclass(frozen=True)
class Standing:
    """Somebody to whom a Subscription belongs, as they stand at a moment."""

    by: Asker
    sight: Sight | None = None
    """What they see; None for everything."""
    shows: Shows = field(default=lambda *_: True)
    """What they are granted."""
    rule: str | None = None
    """By which rule they see it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else the account says of them."""


Owners = Callable[[Document, str], Standing]
"""How the owner of a Subscription stands now, who is to be told of a type. Raises Forbidden, with the reason, for who is to be told nothing
more."""


def operator(database: Database[Document]) -> Standing | None:
    """How the operator stands, to whom belongs what was written where nobody is asked who they are; None where there is no account that it
    could be written in, since nobody is registered."""
    state = State(database)
    registered = any(True for kind in ("clients", "users") for _ in state.all(kind, {"disabled": False}))
    return Standing(Asker(), rule="operator: everybody") if registered else None


@dataclass(frozen=True)
class Told:
    """What a notification tells."""

    text: str
    """The resource as a read would answer it; empty for a deletion, and for what is not there any more."""
    patients: tuple[str, ...]
    """Whom it is about or names, as `Patient/x`."""


def told(repository: Repository, standing: Standing | None, notification: Notification) -> Told | None:
    """What a notification tells somebody who stands so, or the operator; None where it is of what they do not see now.

    Of a deletion who could see what it was until then is told, if a history tells them of it.
    """
    if standing is None or standing.sight is None:
        stored = _version(repository, notification)
        return _as_told(notification, stored) if stored else Told("", ())
    seen = seen_by(repository, standing.sight)
    if notification.event == DELETE and not _tells_of(seen, notification):
        return None
    stored = _version(seen, notification)
    if stored is None or not standing.shows(stored.type, stored.id, stored.text, stored.updated):
        return None
    return _as_told(notification, stored)


def account(standing: Standing, id: str, to: str, notification: Notification, told: Told, moment: datetime) -> Iterator[Change]:
    """The AuditEvents of a notification to the owner of the Subscription with this id, at the address `to`. None for one that tells of an
    AuditEvent: that would tell of itself."""
    if notification.type == AUDIT_EVENT:
        return
    by = standing.by if standing.by.client else replace(standing.by, client=to)
    answer = Answer([notification.reference], 1, standing.rule, {**standing.facts, "event": notification.event, "to": to})
    about = [] if notification.type == whose.PATIENT else [f"{notification.reference}/_history/{notification.version}"]
    for start in range(0, max(1, len(told.patients)), _AT_ONCE):
        patients = told.patients[start : start + _AT_ONCE]
        raw = audit_event(INTERACTION, by, instant(moment), patients=patients, targets=[f"{TYPE}/{id}", *about], told=answer)
        yield Change(AUDIT_EVENT, str(uuid4()), raw, 0)


def _version(repository: Repository, notification: Notification) -> Stored | None:
    """The version that a notification is about; of a deletion, the one before it."""
    try:
        return repository.vread(notification.type, notification.id, notification.version - (notification.event == DELETE))
    except (NotFound, Gone):
        return None


def _tells_of(seen: Repository, notification: Notification) -> bool:
    """Whether a history tells of a deletion."""
    try:
        seen.vread(notification.type, notification.id, notification.version)
    except Gone:
        return True
    except NotFound:
        pass
    return False


def _as_told(notification: Notification, stored: Stored) -> Told:
    named = (references.split(each["reference"]) for each in references.walk(stored.raw))
    people = {f"{found[0]}/{found[1]}" for found in named if found and found[0] == whose.PATIENT}
    return Told(
        "" if notification.event == DELETE else stored.text, tuple(sorted({*whose.read(stored.whose), *whose.owners(stored.raw), *people}))
    )
