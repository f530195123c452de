"""The interactions, each a function (request, repository, names in the path) → Answer. http://hl7.org/fhir/R4/http.html"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from adapter.audit.event import TYPE as AUDIT_EVENT
from adapter.errors import Forbidden, Invalid, NotFound
from adapter.fhir import shapes
from adapter.fhir.resource import Raw, dumps
from adapter.store.documents import Stored
from adapter.store.repository import Repository
from adapter.store.search_parameters import parameters
from server.errors import MethodNotAllowed
from server.fhir import headers, integrity, led, patch, subscriptions, writes
from server.fhir.messages import Answer, Request, is_number


def read(request: Request, repository: Repository, type: str, id: str) -> Answer:
    """The current version as it is stored, or the part of it that `_summary` or `_elements` ask for; 304 where the caller has it."""
    parameters(type)
    row = repository.row(type, id)
    if not request.grant.shows(type, id, row.text, row.updated):
        raise NotFound(f"There is no {type} with this id.")
    return _as_asked(request, Answer.of(row))


def vread(request: Request, repository: Repository, type: str, id: str, version: str) -> Answer:
    """One version as it was stored, or 304 where the caller has it."""
    parameters(type)
    if not is_number(version):
        raise NotFound(f"There is no such version of this {type}.")
    stored = repository.vread(type, id, int(version))
    if not request.grant.shows(type, id, stored.text, stored.updated):
        raise NotFound(f"There is no such version of this {type}.")
    return _as_asked(request, Answer.of(stored))


def _as_asked(request: Request, answer: Answer) -> Answer:
    if headers.unchanged(request, answer):
        return Answer(304, None, answer.version, answer.updated)
    shape = shapes.shape(request.params) if request.params else None
    return replace(answer, text=shape(answer.text)) if shape and answer.text else answer


def write(request: Request, repository: Repository, type: str, id: str | None = None) -> Answer:
    """Create, update, patch or delete, of the resource that the path names or a condition selects."""
    parameters(type)
    if not id and request.method != "POST" and not request.params:
        raise MethodNotAllowed("This method needs an id in the path or a condition.", allowed=("GET", "HEAD", "POST"))
    known = [(type, id)] if id else []

    def plan() -> list[writes.Write]:
        made = writes.Plan(repository, request.base, known, grant=request.grant, costs=request.costs)
        return [judged(request, repository, planned(request, made, type, id))]

    [(done, stored)] = settled(request, repository, plan)
    return told(request, done, stored)


def settled(request: Request, repository: Repository, plan: Callable[[], Sequence[writes.Write]]) -> list[tuple[writes.Write, Stored]]:
    """The writes that `plan` decides on, carried out; they leave no reference to what is not here where the server is to see to that, and
    break no rule of a case that is led here."""
    guards: list[writes.Guard] = [partial(led.guard, repository)]
    if request.integrity:
        guards.append(partial(integrity.guard, repository, request.base))
    return writes.settle(repository, plan, guards)


def planned(request: Request, plan: writes.Plan, type: str, id: str | None) -> writes.Write:
    """The write that a request asks for, decided. Raises Invalid where its path does not fit its method, and what the plan raises."""
    write = subscriptions.accepted(request, plan.repository, _planned(request, plan, type, id))
    request.grant.demand(write.type, _letter(write), whole=False)
    if write.type == AUDIT_EVENT and plan.repository.sight:
        raise Forbidden("The account is written by the server itself, and by who sees everything.")
    return write


def judged(request: Request, repository: Repository, write: writes.Write) -> writes.Write:
    """The write, its content being what will be stored: in a transaction its references are those that are meant. Raises Forbidden."""
    allowed = request.grant.conditions(write.type, _letter(write))
    if allowed and write.raw is not None and not write.found and not request.grant.fits(allowed, write.id, write.raw, repository.clock()):
        raise Forbidden(f"The token's scope does not allow this: no {write.type} with such content.")
    return write


def _letter(write: writes.Write) -> str:
    return "d" if write.raw is None else "c" if write.creates else "u"


def check_granted(request: Request) -> None:
    """Raise Forbidden for a request that its grant does not allow."""
    if not request.grant.whole:
        asks = request.header("if-none-exist") is not None or any(name not in headers.SHAPING for name, _ in request.params)
        request.grant.check(request.method, request.path, asks=asks)


def _planned(request: Request, plan: writes.Plan, type: str, id: str | None) -> writes.Write:
    expected = headers.expected(request)
    criteria = [(name, value) for name, value in request.params if name not in headers.SHAPING]
    match request.method, id, bool(criteria):
        case "POST", None, _:
            return plan.create(type, _content(request), _none_exist(request, type, criteria))
        case "PUT", str(id), False:
            return plan.update(type, id, _content(request), expected)
        case "PUT", None, True:
            return plan.update_selected(type, criteria, _content(request), expected)
        case "PATCH", str(id), False:
            return plan.patch(type, id, patch.of(request), expected)
        case "PATCH", None, True:
            return plan.patch_selected(type, criteria, patch.of(request), expected)
        case "DELETE", str(id), False:
            return plan.delete(type, id, expected)
        case "DELETE", None, True:
            return plan.delete_selected(type, criteria, expected)
    raise Invalid("The path and its parameters do not fit the method.")


def _none_exist(request: Request, type: str, criteria: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
    """The condition of a create: R4 has it in If-None-Exist, HAPI's client there as a whole URL, fhirpy in the URL of the request.

    Raises Invalid where there are two, or it is about another type.
    """
    condition = request.header("if-none-exist")
    if condition is None:
        return criteria or None
    if criteria:
        raise Invalid("A create has one condition: in If-None-Exist or in the URL.")
    place, _, rest = condition.partition("?")
    if not rest or "=" in place:
        return writes.criteria(condition)
    if place and place.rpartition("/")[2] != type:
        raise Invalid(f"If-None-Exist is not about {type}.")
    return writes.criteria(rest)


def _content(request: Request) -> Raw:
    headers.check_content(request)
    return request.resource()


def told(request: Request, write: writes.Write, stored: Stored) -> Answer:
    """The answer to a write, in the form the caller prefers."""
    wanted = headers.prefer(request, "return")
    if write.raw is None and (write.found is None or write.found.deleted):
        done = "Deleted." if stored.version else "There was nothing to delete."
        text = dumps(_note(done)) if wanted == "OperationOutcome" else None
        return Answer(200 if text else 204, text, stored.version or None)
    status, shown = 201 if write.creates else 200, stored.text
    if wanted == "minimal" or not request.grant.shows(stored.type, stored.id, stored.text, stored.updated):
        shown = ""
    elif wanted == "OperationOutcome":
        shown = dumps(_note("Created." if write.creates else "It is stored."))
    text = shown or None
    return Answer(status, text, stored.version, stored.updated, f"{stored.type}/{stored.id}/_history/{stored.version}")


def _note(text: str, severity: str = "information") -> Raw:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "informational", "diagnostics": text}]}
