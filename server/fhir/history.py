"""The versions of a resource, of a type and of everything. http://hl7.org/fhir/R4/http.html#history"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapter.errors import Invalid, NotFound
from adapter.fhir.dates import BEGIN, Span, span
from adapter.store import search, timeline
from adapter.store.documents import Stored
from adapter.store.repository import Repository
from adapter.store.search_parameters import parameters, table
from server.fhir import headers
from server.fhir.messages import Answer, Request, bundle, entry, is_number, page_links, response

_PARAMS = headers.SHAPING | {"_at", "_count", "_cursor", "_since"}


@dataclass(frozen=True)
class _Asked:
    since: datetime
    at: Span | None
    count: int
    cursor: str | None


def of_instance(request: Request, repository: Repository, type: str, id: str) -> Answer:
    """The versions of one resource, newest first, deletions included. Raises NotFound."""
    parameters(type)
    asked = _asked(request)
    if asked.cursor is not None and not is_number(asked.cursor):
        raise Invalid("The parameter _cursor is not one of a next link.", expression=["_cursor"])
    newest = repository.find(type, id)
    if newest is None:
        raise NotFound(f"There is no {type} with this id.")
    below = int(asked.cursor) if asked.cursor else None
    if not request.grant.shows(type, id, newest.text, newest.updated):
        raise NotFound(f"There is no {type} with this id.")
    shows, whole = _shows(request, [type]), request.sight is None
    page = timeline.page_of(
        repository.database, newest, since=asked.since, at=asked.at, count=asked.count, below=below, shows=shows, whole=whole
    )
    return _told(request, f"{type}/{id}/_history", page)


def of_type(request: Request, repository: Repository, type: str) -> Answer:
    """What changed in a type, newest first."""
    parameters(type)
    return _changes(request, repository, f"{type}/_history", [type])


def of_system(request: Request, repository: Repository) -> Answer:
    """What changed in anything, newest first."""
    granted = [type for type in repository.types() if type in table() and request.grant.conditions(type, "s") is not None]
    return _changes(request, repository, "_history", granted)


def _changes(request: Request, repository: Repository, path: str, types: Sequence[str]) -> Answer:
    asked = _asked(request)
    for type in types:
        repository.collection(type)
    shows = _shows(request, types)
    page = timeline.page(repository.database, types, since=asked.since, at=asked.at, count=asked.count, cursor=asked.cursor, shows=shows)
    return _told(request, path, page)


def _shows(request: Request, types: Iterable[str]) -> timeline.Shows | None:
    """Whether a version is granted; None where all of these types are."""
    grant = request.grant
    if all(grant.conditions(type, "rs") == () for type in types):
        return None
    return lambda stored: grant.shows(stored.type, stored.id, stored.text, stored.updated)


def _asked(request: Request) -> _Asked:
    for name, _ in request.params:
        if name not in _PARAMS:
            raise Invalid("A history has the parameters _since, _at and _count only.")
    since, at = _moment(request, "_since"), _moment(request, "_at")
    count = request.param("_count") or str(search.DEFAULT_COUNT)
    if not is_number(count):
        raise Invalid("_count needs a whole number that is not negative.", expression=["_count"])
    within = min(int(count) or search.DEFAULT_COUNT, search.MAX_COUNT)
    return _Asked(since[0] if since else BEGIN, at, within, request.param("_cursor"))


def _moment(request: Request, name: str) -> Span | None:
    text = request.param(name)
    if not text:
        return None
    # A plus sign that the client did not escape has come here as a space.
    found = span(text.replace(" ", "+"))
    if found is None:
        raise Invalid(f"{name} needs a date or an instant.", expression=[name])
    return found


def _told(request: Request, path: str, page: timeline.Page) -> Answer:
    links = page_links(request.base, path, request.params, page.cursor)
    entries = [_version(request.base, stored) for stored in page.versions]
    return Answer(200, bundle("history", entries, links=links, total=page.total))


def _version(base: str, stored: Stored) -> str:
    method, status = _made(stored)
    url = stored.type if method == "POST" else stored.reference
    after = {"request": {"method": method, "url": url}, "response": response(Answer.of(stored, status))}
    return entry({"fullUrl": f"{base}/{stored.reference}"}, stored.text or None, after)


def _made(stored: Stored) -> tuple[str, int]:
    """How a version came to be: the method, and the status it was answered with. A patch is an update of the whole resource."""
    if stored.deleted:
        return "DELETE", 204
    if stored.put:
        return "PUT", 201
    return ("POST", 201) if stored.version == 1 else ("PUT", 200)
