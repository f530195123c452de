"""Search as FHIR's HTTP has it: of a type, of a compartment, of all types; GET and POST. http://hl7.org/fhir/R4/http.html#search"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from adapter.errors import Invalid
from adapter.fhir import shapes
from adapter.fhir.resource import Raw, dumps
from adapter.store import across, search
from adapter.store.repository import Repository
from adapter.store.search_parameters import table
from server.fhir import headers
from server.fhir.messages import Answer, Request, bundle, entry
from server.fhir.sealed import PARAMETER
from server.fhir.sizes import pairs

_FORM = "application/x-www-form-urlencoded"
# Which part of an include's value is the type that the search must be of.
_ENDS = {"_include": 0, "_revinclude": 2}
_Params = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class _Asked:
    """What a search asks, at its path below the base: what its URL says, what was sent in a form or sealed, and where its page begins."""

    request: Request
    path: str
    shown: _Params
    hidden: _Params
    cursor: str | None

    @property
    def params(self) -> _Params:
        return [*self.shown, *self.hidden]

    def links(self, following: str | None, ignored: Sequence[str]) -> dict[str, str]:
        """The links to this page and, where there is more, to the next: they say what was understood, and show what the URL showed."""
        found = {"self": self._link(self.cursor, ignored)}
        return {**found, "next": self._link(following, ignored)} if following else found

    def _link(self, cursor: str | None, ignored: Sequence[str]) -> str:
        shown, hidden = (
            [(name, _applied(name, value)) for name, value in each if name not in ignored] for each in (self.shown, self.hidden)
        )
        seal = self.request.seal
        if seal and (cursor or hidden):
            shown.append((PARAMETER, seal.sealed(self._place, cursor, hidden)))
        elif not seal:
            shown += [*hidden, *([(PARAMETER, cursor)] if cursor else [])]
        here = f"{self.request.base}/{self.path}"
        return f"{here}?{urlencode(shown)}" if shown else here

    @property
    def _place(self) -> str:
        return f"{self.path} {self.request.asker or ''}"

    def opened(self) -> "_Asked":
        """The same, with what a link of ours has sealed. Raises Invalid for a link that is not of this search, or another caller's."""
        if self.cursor is None or self.request.seal is None:
            return self
        cursor, hidden = self.request.seal.opened(self._place, self.cursor)
        return _Asked(self.request, self.path, self.shown, [*self.hidden, *hidden], cursor)


def of_type(request: Request, repository: Repository, type: str) -> Answer:
    """A page of a search of one type, as a searchset Bundle."""
    return _searched(_asked(request, type), repository, type, None)


def of_compartment(request: Request, repository: Repository, owner: str, id: str, type: str) -> Answer:
    """A page of a search of one type in the compartment of a resource."""
    return _searched(_asked(request, f"{owner}/{id}/{type}"), repository, type, (owner, id))


def of_system(request: Request, repository: Repository) -> Answer:
    """A page of a search of several types or all, by parameters that all of them have: type after type, or in the order of `_sort`."""
    asked = _asked(request, "")
    named = [type for name, value in asked.params if name == "_type" for type in value.split(",")]
    types = sorted(dict.fromkeys(named)) or sorted(
        type for type in repository.types() if type in table() and request.grant.conditions(type, "s") is not None
    )
    ordered = len(types) > 1 and any(name == "_sort" for name, _ in asked.params)
    text = asked.cursor or ""
    first, _, cursor = ("", "", text) if ordered else text.partition(".")
    rest = [(name, value) for name, value in asked.params if name != "_type"]
    queries = [
        _parsed(asked, repository, type, _fitting(rest, type), cursor if ordered or type == first else "", None, whole=ordered)
        for type in types
    ]
    for type in types:
        repository.collection(type)
    database = repository.database
    page = across.in_order(database, queries) if ordered else across.by_type(database, queries, first)
    return _told(asked, page, [name for query in queries for name in query.ignored])


def _fitting(params: _Params, type: str) -> _Params:
    """The parameters without the includes that start or end at other types."""
    return [
        (name, value)
        for name, value in params
        if name not in _ENDS or value == "*" or (value.split(":") + ["", ""])[_ENDS[name]] in (("", type) if _ENDS[name] else (type,))
    ]


def _searched(asked: _Asked, repository: Repository, type: str, within: tuple[str, str] | None) -> Answer:
    query = _parsed(asked, repository, type, asked.params, asked.cursor or "", within)
    repository.collection(type)
    return _told(asked, search.run(repository.database, query, repository.faces), query.ignored)


def _parsed(
    asked: _Asked,
    repository: Repository,
    type: str,
    params: _Params,
    cursor: str,
    within: tuple[str, str] | None,
    *,
    whole: bool = False,
) -> search.Query:
    request = asked.request
    strict = (headers.prefer(request, "handling") or request.handling) != "lenient"
    paged = [*params, *([(PARAMETER, cursor)] if cursor else [])]
    query = search.parse(type, paged, strict=strict, base=request.base, within=within, clock=repository.clock)
    return request.searched(query, whole=whole)


def _asked(request: Request, path: str) -> _Asked:
    """What is asked in the URL and the form, without empty parameters: they "are not an error - they are just ignored by the server" (R4).

    In a condition that guards a write an empty one is refused.
    """
    form: _Params = []
    if request.method == "POST":
        headers.check_content(request, _FORM)
        try:
            form = pairs(request.body.decode() if isinstance(request.body, bytes) else "")
        except ValueError:
            raise Invalid("The form in the body is not UTF-8.") from None
    shown, hidden = ([(name, value) for name, value in each if value and name != PARAMETER] for each in (request.params, form))
    cursor = next((value for name, value in reversed([*request.params, *form]) if name == PARAMETER and value), None)
    return _Asked(request, path, shown, hidden, cursor).opened()


def _told(asked: _Asked, found: search.Result, ignored: Sequence[str]) -> Answer:
    """The Bundle; its self link says what was understood, its last entry what was not or is not told."""
    request, shape = asked.request, shapes.shape(asked.params)
    entries = [_entry(request.base, row, shape(row.text) if shape else row.text, "match") for row in found.rows]
    shown = [row for row in found.included if request.grant.shows(row.type, row.id, row.text, row.updated)]
    entries += [_entry(request.base, row, row.text, "include") for row in shown]
    notes = [f"These parameters are not known here and were left out: {', '.join(dict.fromkeys(ignored))}."] if ignored else []
    if found.cut:
        notes.append(f"More is included than can be told: the first {search.MAX_INCLUDED} are here.")
    if notes:
        entries.append(entry({}, dumps(_warning(notes)), {"search": {"mode": "outcome"}}))
    return Answer(200, bundle("searchset", entries, links=asked.links(found.cursor, ignored), total=found.total))


def _applied(name: str, value: str) -> str:
    return str(min(int(value), search.MAX_COUNT)) if name == "_count" else value


def _entry(base: str, row: search.Row, text: str, mode: str) -> str:
    return entry({"fullUrl": f"{base}/{row.type}/{row.id}"}, text, {"search": {"mode": mode}})


def _warning(notes: Sequence[str]) -> Raw:
    issues = [{"severity": "warning", "code": "informational", "diagnostics": note} for note in notes]
    return {"resourceType": "OperationOutcome", "issue": issues}
