"""Search parameters as a client writes them → a Query, which asks nothing yet. http://hl7.org/fhir/R4/search.html"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from adapter.clock import Clock, utc_now
from adapter.errors import Invalid, NotFound, TooCostly
from adapter.fhir.dates import BEGIN, END
from adapter.store.documents import Document
from adapter.store.filters import (
    KEY,
    OWNED,
    PAIRED,
    PLAIN,
    UPDATED,
    Clause,
    Setting,
    belonging,
    conditions,
    merged,
    one_of,
    token,
    unmodified,
)
from adapter.store.membership import COMPARTMENTS, compartment
from adapter.store.order import Order, Place, after
from adapter.store.pairs import paired
from adapter.store.ranges import updated
from adapter.store.search_parameters import Parameter, parameters, table
from adapter.store.syntax import check_length, malformed, plain, split, unescape

DEFAULT_COUNT, MAX_COUNT = 50, 1000
SUMMARIES = ("false", "true", "text", "data", "count")
# Say how to answer, not what to find. `_format`, `_pretty`, `_summary` and `_elements` shape the text, which the HTTP layer does.
CONTROLS = frozenset(
    ("_count", "_cursor", "_elements", "_format", "_include", "_include:iterate", "_include:recurse", "_pretty", "_revinclude")
    + ("_revinclude:iterate", "_revinclude:recurse", "_sort", "_summary", "_total", "_totalMethod", "_type", "_contained")
)
# Refused even where unknown parameters may be left out: an answer without them would be another answer.
UNSERVED = {
    "_containedType": "contained resources are not found by themselves",
    "_content": "there is no full text index",
    "_filter": "the filter expressions of R4 are not served; chains, _has and modifiers are",
    "_query": "there are no named queries",
    "_score": "what is found has no order of relevance",
    "_text": "there is no full text index",
}
_MAX_DEPTH = 6
JOINS_AT_MOST = 20
"""Of chains and `_has`: one of six steps without types is up to a thousand queries, and takes 12 ms to be read."""
_SUBSUMING = ("in", "not-in", "above", "below")


@dataclass(frozen=True)
class Include:
    """`_include` or, reversed, `_revinclude`: `parameter` None stands for all reference parameters, `source` "*" for all types."""

    source: str
    parameter: str | None
    target: str | None
    reverse: bool = False
    iterate: bool = False


@dataclass(frozen=True)
class Chain:
    """`subject:Patient.name=…`: the parameter refers to what one of the queries finds."""

    parameter: Parameter
    queries: "tuple[Query, ...]"


@dataclass(frozen=True)
class Has:
    """`_has:Observation:patient:code=…`: what the query finds refers to it by the parameter."""

    type: str
    parameter: Parameter
    query: "Query"


@dataclass(frozen=True)
class Listed:
    """`_list=…`: it is an entry of one of these Lists."""

    type: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Coded:
    """A token with `:in`, `:not-in` (a value set), `:above` or `:below` (a code): its codes are looked up in what is stored here."""

    parameter: Parameter
    modifier: str
    values: tuple[str, ...]


Join = Chain | Has | Listed | Coded


@dataclass(frozen=True)
class Query:
    """A search of one type, ready to run."""

    type: str
    clauses: tuple[Clause, ...]
    joins: tuple[Join, ...] = ()
    """What must be asked first: it becomes clauses when the query runs."""
    low: datetime = BEGIN
    """What is found was last updated then or later, and before `high`."""
    high: datetime = END
    sort: tuple[Order, ...] = (Order("_lastUpdated"),)
    count: int = DEFAULT_COUNT
    after: Place | None = None
    """The place of the last row of the page before."""
    accurate: bool = False
    """Whether the total must be told, whatever it costs."""
    includes: tuple[Include, ...] = ()
    ignored: tuple[str, ...] = ()
    """Names of parameters that were not understood and, under lenient handling, left out."""

    @cached_property
    def filter(self) -> Document:
        """What a resource must fulfil to be found, on whatever page; without what joins add."""
        return merged([*self.clauses, *between(self.low, self.high)])

    @property
    def keyed(self) -> bool:
        """Whether an index leads to what is found without a look at the rest of the type."""
        return any(path in (KEY, "_id") for _, path, _ in self.clauses)


def parse(
    type: str,
    params: Iterable[tuple[str, str]],
    *,
    strict: bool = True,
    base: str | None = None,
    within: tuple[str, str] | None = None,
    clock: Clock = utc_now,
) -> Query:
    """The query that decoded name=value pairs mean. `base` is the server's own: absolute references that begin with it are local.

    `within` is a compartment, such as ("Patient", "1"). Raises Invalid, naming the parameter, where a value is malformed or, under
    `strict`, a name is unknown; NotFound for an unknown type; TooCostly for too many chains.
    """
    params = list(params)
    check_length(params)
    if sum("." in name or name.startswith("_has:") for name, _ in params) > JOINS_AT_MOST:
        raise TooCostly(f"A search may have {JOINS_AT_MOST} chains and _has at most.")
    controls: dict[str, list[str]] = defaultdict(list)
    criteria = []
    for name, value in params:
        if name in CONTROLS:
            controls[name].append(value)
        else:
            criteria.append((name, value))
    query = _criteria(type, criteria, strict=strict, setting=Setting(base, clock), depth=0)
    if within is not None:
        query = replace(query, clauses=(*query.clauses, *_within(type, *within)))
    return _controlled(query, controls)


def between(low: datetime, high: datetime) -> list[Clause]:
    """The clause for a half-open range of `_lastUpdated`; none where it is all of time."""
    return [] if (low, high) == (BEGIN, END) else [(UPDATED, "fhir.updated", {"$gte": low, "$lt": high})]


def _criteria(type: str, params: Iterable[tuple[str, str]], *, strict: bool, setting: Setting, depth: int) -> Query:
    rows = parameters(type)
    clauses: list[Clause] = [(PLAIN, "fhir.deleted", False)]
    joins: list[Join] = []
    ignored = []
    low, high = BEGIN, END
    keys: dict[str, Any] = {}
    for name, value in params:
        head, dot, rest = name.partition(".")
        code, _, modifier = head.partition(":")
        if code in UNSERVED:
            raise Invalid(f"{code} is not served: {UNSERVED[code]}.", expression=[code])
        if not value and (code in rows or code in ("_has", "_list")):
            raise malformed(name, "a value")
        if code == "_has":
            joins.append(_has(type, name, value, setting, depth))
        elif name == "_list":
            joins.append(Listed(type, tuple(split(value, ","))))
        elif code not in rows:
            if strict or depth:
                raise Invalid(f"{type} has no search parameter {plain(name)} here; metadata lists those it has.", expression=[plain(name)])
            ignored.append(plain(name))
        elif dot:
            joins.append(_chain(rows[code], modifier, rest, value, setting, depth))
        elif rows[code].kind == "token" and modifier in _SUBSUMING:
            joins.append(_coded(rows[code], modifier, split(value, ",")))
        elif code == "_lastUpdated" and not modifier:
            ranges = updated(code, split(value, ","), setting.clock)
            if len(ranges) == 1:
                low, high = max(low, ranges[0][0]), min(high, ranges[0][1])
            else:
                clauses.append((PLAIN, "$or", [{"fhir.updated": {"$gte": start, "$lt": end}} for start, end in ranges]))
        else:
            found = conditions(rows[code], modifier, split(value, ","), setting)
            clauses += found
            if not modifier:
                keys[code] = next((condition for _, path, condition in found if path == KEY), None)
    if together := paired(keys):
        clauses.append((PAIRED, KEY, one_of(together)))
    return Query(type, tuple(clauses), tuple(joins), low, high, ignored=tuple(ignored))


def _deeper(name: str, depth: int) -> int:
    if depth >= _MAX_DEPTH:
        raise malformed(name, f"no more than {_MAX_DEPTH} steps of chains and _has")
    return depth + 1


def _chain(parameter: Parameter, modifier: str, rest: str, value: str, setting: Setting, depth: int) -> Chain:
    if parameter.kind != "reference":
        raise malformed(parameter.name, "no chain: it is not a reference")
    if modifier and (modifier not in table() or (parameter.targets and modifier not in parameter.targets)):
        raise unmodified(parameter, modifier)
    targets = (modifier,) if modifier else parameter.targets
    if not targets:
        raise malformed(parameter.name, f"the type it refers to, as in {parameter.name}:Patient.{plain(rest)}")
    code = rest.partition(".")[0].partition(":")[0]
    fit = [type for type in targets if code in parameters(type) or code == "_has"]
    if not fit:
        raise malformed(f"{parameter.name}.{rest}", "a search parameter of what it refers to")
    depth = _deeper(parameter.name, depth)
    return Chain(parameter, tuple(_criteria(type, [(rest, value)], strict=True, setting=setting, depth=depth) for type in fit))


def _has(type: str, name: str, value: str, setting: Setting, depth: int) -> Has:
    _, source, code, rest = [*name.split(":", 3), "", "", ""][:4]
    row = parameters(source).get(code) if source in table() else None
    if row is None or row.kind != "reference" or not rest or (row.targets and type not in row.targets):
        raise malformed(name, f"_has:Type:reference:parameter with a reference from Type to {type}")
    return Has(type, row, _criteria(source, [(rest, value)], strict=True, setting=setting, depth=_deeper(name, depth)))


def _coded(parameter: Parameter, modifier: str, values: Sequence[str]) -> Coded:
    if modifier in ("in", "not-in"):
        if len(values) != 1:
            raise malformed(f"{parameter.name}:{modifier}", "the URL of one value set")
        return Coded(parameter, modifier, (unescape(values[0]),))
    found = [token(parameter.name, value) for value in values]
    if not all(system and code for system, _, code in (text.rpartition("|") for text in found)):
        raise malformed(f"{parameter.name}:{modifier}", "system|code")
    return Coded(parameter, modifier, tuple(found))


def _within(type: str, owner: str, id: str) -> list[Clause]:
    """The clauses for membership in a compartment."""
    if owner not in COMPARTMENTS or type not in compartment(owner):
        raise NotFound(f"There is no compartment of a {plain(owner)} that has resources of type {type}.")
    return [(OWNED if path == KEY else PLAIN, path, condition) for path, condition in belonging(owner, id).items()]


def _controlled(query: Query, controls: dict[str, list[str]]) -> Query:
    # The second is Aidbox's name for the first, which fhirpy's count() sends.
    totals = {"_total": ("none", "estimate", "accurate"), "_totalMethod": ("none", "estimate", "count")}
    _one(controls, "_contained", ("false",), "false")
    count = 0 if _one(controls, "_summary", SUMMARIES, "false") == "count" else _count(controls)
    sort = tuple(_order(query.type, text) for value in controls["_sort"] for text in value.split(",")) or query.sort
    includes = [
        include
        for way in ("_include", "_revinclude")
        for suffix in ("", ":iterate", ":recurse")
        for value in controls[f"{way}{suffix}"]
        for include in _includes(query.type, way, value, iterate=bool(suffix))
    ]
    return replace(
        query,
        sort=sort,
        count=count,
        after=after(controls["_cursor"][-1], sort) if controls["_cursor"] else None,
        accurate=any(_one(controls, name, words, "none") != "none" for name, words in totals.items()),
        includes=tuple(includes),
    )


def _order(type: str, text: str) -> Order:
    code = text.removeprefix("-")
    row = parameters(type).get(code)
    if row is None or row.kind == "composite":
        raise malformed("_sort", f"search parameters of {type}, with a leading minus for the reverse order")
    return Order(code, text.startswith("-"))


def _count(controls: dict[str, list[str]]) -> int:
    text = controls["_count"][-1] if controls["_count"] else str(DEFAULT_COUNT)
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise malformed("_count", "a whole number that is not negative")
    return min(int(text), MAX_COUNT)


def _one(controls: dict[str, list[str]], name: str, choices: Sequence[str], default: str) -> str:
    value = controls[name][-1] if controls[name] else default
    if value not in choices:
        raise malformed(name, f"one of {', '.join(choices)}; others are not served" if len(choices) > 1 else f"to be {choices[0]}")
    return value


def _includes(type: str, name: str, value: str, *, iterate: bool) -> Iterable[Include]:
    source, _, rest = value.partition(":")
    code, _, target = rest.partition(":")
    reverse = name == "_revinclude"
    if value == "*":
        yield Include("*" if reverse else type, None, None, reverse, iterate)
        return
    if not iterate and ((not reverse and source != type) or (reverse and target not in ("", type))):
        raise malformed(name, f"Type:parameter or Type:parameter:Target that starts or ends at {type}")
    rows = parameters(source) if source in table() else {}
    row = rows.get(code)
    if code != "*" and (row is None or row.kind != "reference"):
        raise malformed(name, "Type:parameter with a reference parameter")
    yield Include(source, None if code == "*" else code, target or None, reverse, iterate)


def typed_references(type: str) -> list[str]:
    """The names of a type's reference parameters."""
    return [row.name for row in parameters(type).values() if row.kind == "reference"]
