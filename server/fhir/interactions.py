"""The interactions, each a function (request, repository, names in the path) → Answer. http://hl7.org/fhir/R4/http.html"""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from adapter.clock import instant
from adapter.errors import Invalid, NotFound
from adapter.fhir.bundle import weak_etag
from adapter.fhir.resource import Raw, dumps
from adapter.store import search, timeline
from adapter.store.dates import BEGIN, span
from adapter.store.documents import Stored
from adapter.store.repository import Repository
from adapter.store.search_parameters import parameters, table
from server.fhir import headers, writes
from server.fhir.messages import Answer, Request, bundle, entry

_FORM = "application/x-www-form-urlencoded"
_HISTORY_PARAMS = {"_count", "_since", "_cursor", "_format", "_pretty"}


def read(request: Request, repository: Repository, type: str, id: str) -> Answer:
    """The current version as it is stored, or 304 where the caller has it."""
    parameters(type)
    return _unless_known(request, Answer.of(repository.read(type, id)))


def vread(request: Request, repository: Repository, type: str, id: str, version: str) -> Answer:
    """One version as it was stored, or 304 where the caller has it."""
    parameters(type)
    if not _is_number(version):
        raise NotFound(f"There is no such version of this {type}.")
    return _unless_known(request, Answer.of(repository.vread(type, id, int(version))))


def _unless_known(request: Request, answer: Answer) -> Answer:
    return Answer(304, None, answer.version, answer.updated) if headers.unchanged(request, answer) else answer


def create(request: Request, repository: Repository, type: str) -> Answer:
    """201 and the new resource; with If-None-Exist, 200 and the one that was there."""
    headers.check_content(request)
    raw, criteria = request.resource(), request.header("if-none-exist")
    [(write, stored)] = writes.settle(repository, lambda: [writes.create(repository, type, raw, criteria, request.base)])
    return told(request, write, stored)


def update(request: Request, repository: Repository, type: str, id: str) -> Answer:
    """200 and the new version, 201 where there was none."""
    headers.check_content(request)
    raw, expected = request.resource(), headers.if_match(request)
    [(write, stored)] = writes.settle(repository, lambda: [writes.update(repository, type, id, raw, expected)])
    return told(request, write, stored)


def delete(request: Request, repository: Repository, type: str, id: str) -> Answer:
    """204, whether or not there was anything to delete."""
    expected = headers.if_match(request)
    [(write, stored)] = writes.settle(repository, lambda: [writes.delete(repository, type, id, expected)])
    return told(request, write, stored)


def told(request: Request, write: writes.Write, stored: Stored) -> Answer:
    """The answer to a write, in the form the caller prefers."""
    if write.raw is None:
        return Answer(204, None, stored.version or None)
    status = 201 if write.creates else 200
    wanted = headers.prefer(request, "return")
    text: str | None = stored.text
    if wanted == "minimal":
        text = None
    elif wanted == "OperationOutcome":
        text = dumps(_note("Created." if write.creates else "It is stored."))
    location = f"{stored.type}/{stored.id}/_history/{stored.version}"
    return Answer(status, text, stored.version, stored.updated, location if write.creates or write.found else None)


def find(request: Request, repository: Repository, type: str) -> Answer:
    """A page of a search, as a searchset Bundle."""
    params = list(request.params)
    if request.method == "POST":
        headers.check_content(request, _FORM)
        params += _form(request)
    strict = headers.prefer(request, "handling") != "lenient"
    query = search.parse(type, params, strict=strict, base=request.base)
    repository.collection(type)
    result = search.run(repository.database, query)
    entries = [_found(request.base, row, "match") for row in result.rows]
    entries += [_found(request.base, row, "include") for row in result.included]
    if query.ignored:
        note = _note(f"These parameters are not known here and were left out: {', '.join(query.ignored)}.", "warning")
        entries.append(entry({}, dumps(note), {"search": {"mode": "outcome"}}))
    kept = [(name, value) for name, value in params if name not in query.ignored]
    return Answer(200, bundle("searchset", entries, links=_links(request.base, type, kept, result.cursor), total=result.total))


def history_instance(request: Request, repository: Repository, type: str, id: str) -> Answer:
    """The versions of one resource, newest first, deletions included."""
    parameters(type)
    since, count, cursor = _history_params(request)
    if cursor is not None and not _is_number(cursor):
        raise Invalid("The parameter _cursor is not one of a next link.", expression=["_cursor"])
    versions = [stored for stored in repository.versions(type, id) if stored.updated >= since]
    behind = [stored for stored in versions if cursor is None or stored.version < int(cursor)]
    shown = behind[:count]
    following = str(shown[-1].version) if len(behind) > len(shown) else None
    return Answer(200, _history(request, f"{type}/{id}/_history", shown, following, len(versions)))


def history_type(request: Request, repository: Repository, type: str) -> Answer:
    """What changed in a type, newest first."""
    parameters(type)
    return _changes(request, repository, f"{type}/_history", [type])


def history_system(request: Request, repository: Repository) -> Answer:
    """What changed in anything, newest first."""
    return _changes(request, repository, "_history", [type for type in repository.types() if type in table()])


def _changes(request: Request, repository: Repository, path: str, types: Sequence[str]) -> Answer:
    since, count, cursor = _history_params(request)
    for type in types:
        repository.collection(type)
    page = timeline.page(repository.database, types, since=since, count=count, cursor=cursor)
    return Answer(200, _history(request, path, page.versions, page.cursor, None))


def _history_params(request: Request) -> tuple[datetime, int, str | None]:
    for name, _ in request.params:
        if name not in _HISTORY_PARAMS:
            raise Invalid("A history has the parameters _since and _count only.")
    since, count = request.param("_since"), request.param("_count") or str(search.DEFAULT_COUNT)
    moment = span(since.replace(" ", "+")) if since else (BEGIN, BEGIN)
    if moment is None:
        raise Invalid("_since needs an instant.", expression=["_since"])
    if not _is_number(count):
        raise Invalid("_count needs a whole number that is not negative.", expression=["_count"])
    return moment[0], min(int(count) or search.DEFAULT_COUNT, search.MAX_COUNT), request.param("_cursor")


def _history(request: Request, path: str, versions: Sequence[Stored], cursor: str | None, total: int | None) -> str:
    entries = [_version(request.base, stored) for stored in versions]
    return bundle("history", entries, links=_links(request.base, path, request.params, cursor), total=total)


def _version(base: str, stored: Stored) -> str:
    method, status = ("DELETE", 204) if stored.deleted else ("POST", 201) if stored.version == 1 else ("PUT", 200)
    url = stored.type if method == "POST" else stored.reference
    after = {"request": {"method": method, "url": url}, "response": response(Answer.of(stored, status))}
    return entry({"fullUrl": f"{base}/{stored.reference}"}, stored.text or None, after)


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


def _found(base: str, row: search.Row, mode: str) -> str:
    return entry({"fullUrl": f"{base}/{row.type}/{row.id}"}, row.text, {"search": {"mode": mode}})


def _links(base: str, path: str, params: Sequence[tuple[str, str]], cursor: str | None) -> dict[str, str]:
    here = f"{base}/{path}"
    links = {"self": f"{here}?{urlencode(params)}" if params else here}
    if cursor:
        rest = [(name, value) for name, value in params if name != "_cursor"]
        links["next"] = f"{here}?{urlencode([*rest, ('_cursor', cursor)])}"
    return links


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _form(request: Request) -> list[tuple[str, str]]:
    try:
        return parse_qsl(request.body.decode() if isinstance(request.body, bytes) else "", keep_blank_values=True)
    except ValueError:
        raise Invalid("The form in the body is not UTF-8.") from None


def _note(text: str, severity: str = "information") -> Raw:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "informational", "diagnostics": text}]}
