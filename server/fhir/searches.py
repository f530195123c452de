"""Search as FHIR's HTTP has it: of a type, of a compartment, of all types; GET and POST. http://hl7.org/fhir/R4/http.html#search"""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from adapter.errors import Invalid
from adapter.fhir import shapes
from adapter.fhir.resource import Raw, dumps
from adapter.store import across, search
from adapter.store.repository import Repository
from adapter.store.search_parameters import table
from server.fhir import headers
from server.fhir.messages import Answer, Request, bundle, entry, page_links

_FORM = "application/x-www-form-urlencoded"
# Which part of an include's value is the type that the search must be of.
_ENDS = {"_include": 0, "_revinclude": 2}
_Params = Sequence[tuple[str, str]]


def of_type(request: Request, repository: Repository, type: str) -> Answer:
    """A page of a search of one type, as a searchset Bundle."""
    return _searched(request, repository, type, type, None)


def of_compartment(request: Request, repository: Repository, owner: str, id: str, type: str) -> Answer:
    """A page of a search of one type in the compartment of a resource."""
    return _searched(request, repository, type, f"{owner}/{id}/{type}", (owner, id))


def of_system(request: Request, repository: Repository) -> Answer:
    """A page of a search of several types or all, by parameters that all of them have: type after type, or in the order of `_sort`."""
    params = _params(request)
    named = [type for name, value in params if name == "_type" for type in value.split(",")]
    types = sorted(dict.fromkeys(named)) or sorted(
        type for type in repository.types() if type in table() and request.grant.conditions(type, "s") is not None
    )
    ordered = len(types) > 1 and any(name == "_sort" for name, _ in params)
    text = request.param("_cursor") or ""
    first, _, cursor = ("", "", text) if ordered else text.partition(".")
    rest = [(name, value) for name, value in params if name not in ("_type", "_cursor")]
    behind = [("_cursor", cursor)] if cursor else []
    queries = [
        _parsed(request, repository, type, [*_fitting(rest, type), *(behind if ordered or type == first else [])], None) for type in types
    ]
    for type in types:
        repository.collection(type)
    database = repository.database
    page = across.in_order(database, queries) if ordered else across.by_type(database, queries, first)
    return _told(request, "", params, page, [name for query in queries for name in query.ignored])


def _fitting(params: _Params, type: str) -> _Params:
    """The parameters without the includes that start or end at other types."""
    return [
        (name, value)
        for name, value in params
        if name not in _ENDS or value == "*" or (value.split(":") + ["", ""])[_ENDS[name]] in (("", type) if _ENDS[name] else (type,))
    ]


def _searched(request: Request, repository: Repository, type: str, path: str, within: tuple[str, str] | None) -> Answer:
    params = _params(request)
    query = _parsed(request, repository, type, params, within)
    repository.collection(type)
    return _told(request, path, params, search.run(repository.database, query, repository.faces), query.ignored)


def _parsed(request: Request, repository: Repository, type: str, params: _Params, within: tuple[str, str] | None) -> search.Query:
    strict = (headers.prefer(request, "handling") or request.handling) != "lenient"
    return request.grant.narrowed(search.parse(type, params, strict=strict, base=request.base, within=within, clock=repository.clock))


def _params(request: Request) -> list[tuple[str, str]]:
    """The parameters of the URL and the form, without the empty ones: they "are not an error - they are just ignored by the server" (R4).

    In a condition that guards a write an empty one is refused.
    """
    params = list(request.params)
    if request.method == "POST":
        headers.check_content(request, _FORM)
        try:
            params += parse_qsl(request.body.decode() if isinstance(request.body, bytes) else "", keep_blank_values=True)
        except ValueError:
            raise Invalid("The form in the body is not UTF-8.") from None
    return [(name, value) for name, value in params if value]


def _told(request: Request, path: str, params: _Params, found: search.Result, ignored: Sequence[str]) -> Answer:
    """The Bundle; its self link says what was understood, its last entry what was not or is not told."""
    shape = shapes.shape(params)
    entries = [_entry(request.base, row, shape(row.text) if shape else row.text, "match") for row in found.rows]
    shown = [row for row in found.included if request.grant.shows(row.type, row.id, row.text, row.updated)]
    entries += [_entry(request.base, row, row.text, "include") for row in shown]
    notes = [f"These parameters are not known here and were left out: {', '.join(dict.fromkeys(ignored))}."] if ignored else []
    if found.cut:
        notes.append(f"More is included than can be told: the first {search.MAX_INCLUDED} are here.")
    if notes:
        entries.append(entry({}, dumps(_warning(notes)), {"search": {"mode": "outcome"}}))
    kept = [(name, _applied(name, value)) for name, value in params if name not in ignored]
    return Answer(200, bundle("searchset", entries, links=page_links(request.base, path, kept, found.cursor), total=found.total))


def _applied(name: str, value: str) -> str:
    return str(min(int(value), search.MAX_COUNT)) if name == "_count" else value


def _entry(base: str, row: search.Row, text: str, mode: str) -> str:
    return entry({"fullUrl": f"{base}/{row.type}/{row.id}"}, text, {"search": {"mode": mode}})


def _warning(notes: Sequence[str]) -> Raw:
    issues = [{"severity": "warning", "code": "informational", "diagnostics": note} for note in notes]
    return {"resourceType": "OperationOutcome", "issue": issues}
