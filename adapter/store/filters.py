"""One search parameter with its values as MongoDB conditions. http://hl7.org/fhir/R4/search.html

A parameter gives the exact condition on its own field and, where it can, a broader one on KEYS, which is indexed; a filter holds the best
of the broader ones. The embedded store uses no index as soon as a filter has `$or` or `$and`: alternatives go into `$in`, `$elemMatch`
and `$regex` on the one field, repetitions into `$all`.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from adapter.clock import instant
from adapter.errors import Invalid
from adapter.fhir import references
from adapter.store.dates import BEGIN, END, Span, span
from adapter.store.documents import Document
from adapter.store.index import EXACT, KEYS, clean, folded, key_of
from adapter.store.search_parameters import COMMONPLACE, Parameter

Clause = tuple[int, str, Any]
"""(rank, path, condition): what must hold of a document. Paths with a low rank come first in a filter."""

KEY = f"fhir.index.{KEYS}"
# Of several keys the one that finds fewest resources is used. Behind them comes what narrows without an index.
_RANK = {"identifier": 1, "reference": 2, "uri": 3, "string": 3, "token": 4, "date": 5}
UPDATED, PLAIN = 6, 7

_LAST = chr(0x10FFFF)
_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb)?(\d.*)", re.DOTALL)


def conditions(parameter: Parameter, modifier: str, values: Sequence[str], base: str | None) -> list[Clause]:
    """The clauses for a parameter that one of `values` must satisfy. Raises Invalid, naming the parameter."""
    if parameter.name == "_id":
        return [_id(modifier, [*map(unescape, values)])]
    path = f"fhir.index.{parameter.name}"
    if not parameter.paths:
        raise _unmodified(parameter, modifier)
    if modifier == "missing":
        if values not in (["true"], ["false"]):
            raise malformed(parameter.name, "true or false")
        return [(PLAIN, path, {"$exists": values == ["false"]})]
    if parameter.kind == "token" and modifier in ("", "not"):
        found = [_token(parameter, value) for value in values]
        return [(PLAIN, path, {"$nin": found})] if modifier else [(PLAIN, path, _one_of(found)), *_keys(parameter, found)]
    if parameter.kind == "reference":
        found = [_reference(parameter, modifier, unescape(value), base) for value in values]
        return [(PLAIN, path, _one_of(found)), *_keys(parameter, [typed for value in found for typed in _typed(parameter, value)])]
    if parameter.kind == "uri" and not modifier:
        found = [*map(unescape, values)]
        return [(PLAIN, path, _one_of(found)), *_keys(parameter, found)]
    if parameter.kind == "string" and modifier in ("", "exact", "contains"):
        return _string(parameter, path, modifier, [*map(unescape, values)])
    if parameter.kind == "date" and not modifier:
        return _date(parameter, path, values)
    raise _unmodified(parameter, modifier)


def merged(clauses: Iterable[Clause]) -> Document:
    """The filter in which all the clauses hold; of the keys it has only the best."""
    query: Document = {}
    more = []
    for _, path, condition in sorted(clauses, key=lambda clause: clause[0]):
        if path not in query:
            query[path] = condition
        elif path != KEY:
            both = _both(query[path], condition)
            if both is None:
                more.append({path: condition})
            else:
                query[path] = both
    return {**query, "$and": more} if more else query


def _both(left: Any, right: Any) -> Document | None:
    """One condition in which both hold; None where they use one operator in two ways."""
    first, second = _operators(left), _operators(right)
    shared = first.keys() & second.keys()
    if shared - {"$all"}:
        return None
    return {**first, **second, **({"$all": first["$all"] + second["$all"]} if shared else {})}


def _operators(condition: Any) -> Document:
    if isinstance(condition, dict) and "$elemMatch" not in condition:
        return condition
    return {"$all": [condition]}


def updated(name: str, values: Sequence[str]) -> list[Span]:
    """The half-open ranges of time, of which one must hold, for the values of `_lastUpdated`."""
    found: list[Span] = []
    for value in values:
        prefix, low, high = dated(name, value)
        before, after, ending, starting = (BEGIN, low), (high, END), (BEGIN, high), (low, END)
        found += {
            "eq": [(low, high)],
            "ne": [before, after],
            "gt": [after],
            "sa": [after],
            "ge": [starting],
            "lt": [before],
            "eb": [before],
            "le": [ending],
        }[prefix]
    return found


def dated(name: str, value: str) -> tuple[str, datetime, datetime]:
    """(prefix, start, end) of a date as search writes it. Raises Invalid."""
    # A plus sign that the client did not escape has come here as a space.
    found = _PREFIXED.fullmatch(unescape(value).replace(" ", "+"))
    bounds = span(found[2]) if found else None
    if not found or not bounds:
        raise malformed(name, "a date or date-time, with one of the prefixes eq ne gt lt ge le sa eb or none")
    return found[1] or "eq", *bounds


def split(text: str, mark: str) -> list[str]:
    """The parts between the marks that no backslash escapes; escapes stay."""
    parts, escaped = [""], False
    for char in text:
        if char == mark and not escaped:
            parts.append("")
        else:
            parts[-1] += char
        escaped = char == "\\" and not escaped
    return parts


def unescape(text: str) -> str:
    return re.sub(r"\\([\\,$|])", r"\1", text)


def plain(name: str) -> str:
    """What a client sent as a name, fit for an error's text: shortened, and nothing in it but the characters of a name."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "?", name[:40])


def malformed(name: str, wanted: str) -> Invalid:
    return Invalid(f"The search parameter {plain(name)} needs {wanted}.", expression=[plain(name)])


def _unmodified(parameter: Parameter, modifier: str) -> Invalid:
    return Invalid(
        f"The search parameter {parameter.name} does not have the modifier :{plain(modifier)} here.", expression=[parameter.name]
    )


def _keys(parameter: Parameter, values: Sequence[str]) -> list[Clause]:
    """The clause on KEYS for entries of which one must be there; none where not every entry has a key."""
    found = [key_of(parameter.kind, value) for value in values]
    if parameter.name in COMMONPLACE or not found or not all(found):
        return []
    return [(_RANK.get(parameter.name, _RANK[parameter.kind]), KEY, _one_of(key for key in found if key))]


def _one_of(values: Iterable[str]) -> Any:
    found = list(dict.fromkeys(values))
    return found[0] if len(found) == 1 else {"$in": found}


def _id(modifier: str, values: list[str]) -> Clause:
    if modifier not in ("", "not") or not all(values):
        raise malformed("_id", "one or several ids, and no modifier but :not")
    return (PLAIN, "_id", {"$nin": values}) if modifier else (0, "_id", _one_of(values))


def _token(parameter: Parameter, value: str) -> str:
    parts = [unescape(part) for part in split(value, "|")]
    if not any(parts) or len(parts) > 2:
        raise malformed(parameter.name, "a code, system|code, system| or |code")
    return "|".join(parts)


def _reference(parameter: Parameter, modifier: str, value: str, base: str | None) -> str:
    if not value:
        raise malformed(parameter.name, "an id, Type/id or URL")
    if base and value.startswith(f"{base}/"):
        value = value[len(base) + 1 :]
    literal = references.split(value)
    value = f"{literal[0]}/{literal[1]}" if literal else value
    if not modifier:
        return value
    if (parameter.targets and modifier not in parameter.targets) or not modifier[:1].isupper():
        raise _unmodified(parameter, modifier)
    return value if "/" in value else f"{modifier}/{value}"


def _typed(parameter: Parameter, value: str) -> list[str]:
    """The references that a bare id can stand for; itself where the parameter may point to anything."""
    return [value] if "/" in value or not parameter.targets else [f"{type}/{value}" for type in parameter.targets]


def _string(parameter: Parameter, path: str, modifier: str, values: list[str]) -> list[Clause]:
    texts = [*map(folded, values)]
    if not all(texts):
        raise malformed(parameter.name, "a text")
    if modifier == "exact":
        return [(PLAIN, path, _one_of(EXACT + clean(value) for value in values)), *_keys(parameter, texts)]
    pattern = "|".join(map(re.escape, texts))
    if modifier == "contains":
        return [(PLAIN, path, {"$regex": pattern})]
    found: list[Clause] = [(PLAIN, path, {"$regex": f"^(?:{pattern})"})]
    if len(texts) == 1:
        found.append((_RANK["string"], KEY, {"$gte": texts[0], "$lt": texts[0] + _LAST}))
    return found


def _date(parameter: Parameter, path: str, values: Sequence[str]) -> list[Clause]:
    """What must hold of one span in the list, by the ends of a value's own: http://hl7.org/fhir/R4/search.html#prefix"""
    found = [dated(parameter.name, value) for value in values]
    ways = [way for prefix, low, high in found for way in _ways(prefix, low, high)]
    # `$or` may not come first in `$elemMatch`: the embedded store then takes it for a condition on the item itself.
    clauses: list[Clause] = [(PLAIN, path, {"$elemMatch": ways[0] if len(ways) == 1 else {"lo": {"$exists": True}, "$or": ways}})]
    if len(found) == 1 and found[0][0] == "eq" and parameter.name not in COMMONPLACE:
        clauses.append((_RANK["date"], KEY, {"$gte": instant(found[0][1]), "$lt": instant(found[0][2])}))
    return clauses


def _ways(prefix: str, low: datetime, high: datetime) -> list[Document]:
    """The ways for a span to satisfy prefix and value; any will do."""
    before, after = {"lo": {"$lt": low}}, {"hi": {"$gt": high}}
    return {
        "eq": [{"lo": {"$gte": low}, "hi": {"$lte": high}}],
        "ne": [before, after],
        "gt": [after],
        "lt": [before],
        "ge": [{"lo": {"$gte": low}}, after],
        "le": [{"hi": {"$lte": high}}, before],
        "sa": [{"lo": {"$gte": high}}],
        "eb": [{"hi": {"$lte": low}}],
    }[prefix]
