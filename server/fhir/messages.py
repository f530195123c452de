"""A FHIR request and its answer, as values: the same for HTTP and for an entry of a Bundle."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlencode

from adapter.clock import instant
from adapter.errors import Invalid
from adapter.fhir.bundle import weak_etag
from adapter.fhir.resource import Raw, dumps, parse_resource
from adapter.store.cost import Costs
from adapter.store.documents import Document, Stored
from adapter.store.query import Query
from adapter.store.rows import Row
from adapter.store.sight import Sight
from server.auth.grant import UNLIMITED, Grant
from server.fhir.sealed import Seal
from server.fhir.sizes import check_depth
from server.reply import Stream

ABSENT = -1
"""Where a version is expected: there must be none yet."""


@dataclass(frozen=True)
class Request:
    """What is asked. `base` is the address of this server's FHIR endpoint as the caller sees it; header names are in lower case."""

    method: str
    path: str
    base: str
    params: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Raw = b""
    handling: str = "strict"
    """What a search does with parameters that are not known, where the caller has no preference: strict or lenient."""
    integrity: bool = False
    """Whether a write must leave no reference to what is not here."""
    subscribers: Sequence[str] = ()
    """The URLs under which notifications may be sent, besides this machine."""
    sight: Sight | None = None
    """What whoever asks may see of what is stored; None for everything."""
    grant: Grant = UNLIMITED
    """What whoever asks may do."""
    acts_as: str | None = None
    """Whom the person who asks is in the record, empty where they are not in it: they act as nobody else. None where it is no person."""
    asker: str | None = None
    """Who asks, where that is known."""
    owns: Document | None = None
    """Who asks, as it is kept with what belongs to them alone; None where nobody is asked who they are."""
    costs: Costs | None = None
    """What its searches may cost; None for whatever they do."""
    seal: Seal | None = None
    """By which the links of a search keep what they say to themselves; None for in clear."""
    counted: Callable[[int], None] | None = None
    """Told of how many requests it is, where that is more than one, before they are carried out: what fails has cost as much."""

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())

    def resource(self) -> Raw:
        """The resource in the body. Raises Invalid."""
        if not self.body:
            raise Invalid("There is no resource in the body.")
        if not isinstance(self.body, bytes):
            return self.body
        raw = parse_resource(self.body)
        check_depth(raw)
        return raw

    @property
    def owner(self) -> str | None:
        """Whose an export is that is asked for here; None where nobody is asked who they are."""
        return self.asker or (self.sight.name if self.sight else None)

    def searched(self, query: Query, *, whole: bool = False) -> Query:
        """The search of what is granted; `whole`: all that it finds is read. Raises Forbidden, and TooCostly."""
        granted = self.grant.narrowed(query)
        if self.costs:
            self.costs.check(granted, whole=whole)
        return granted

    def param(self, name: str) -> str | None:
        """The last value given for a parameter."""
        return next((value for key, value in reversed(self.params) if key == name), None)


@dataclass(frozen=True)
class Answer:
    """What is answered. `text` is a FHIR resource as JSON, None for no body; `location` is relative to the base."""

    status: int
    text: str | None = None
    version: int | None = None
    updated: datetime | None = None
    location: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """More of them than follow from the rest."""
    stream: Stream | None = None
    """Instead of `text`: what is answered is no resource, and `headers` say what it is."""
    tells: Sequence[str] = ()
    """Resources that are told in a form from which they cannot be read, as `Type/id`."""
    purpose: str | None = None
    """What it is told for, where that was said: a kind of that for which the asker is registered."""

    @staticmethod
    def of(stored: Stored | Row, status: int = 200) -> "Answer":
        """A version of a resource, as it is stored."""
        return Answer(status, stored.text or None, stored.version, stored.updated)


def bundle(kind: str, entries: Sequence[str], *, links: Mapping[str, str] | None = None, total: int | None = None) -> str:
    """The text of a Bundle around entries that are JSON text already: nothing that is stored as text is parsed to be answered."""
    head: Raw = {"resourceType": "Bundle", "type": kind}
    if total is not None:
        head["total"] = total
    if links:
        head["link"] = [{"relation": relation, "url": url} for relation, url in links.items()]
    # FHIR has no empty lists.
    return dumps(head) if not entries else f'{dumps(head)[:-1]},"entry":[{",".join(entries)}]}}'


def entry(before: Raw, text: str | None, after: Raw) -> str:
    """The text of a Bundle's entry: what comes before the resource, the resource's own text, and what comes after."""
    parts = [dumps(before)[1:-1], f'"resource":{text}' if text else "", dumps(after)[1:-1]]
    return f"{{{','.join(filter(None, parts))}}}"


def response(answer: Answer) -> Raw:
    """The `response` of a Bundle's entry."""
    found: Raw = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    if answer.location is not None:
        found["location"] = answer.location
    if answer.version is not None:
        found["etag"] = weak_etag(str(answer.version))
    if answer.updated is not None:
        found["lastModified"] = instant(answer.updated)
    return found


def page_links(base: str, path: str, params: Sequence[tuple[str, str]], cursor: str | None) -> dict[str, str]:
    """A page's `self` and, where there is more, its `next`."""
    here = f"{base}/{path}"
    links = {"self": f"{here}?{urlencode(params)}" if params else here}
    if cursor:
        rest = [(name, value) for name, value in params if name != "_cursor"]
        links["next"] = f"{here}?{urlencode([*rest, ('_cursor', cursor)])}"
    return links


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
