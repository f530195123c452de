"""Batch and transaction. http://hl7.org/fhir/R4/http.html#transaction"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from adapter.errors import CasebridgeError, Invalid, MultipleMatches, NotFound
from adapter.fhir.bundle import place
from adapter.fhir.outcome import outcome
from adapter.fhir.resource import Raw, resource_type
from adapter.store.repository import Repository
from adapter.store.search_parameters import table
from server.fhir import headers, interactions, links, writes
from server.fhir.messages import Answer, Request, bundle, entry
from server.fhir.messages import response as response_of

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
    if kind == "batch":
        return Answer(200, bundle("batch-response", [_tried(request, number, item, dispatch) for number, item in enumerate(items)]))
    entries = [_at(number, _entry, request, number, item) for number, item in enumerate(items)]
    return Answer(200, bundle("transaction-response", _transaction(request, entries, repository, dispatch)))


def _at(number: int, work: Callable[..., Any], *args: Any) -> Any:
    """Do the work for an entry; what goes wrong names the entry."""
    try:
        return work(*args)
    except CasebridgeError as error:
        error.expression = (f"Bundle.entry[{number}]", *error.expression)
        raise


def _entry(request: Request, number: int, item: Any) -> _Entry:
    asked = item.get("request") if isinstance(item, dict) else None
    if not isinstance(asked, dict) or asked.get("method") not in [*_ORDER] or not isinstance(asked.get("url"), str):
        raise Invalid(f"An entry needs a request with a url and one of the methods {', '.join(_ORDER)}.")
    full_url = item.get("fullUrl")
    path, _, query = asked["url"].removeprefix(request.base).lstrip("/").partition("?")
    conditions = {header: asked[name] for name, header in _CONDITIONS.items() if isinstance(asked.get(name), str)}
    handling = headers.prefer(request, "handling") or request.handling
    resource = item.get("resource")
    inner = replace(
        request,
        method=asked["method"],
        path=path,
        params=parse_qsl(query, keep_blank_values=True),
        headers={"prefer": f"return={headers.prefer(request, 'return') or 'minimal'}, handling={handling}", **conditions},
        body=resource if isinstance(resource, dict) else b"",
    )
    if inner.method in ("POST", "PUT"):
        resource_type(inner.resource())
    interactions.check_granted(inner)
    type, _, id = path.partition("/")
    return _Entry(number, full_url if isinstance(full_url, str) else None, inner, type, id or None)


def _tried(request: Request, number: int, item: Any, dispatch: Dispatch) -> str:
    try:
        inner = _at(number, _entry, request, number, item).request
        if not inner.path.strip("/"):
            raise Invalid("A Bundle inside a Bundle is not carried out.")
        return _answered(_at(number, dispatch, inner))
    except CasebridgeError as error:
        return _answered(Answer(error.status), outcome(error))


def _answered(answer: Answer, problem: Raw | None = None) -> str:
    response = response_of(answer)
    return entry({}, answer.text, {"response": {**response, "outcome": problem} if problem else response})


def _transaction(request: Request, entries: Sequence[_Entry], repository: Repository, dispatch: Dispatch) -> list[str]:
    ordered = sorted(entries, key=lambda item: _ORDER[item.request.method])
    changing = [item for item in ordered if _ORDER[item.request.method] < _ORDER["GET"]]
    done = interactions.settled(request, repository, lambda: _plan(request, changing, repository)) if changing else []
    answers = {item.number: interactions.told(item.request, *result) for item, result in zip(changing, done, strict=True)}
    texts = {number: _answered(answer) for number, answer in answers.items()}
    for item in ordered[len(changing) :]:
        try:
            texts[item.number] = _answered(_at(item.number, dispatch, item.request))
        except CasebridgeError as error:
            texts[item.number] = _answered(Answer(error.status), outcome(error))
    return [texts[number] for number in range(len(entries))]


def _plan(request: Request, entries: Sequence[_Entry], repository: Repository) -> list[writes.Write]:
    """The writes of a transaction, its references resolved. Raises what makes one of them impossible, naming the entry."""
    known = [(item.type, item.id) for item in entries if item.id and item.type in table()]
    plan = writes.Plan(repository, request.base, known, grant=request.grant)
    planned = [_at(item.number, interactions.planned, item.request, plan, item.type, item.id) for item in entries]
    names = dict(_names(entries, planned))
    selected: dict[str, str] = {}

    def resolve(text: str) -> str | None:
        if "?" not in text or text.partition("?")[0] not in table():
            return None
        if text not in selected:
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
