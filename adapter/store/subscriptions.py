"""Which Subscriptions there are, and what they are told of a change: judged in the transaction that makes it. http://hl7.org/fhir/R4/subscription.html

The register, one document in `state`, has a row for each Subscription, so that a write needs no query of its own to find them. A row
follows from the resource alone and is written with it. A Subscription is told from the next transaction on.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl

from pymongo.database import Database

from adapter.access.policy import policy_for
from adapter.access.viewer import Viewer
from adapter.errors import CasebridgeError, Invalid, NotFound
from adapter.fhir.resource import Raw, check_structure
from adapter.store.documents import Document, Stored
from adapter.store.matching import candidate, matches
from adapter.store.notifications import DELETE, Notification
from adapter.store.query import CONTROLS, Chain, Coded, Has, Listed, Query, parse
from adapter.store.search_parameters import parameters

TYPE = "Subscription"
REGISTER = "subscriptions"
"""The id of the register."""
JSON = ("application/fhir+json", "application/json")
"""The payloads that are served."""

Made = tuple[Stored | None, Stored]
"""A version that was made, and the one before it."""

# All criteria are in one document, which every write reads.
_LONGEST = 4000
# R4's own example of criteria has _format: how an answer would look says nothing of what is found.
_SHAPING = ("_format", "_pretty")
_JOINS = {Chain: "A chain", Has: "_has", Listed: "_list", Coded: "A token with :in, :not-in, :above or :below"}
# What extends these changes what is meant, such as the filters and the kinds of payload of R5's backport.
_EXTENDED = {"": ("_criteria", "modifierExtension"), ".channel": ("_endpoint", "_header", "_payload", "_type", "modifierExtension")}
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)")
_OURS = re.compile(r"host|content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-.*|webhook-.*", re.IGNORECASE)


@dataclass(frozen=True)
class Subscription:
    """What a Subscription that can be served asks for."""

    status: str
    error: str | None
    criteria: str
    endpoint: str
    payload: bool
    """Whether the resource itself is sent."""
    headers: tuple[tuple[str, str], ...]
    """Names and values that are sent with each request; they can be secrets of the subscriber."""
    end: datetime | None


@dataclass(frozen=True)
class Row:
    """A Subscription in the register."""

    id: str
    queue: str
    """The name of its queue. A Subscription that is made anew under the id of a deleted one has another."""
    criteria: str = ""
    end: datetime | None = None
    told: bool = False
    """Whether it is told of changes: while it is on, and while its owner has paused it."""
    gone: bool = False
    """Whether the Subscription was deleted, and its queue is yet to be dropped."""
    owner: Document | None = None
    """Who wrote it, as whoever let them in described them: `name`, `role_name`, perhaps `organisation`, and more. None for who was not
    asked who they are: it is the operator's own."""


def read(raw: Raw) -> Subscription:
    """What a Subscription asks for. Raises Invalid, naming the element, for one that cannot be served. Its endpoint is not judged."""
    check_structure(raw)
    channel = raw["channel"]
    for place, part in (("", raw), (".channel", channel)):
        if name := next((name for name in _EXTENDED[place] if name in part), None):
            raise _refused("Extensions that change what a Subscription means are not served.", f"{place}.{name.lstrip('_')}")
    if channel["type"] != "rest-hook":
        raise _refused("The only type of channel that is served is rest-hook.", ".channel.type")
    payload = channel.get("payload")
    if payload is not None and payload.partition(";")[0].strip().lower() not in JSON:
        raise _refused(f"The payloads that are served are {' and '.join(JSON)}, and none.", ".channel.payload")
    if "endpoint" not in channel:
        raise _refused("A rest-hook needs an endpoint.", ".channel.endpoint")
    if len(raw["criteria"]) > _LONGEST:
        raise _refused(f"Criteria have at most {_LONGEST} characters.", ".criteria")
    query(raw["criteria"])
    return Subscription(
        status=raw["status"],
        error=raw.get("error"),
        criteria=raw["criteria"],
        endpoint=channel["endpoint"],
        payload=payload is not None,
        headers=tuple(map(_header, channel.get("header", ()))),
        end=_end(raw.get("end")),
    )


def _refused(text: str, element: str) -> Invalid:
    return Invalid(text, expression=[f"{TYPE}{element}"])


@lru_cache(maxsize=1024)
def query(criteria: str) -> Query:
    """The search that criteria such as `Observation?code=29463-7` are. Raises Invalid where the changed resource alone cannot answer it."""
    type, params = _split(criteria)
    try:
        parameters(type)
        if type == TYPE:
            raise Invalid("A Subscription can hold the secrets of another subscriber.")
        pairs = [(name, value) for name, value in parse_qsl(params, keep_blank_values=True) if name not in _SHAPING]
        if any(name in CONTROLS for name, _ in pairs):
            raise Invalid("There is a parameter that says how to answer, not what to find.")
        found = parse(type, pairs)
        if found.joins:
            raise Invalid(f"{_JOINS[found.joins[0].__class__]} asks of other resources, and only the changed resource is looked at.")
    except (Invalid, NotFound) as error:
        raise _refused(f"These criteria are not served. {error.text}", ".criteria") from None
    return found


def _split(criteria: str) -> tuple[str, str]:
    type, _, params = criteria.lstrip("/").partition("?")
    return type, params


def _header(text: object) -> tuple[str, str]:
    found = _HEADER.fullmatch(text.strip(" \t")) if isinstance(text, str) else None
    if found is None:
        raise _refused("A header is written Name: value, in printable ASCII.", ".channel.header")
    if _OURS.fullmatch(found[1]):
        raise _refused("There is a header that this server sets itself.", ".channel.header")
    return found[1], found[2]


def _end(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _refused("The end is not an instant.", ".end")


def rows(register: Document | None) -> tuple[Row, ...]:
    """The rows of the register as it is stored."""
    return tuple(Row(**row) for row in register["rows"]) if register else ()


def register(rows: Iterable[Row]) -> Document:
    """The register as it is stored."""
    return {"rows": [asdict(row) for row in rows]}


def registered(database: Database[Document]) -> tuple[Row, ...]:
    """The rows of the register as they are now."""
    return rows(database["state"].find_one({"_id": REGISTER}, {"_id": 0}))


def owned(database: Database[Document], name: str | None) -> frozenset[str]:
    """The ids of the Subscriptions that belong to who goes by this name; none for who has none."""
    belonging = (row.id for row in registered(database) if row.owner and not row.gone and row.owner["name"] == name)
    return frozenset(belonging) if name else frozenset()


def following(known: tuple[Row, ...], made: Iterable[Made], owners: Mapping[str, Document]) -> tuple[Row, ...]:
    """The rows after these changes; the very same where no Subscription is among them. `owners` are by id those who wrote one."""
    for _, stored in made:
        if stored.type == TYPE:
            mine = next((row for row in known if row.id == stored.id and not row.gone), None)
            row = _row(stored, mine, owners.get(stored.id))
            known = tuple(row if each is mine else each for each in known) if mine else (*known, row)
    return known


def _row(stored: Stored, mine: Row | None, owner: Document | None) -> Row:
    queue, owner = (mine.queue, owner or mine.owner) if mine else (f"{stored.id}/{stored.version}", owner)
    if stored.deleted:
        return Row(stored.id, queue, gone=True)
    try:
        found = read(stored.raw)
    except Invalid:
        # Written past the server's checks, such as by an import: kept as a resource, told of nothing.
        return Row(stored.id, queue, owner=owner)
    # Off with an error is off for good; off without one is a pause, after which nothing is to be missing.
    return Row(stored.id, queue, found.criteria, found.end, told=not (found.status == "off" and found.error), owner=owner)


def due(known: Sequence[Row], made: Iterable[Made]) -> list[Notification]:
    """The notifications of these changes. What was created or updated is judged as it is now; what was deleted, as it was."""
    told = [row for row in known if row.told]
    return [notification for old, stored in made for notification in _due(told, old, stored)] if told else []


def _due(told: Sequence[Row], old: Stored | None, stored: Stored) -> Iterable[Notification]:
    judged = old if stored.deleted else stored
    mine = [row for row in told if _split(row.criteria)[0] == stored.type and (row.end is None or stored.updated < row.end)]
    if not mine or judged is None or judged.deleted:
        return
    event = DELETE if stored.deleted else "create" if old is None or old.deleted else "update"
    seen: dict[frozenset[str], Document] = {}
    for row in mine:
        hidden = _hidden(row.owner, stored.type)
        if hidden is not None:
            shown = seen.get(hidden) or seen.setdefault(hidden, _without(judged, hidden))
            if _meets(row.criteria, shown):
                yield Notification.of(row.queue, stored, event)


def _hidden(owner: Document | None, type: str) -> frozenset[str] | None:
    """By which elements of a type an owner finds nothing, as far as the policy says; None for who is told of nothing at all.

    What criteria find is told, and what they do not find is so too: that an element is missing is said of what is withheld as well.
    """
    if owner is None:
        return frozenset()
    try:
        policy = policy_for(Viewer(owner["role_name"], frozenset(), "", owner.get("organisation")))
    except CasebridgeError:
        # The policy is gone, or cannot be read: no reason to refuse a write.
        return None
    return policy.unfindable(type) if policy.sees(type) else None


def _without(stored: Stored, hidden: frozenset[str]) -> Document:
    raw = {name: value for name, value in stored.raw.items() if name.removeprefix("_") not in hidden} if hidden else stored.raw
    return candidate(stored.id, raw, stored.updated)


def _meets(criteria: str, seen: Document) -> bool:
    try:
        return matches(query(criteria).filter, seen)
    except Invalid:
        # Criteria that another version of this program took: no reason to refuse a write. Their delivery says it of the Subscription.
        return False
