"""One search parameter with its values as MongoDB conditions, in shapes that are fast on the embedded store and on MongoDB.

Plain keys, ranges bounded at both ends, the most selective key first. http://hl7.org/fhir/R4/search.html
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from adapter.errors import Invalid
from adapter.fhir import references
from adapter.store.dates import BEGIN, END, span
from adapter.store.documents import Document
from adapter.store.index import EXACT, clean, folded
from adapter.store.search_parameters import Parameter

Clause = tuple[int, str, Any]
"""(rank, key, condition): what must hold of a document. Keys with a low rank come first in a filter."""

_LAST = chr(0x10FFFF)
_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb)?(\d.*)", re.DOTALL)

# Which key of a filter comes first decides what the embedded store's index has to read: the smaller, the fewer resources it finds.
_RANK = {"_id": 0, "identifier": 1, "reference": 2, "uri": 3, "string": 3, "token": 4, "date": 5}
_COMMONPLACE = frozenset(
    {"status", "category", "intent", "gender", "active", "class", "lifecycle-status", "_profile", "_source", "_tag", "_security"}
)
_NEGATIVE = 9


def conditions(parameter: Parameter, modifier: str, values: Sequence[str], base: str | None) -> list[Clause]:
    """The clauses for a parameter that one of `values` must satisfy. Raises Invalid, naming the parameter."""
    key = "_id" if parameter.name == "_id" else f"fhir.index.{parameter.name}"
    rank = _rank(parameter)
    if modifier == "missing" and key != "_id":
        if values not in (["true"], ["false"]):
            raise malformed(parameter.name, "true or false")
        return [(_NEGATIVE, key, {"$exists": values == ["false"]})]
    if modifier == "not" and parameter.kind == "token":
        return [(_NEGATIVE, key, {"$nin": [_token(parameter, value) for value in values]})]
    if parameter.kind == "date" and not modifier:
        return _any([[(rank, *pair) for pair in _date(parameter, key, value)] for value in values])
    if parameter.kind == "string" and modifier in _STRING:
        make = _STRING[modifier]
        return _any([[(rank, key, make(parameter, unescape(value)))] for value in values])
    if parameter.kind == "reference":
        return [(rank, key, _one_of(_reference(parameter, modifier, unescape(value), base) for value in values))]
    if parameter.kind == "token" and not modifier:
        return [(rank, key, _one_of(_token(parameter, value) for value in values))]
    if parameter.kind == "uri" and not modifier:
        return [(rank, key, _one_of(map(unescape, values)))]
    raise _unmodified(parameter, modifier)


def merged(clauses: Iterable[Clause]) -> Document:
    """The filter in which all the clauses hold: plain keys by rank, and `$and` only for what would need a key twice."""
    query: Document = {}
    more = []
    for _, key, condition in sorted(clauses, key=lambda clause: clause[0]):
        if key in query:
            more.append({key: condition})
        else:
            query[key] = condition
    return {**query, "$and": more} if more else query


def updated(name: str, values: Sequence[str]) -> list[Document]:
    """The ranges of `fhir.updated`, of which one must hold, for the values of `_lastUpdated`."""
    found: list[Document] = []
    for value in values:
        prefix, low, high = dated(name, value)
        ends = {
            "eq": (low, high),
            "ge": (low, END),
            "gt": (high, END),
            "sa": (high, END),
            "le": (BEGIN, high),
            "lt": (BEGIN, low),
            "eb": (BEGIN, low),
        }
        parts = [ends["lt"], ends["gt"]] if prefix == "ne" else [ends[prefix]]
        found += [{"$gte": start, "$lt": end} for start, end in parts]
    return found


def dated(name: str, value: str) -> tuple[str, Any, Any]:
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


def _rank(parameter: Parameter) -> int:
    if parameter.name in _COMMONPLACE:
        return _RANK["date"] + 1
    return _RANK.get(parameter.name, _RANK[parameter.kind])


def _any(alternatives: list[list[Clause]]) -> list[Clause]:
    if len(alternatives) == 1:
        return alternatives[0]
    return [(_RANK["date"], "$or", [merged(clauses) for clauses in alternatives])]


def _one_of(values: Iterable[str]) -> Any:
    found = list(dict.fromkeys(values))
    return found[0] if len(found) == 1 else {"$in": found}


def _token(parameter: Parameter, value: str) -> str:
    parts = [unescape(part) for part in split(value, "|")]
    if not any(parts) or len(parts) > 2:
        raise malformed(parameter.name, "a code, system|code, system| or |code")
    return "|".join(parts)


def _reference(parameter: Parameter, modifier: str, value: str, base: str | None) -> str:
    if base and value.startswith(f"{base}/"):
        value = value[len(base) + 1 :]
    literal = references.split(value)
    value = f"{literal[0]}/{literal[1]}" if literal else value
    if not modifier:
        return value
    if (parameter.targets and modifier not in parameter.targets) or not modifier[:1].isupper():
        raise _unmodified(parameter, modifier)
    return value if "/" in value else f"{modifier}/{value}"


def _starts(parameter: Parameter, value: str) -> Document:
    text = _text(parameter, value)
    bounds = {"$gte": text, "$lt": text + _LAST}
    # The two ends may be met by two different items of the list: only $elemMatch means one item. Alone, it would not use the index.
    return {**bounds, "$elemMatch": bounds}


def _contains(parameter: Parameter, value: str) -> Document:
    return {"$regex": re.escape(_text(parameter, value))}


def _exact(parameter: Parameter, value: str) -> str:
    _text(parameter, value)
    return EXACT + clean(value)


def _text(parameter: Parameter, value: str) -> str:
    text = folded(value)
    if not text:
        raise malformed(parameter.name, "a text")
    return text


_STRING: dict[str, Callable[[Parameter, str], Any]] = {"": _starts, "exact": _exact, "contains": _contains}


def _date(parameter: Parameter, key: str, value: str) -> list[tuple[str, Any]]:
    """What must hold of some span in the list, by the ends of the value's own span: http://hl7.org/fhir/R4/search.html#prefix"""
    prefix, low, high = dated(parameter.name, value)
    lo, hi = f"{key}.lo", f"{key}.hi"
    contained = {"lo": {"$gte": low}, "hi": {"$lte": high}}
    before, after = {lo: {"$gte": BEGIN, "$lt": low}}, {hi: {"$gt": high, "$lte": END}}
    # The first condition is for the index: it follows from the second, which has alternatives or speaks of one span, and is slow alone.
    return {
        "eq": [(lo, {"$gte": low, "$lt": high}), (key, {"$elemMatch": contained})],
        "ne": [("$or", [before, after])],
        "gt": [*after.items()],
        "lt": [*before.items()],
        "ge": [(hi, {"$gt": low, "$lte": END}), ("$or", [{lo: {"$gte": low, "$lte": END}}, after])],
        "le": [(lo, {"$gte": BEGIN, "$lt": high}), ("$or", [{hi: {"$gte": BEGIN, "$lte": high}}, before])],
        "sa": [(lo, {"$gte": high, "$lte": END})],
        "eb": [(hi, {"$gte": BEGIN, "$lte": low})],
    }[prefix]
