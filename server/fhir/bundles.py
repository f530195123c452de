"""Batch and transaction. http://hl7.org/fhir/R4/http.html#transaction"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import msgspec

from adapter.errors import CasebridgeError, Invalid, MultipleMatches, NotFound
from adapter.fhir.bundle import place
from adapter.fhir.outcome import outcome
from adapter.fhir.resource import Raw, resource_type
from adapter.store.repository import Repository
from adapter.store.search_parameters import table
from server.audit.access import asks, refers, refuses
from server.fhir import headers, interactions, links, writes
from server.fhir.messages import Answer, Request, bundle, entry
from server.fhir.messages import response as response_of
from server.fhir.sizes import check_entries, pairs

Dispatch = Callable[[Request], Answer]

# R4: DELETE first, then POST, PUT and PATCH, then GET, whatever their order in the Bundle.
_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}
_CONDITIONS = {
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
    "ifModifiedSince": "if-modified-since",
    "ifNoneExist": "if-none-exist",
}


@dataclass(frozen=True)
class _Entry:
    number: int
    full_url: str | None
    request: Request
    type: str
    id: str | None


@dataclass(frozen=True)
class _Result:
    """What an entry came to; `problem` is why it was refused."""

    answer: Answer
    problem: Raw | None = None


class _Identity(msgspec.Struct):
    resourceType: str  # noqa: N815 - FHIR's name
    id: str = ""


_IDENTITY = msgspec.json.Decoder(_Identity)


def submit(request: Request, repository: Repository, dispatch: Dispatch) -> Answer:
    """Carry out a Bundle: a batch entry by entry, a transaction wholly or not at all. Raises Invalid for any other."""
    headers.check_content(request)
    raw = request.resource()
    kind = raw.get("type")
    if raw["resourceType"] != "Bundle" or kind not in ("batch", "transaction"):
        raise Invalid("What is posted here must be a Bundle of type batch or transaction.", expression=["Bundle.type"])
    items = raw.get("entry") or []
    if not isinstance(items, list):
        raise Invalid("Bundle.entry is not a list.", expression=["Bundle.entry"])
    check_entries(items)
    if request.counted:
        request.counted(len(items))
    if kind == "batch":
        tried = [_tried(request, number, item, dispatch) for number, item in enumerate(items)]
        return _whole("batch-response", request.base, tried)
    references: set[str] = set()
    try:
        entries = [_at(number, _entry, request, number, item) for number, item in enumerate(items)]
        done = _transaction(request, entries, repository, dispatch, references)
    except CasebridgeError:
        # Nothing of it is written, so nothing else says what was looked for.
        for item in items:
            with suppress(Invalid):
                asks(_request(request, item))
        refers(references)
        raise
    return _whole("transaction-response", request.base, done)


def _whole(kind: str, base: str, results: Sequence[_Result]) -> Answer:
    """The answer to a Bundle. It is for the purpose of an entry's where all are for that one."""
    answers = [result.answer for result in results]
    purposes = {answer.purpose for answer in answers}
    tells = [each for answer in answers for each in answer.tells]
    return Answer(200, bundle(kind, _answered(base, results)), tells=tells, purpose=purposes.pop() if len(purposes) == 1 else None)


def _at(number: int, work: Callable[..., Any], *args: Any) -> Any:
    """Do the work for an entry; what goes wrong names the entry."""
    try:
        return work(*args)
    except CasebridgeError as error:
        error.expression = (f"Bundle.entry[{number}]", *error.expression)
        raise


def _request(request: Request, item: Any) -> Request:
    """What an entry asks. Raises Invalid where it does not say that."""
    asked = item.get("request") if isinstance(item, dict) else None
    if not isinstance(asked, dict) or asked.get("method") not in [*_ORDER] or not isinstance(asked.get("url"), str):
        raise Invalid(f"An entry needs a request with a url and one of the methods {', '.join(_ORDER)}.")
    path, _, query = asked["url"].removeprefix(request.base).lstrip("/").partition("?")
    conditions = {header: asked[name] for name, header in _CONDITIONS.items() if isinstance(asked.get(name), str)}
    handling = headers.prefer(request, "handling") or request.handling
    resource = item.get("resource")
    return replace(
        request,
        method=asked["method"],
        path=path,
        params=pairs(query),
        headers={"prefer": f"return={headers.prefer(request, 'return') or 'minimal'}, handling={handling}", **conditions},
        body=resource if isinstance(resource, dict) else b"",
    )


def _entry(request: Request, number: int, item: Any) -> _Entry:
    inner = _request(request, item)
    if inner.method in ("POST", "PUT"):
        resource_type(inner.resource())
    interactions.check_granted(inner)
    full_url = item.get("fullUrl")
    type, _, id = inner.path.partition("/")
    return _Entry(number, full_url if isinstance(full_url, str) else None, inner, type, id or None)


def _tried(request: Request, number: int, item: Any, dispatch: Dispatch) -> _Result:
    try:
        inner = _at(number, _entry, request, number, item).request
        if not inner.path.strip("/"):
            raise Invalid("A Bundle inside a Bundle is not carried out.")
        return _Result(_at(number, _dispatched, dispatch, inner))
    except CasebridgeError as error:
        asked = item.get("request") if isinstance(item, dict) else None
        return _refused(*((asked.get("method"), asked.get("url")) if isinstance(asked, dict) else (None, None)), request.base, error)


def _dispatched(dispatch: Dispatch, request: Request) -> Answer:
    answer = dispatch(request)
    if answer.stream or "Content-Type" in answer.headers:
        raise Invalid("What is no resource is not answered in a Bundle.")
    return answer


def _refused(method: Any, url: Any, base: str, error: CasebridgeError) -> _Result:
    refuses(str(method or ""), str(url or "").removeprefix(base).lstrip("/"), error)
    return _Result(Answer(error.status), outcome(error))


def _answered(base: str, results: Sequence[_Result]) -> list[str]:
    """The entries of the answer. Each resource has its address, but a version that is told again: R4's bdl-7."""
    told: set[tuple[str, int | None]] = set()
    texts = []
    for result in results:
        answer = result.answer
        before: Raw = {}
        identity = _IDENTITY.decode(answer.text) if answer.text else None
        if identity and identity.id:
            version = f"{identity.resourceType}/{identity.id}", answer.version
            before = {} if version in told else {"fullUrl": f"{base}/{version[0]}"}
            told.add(version)
        response = response_of(answer)
        after = {**response, "outcome": result.problem} if result.problem else response
        texts.append(entry(before, answer.text, {"response": after}))
    return texts


def _transaction(
    request: Request, entries: Sequence[_Entry], repository: Repository, dispatch: Dispatch, references: set[str]
) -> list[_Result]:
    """What the entries came to; `references` gets the conditional ones that are looked up, also where this raises."""
    ordered = sorted(entries, key=lambda item: _ORDER[item.request.method])
    changing = [item for item in ordered if _ORDER[item.request.method] < _ORDER["GET"]]
    done = interactions.settled(request, repository, lambda: _plan(request, changing, repository, references)) if changing else []
    answers = {item.number: interactions.told(item.request, *result) for item, result in zip(changing, done, strict=True)}
    for item, (write, _) in zip(changing, done, strict=True):
        if write.found:
            # What is written is in the account with its transaction.
            asks(item.request)
    if any(write.found for write, _ in done):
        refers(references)
    results = {number: _Result(answer) for number, answer in answers.items()}
    for item in ordered[len(changing) :]:
        try:
            results[item.number] = _Result(_at(item.number, _dispatched, dispatch, item.request))
        except CasebridgeError as error:
            query = urlencode(item.request.params)
            url = f"{item.request.path}{'?' if query else ''}{query}"
            results[item.number] = _refused(item.request.method, url, request.base, error)
    return [results[number] for number in range(len(entries))]


def _plan(request: Request, entries: Sequence[_Entry], repository: Repository, references: set[str]) -> list[writes.Write]:
    """The writes of a transaction, its references resolved. Raises what makes one of them impossible, naming the entry."""
    known = [(item.type, item.id) for item in entries if item.id and item.type in table()]
    plan = writes.Plan(repository, request.base, known, grant=request.grant, costs=request.costs)
    planned = [_at(item.number, interactions.planned, item.request, plan, item.type, item.id) for item in entries]
    names = dict(_names(entries, planned))
    selected: dict[str, str] = {}

    def resolve(text: str) -> str | None:
        if "?" not in text or text.partition("?")[0] not in table():
            return None
        if text not in selected:
            references.add(text)
            request.grant.demand(text.partition("?")[0], "s")
            selected[text] = _selected(plan, text)
        return selected[text]

    def rewritten(write: writes.Write) -> writes.Write:
        raw = None if write.raw is None or write.found else links.rewrite(write.raw, names, resolve)
        return interactions.judged(request, repository, replace(write, raw=raw) if raw else write)

    return [_at(item.number, rewritten, write) for item, write in zip(entries, planned, strict=True)]


def _names(entries: Sequence[_Entry], planned: Sequence[writes.Write]) -> Iterator[tuple[str, tuple[str, int]]]:
    """What links between the entries say, and what they mean once it is carried out."""
    for item, write in zip(entries, planned, strict=True):
        if item.full_url is None or not write.id:
            continue
        meant = write.reference, write.found.version if write.found else write.expect + 1
        yield item.full_url, meant
        named = place(item.full_url)
        if named and item.request.method == "POST" and not item.full_url.startswith("urn:"):
            yield f"{named[0]}/{named[1]}", meant


def _selected(plan: writes.Plan, reference: str) -> str:
    type, _, criteria = reference.partition("?")
    found = plan.select(type, writes.criteria(criteria))
    if not found:
        raise NotFound("A conditional reference selects nothing.")
    if len(found) > 1:
        raise MultipleMatches("A conditional reference selects several resources.")
    return found[0].reference
