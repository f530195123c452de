"""One search parameter with its values as MongoDB conditions. http://hl7.org/fhir/R4/search.html

A parameter gives the exact condition on its own field and, where it can, a broader one on KEYS, which is indexed; a filter holds the best
of the broader ones. The embedded store uses no index as soon as a filter has `$or` or `$and`: alternatives go into `$in`, `$elemMatch`
and `$regex` on the one field, repetitions into `$all`.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.clock import Clock, instant, utc_now
from adapter.errors import Invalid
from adapter.fhir import references
from adapter.store.documents import Document
from adapter.store.index import IDENTIFIER, KEYS, OUTSIDE, TEXT, key_of
from adapter.store.ranges import date_ways, dated, number_ways, quantity_ways
from adapter.store.search_parameters import COMMONPLACE, Parameter
from adapter.store.syntax import malformed, plain, split, unescape
from adapter.store.values import EXACT, clean, folded, soundex

Clause = tuple[int, str, Any]
"""(rank, path, condition): what must hold of a document. Paths with a low rank come first in a filter."""


@dataclass(frozen=True)
class Setting:
    """What the values of a search are read against."""

    base: str | None = None
    """The address under which references to resources here may be absolute."""
    clock: Clock = utc_now


@dataclass(frozen=True)
class _Wanted:
    """A parameter as it was asked for."""

    parameter: Parameter
    modifier: str
    values: Sequence[str]
    setting: Setting

    @property
    def path(self) -> str:
        return f"fhir.index.{self.parameter.name}"


_INDEX = "fhir.index."
KEY = _INDEX + KEYS
# Of several keys the one that finds fewest resources is used. Behind them comes what narrows without an index.
_RANK = {"identifier": 1, "reference": 2, "uri": 3, "string": 3, "phonetic": 3, "token": 4, "composite": 4, "date": 5}
OWNED, PAIRED, UPDATED, PLAIN = -1, 0, 6, 7
"""Membership in a compartment goes before all: it has no field of its own beside its key, and a filter holds one key only."""
NOTHING: Clause = (0, "_id", {"$in": []})
"""What no document fulfils."""

_LAST = chr(0x10FFFF)
# The embedded store compiles patterns of a thousand characters, MongoDB of 32,764.
PATTERN_AT_MOST = 900
_MEASURED: dict[str, Callable[[str, str], list[Document]]] = {"number": number_ways, "quantity": quantity_ways}


def conditions(parameter: Parameter, modifier: str, values: Sequence[str], setting: Setting) -> list[Clause]:
    """The clauses for a parameter that one of `values` must satisfy. Raises Invalid, naming the parameter."""
    if parameter.name == "_id":
        return [_id(modifier, [*map(unescape, values)])]
    path = f"fhir.index.{parameter.name}"
    if not parameter.paths:
        raise unmodified(parameter, modifier)
    if modifier == "missing" and parameter.kind != "composite":
        if values not in (["true"], ["false"]):
            raise malformed(parameter.name, "true or false")
        return [(PLAIN, path, {"$exists": values == ["false"]})]
    make = _CLAUSES.get((parameter.kind, modifier)) or (_reference if parameter.kind == "reference" else None)
    if make is None:
        raise unmodified(parameter, modifier)
    return make(_Wanted(parameter, modifier, values, setting))


def merged(clauses: Iterable[Clause]) -> Document:
    """The filter in which all the clauses hold; of the keys it has only the best."""
    query: Document = {}
    more = []
    for _, path, condition in sorted(clauses, key=lambda clause: clause[0]):
        if path not in query:
            query[path] = condition
        elif path != KEY:
            both = None if path.startswith("$") else _both_ids(query[path], condition) if path == "_id" else _both(query[path], condition)
            if both is None:
                more.append({path: condition})
            else:
                query[path] = both
    query = _led(query) if KEY in query else query
    return {**query, "$and": more} if more else query


def _led(query: Document) -> Document:
    """The filter where a key leads to what is found.

    The embedded store looks for an index of each further field that it could use for its condition, 0.2 ms a field; a condition by `$all`
    or `$elemMatch` it does not. What is deleted has no keys.
    """
    return {
        path: _plain(condition) if path.startswith(_INDEX) and path != KEY else condition
        for path, condition in query.items()
        if path != "fhir.deleted"
    }


def _plain(condition: Any) -> Any:
    if not isinstance(condition, dict):
        return {"$all": [condition]}
    return {"$elemMatch": condition} if condition.keys() == {"$in"} else condition


def _both_ids(left: Any, right: Any) -> Document | None:
    """One condition on `_id`, which is no list, for two that name ids."""
    first, second = (item if isinstance(item, dict) else {"$in": [item]} for item in (left, right))
    if first.keys() == second.keys() == {"$in"}:
        allowed = set(second["$in"])
        return {"$in": [id for id in first["$in"] if id in allowed]}
    return None if first.keys() & second.keys() else {**first, **second}


def _both(left: Any, right: Any) -> Document | None:
    """One condition in which both hold; None where they use one operator in two ways."""
    first, second = _operators(left), _operators(right)
    if "$in" in first and "$in" in second and "$elemMatch" not in first:
        second = {"$elemMatch" if name == "$in" else name: {"$in": value} if name == "$in" else value for name, value in second.items()}
    shared = first.keys() & second.keys()
    if shared - {"$all"}:
        return None
    return {**first, **second, **({"$all": first["$all"] + second["$all"]} if shared else {})}


def _operators(condition: Any) -> Document:
    if isinstance(condition, dict) and "$elemMatch" not in condition:
        return condition
    return {"$all": [condition]}


def belonging(owner: str, id: str) -> Document:
    """What members of the compartment of `owner/id` fulfil, of a type that it can have."""
    reference = f"{owner}/{id}"
    return {KEY: reference, f"{_INDEX}{OUTSIDE}": {"$ne": reference}}


def unmodified(parameter: Parameter, modifier: str) -> Invalid:
    """The error for a modifier that a parameter does not have."""
    return Invalid(
        f"The search parameter {parameter.name} does not have the modifier :{plain(modifier)} here.", expression=[parameter.name]
    )


def one_of(values: Iterable[str]) -> Any:
    """The condition that one of these is there."""
    found = list(dict.fromkeys(values))
    return found[0] if len(found) == 1 else {"$in": found}


def found_by(parameter: Parameter, values: Sequence[str]) -> list[Clause]:
    """The clauses for index entries of which a parameter must have one: on its field and, where every entry has a key, on KEYS."""
    return [(PLAIN, f"fhir.index.{parameter.name}", one_of(values)), *_keys(parameter, parameter.kind, values)]


def _keys(parameter: Parameter, kind: str, values: Sequence[str]) -> list[Clause]:
    found = [key_of(kind, value) for value in values]
    if parameter.name in COMMONPLACE or not found or not all(found):
        return []
    return [(_RANK.get(parameter.name, _RANK[kind]), KEY, one_of(key for key in found if key))]


def _id(modifier: str, values: list[str]) -> Clause:
    if modifier not in ("", "not") or not all(values):
        raise malformed("_id", "one or several ids, and no modifier but :not")
    return (PLAIN, "_id", {"$nin": values}) if modifier else (0, "_id", one_of(values))


def _token(wanted: _Wanted) -> list[Clause]:
    found = [implied(wanted.parameter, token(wanted.parameter.name, value)) for value in wanted.values]
    return [(PLAIN, wanted.path, {"$nin": found})] if wanted.modifier else found_by(wanted.parameter, found)


def token(name: str, value: str) -> str:
    """The index entry that code, system|code, system| or |code means. Raises Invalid."""
    parts = [unescape(part) for part in split(value, "|")]
    if not any(parts) or len(parts) > 2:
        raise malformed(name, "a code, system|code, system| or |code")
    return "|".join(parts)


def implied(parameter: Parameter, entry: str) -> str:
    """The index entry for a token; of an element of type code, which has its system implied, the code stands for `system|code`.

    http://hl7.org/fhir/R4/search.html#token: "the system is defined in the value set (though it's not usually needed)"
    """
    system, _, code = entry.rpartition("|")
    return code if code and system and system == parameter.system else entry


def _text(wanted: _Wanted) -> list[Clause]:
    return [(PLAIN, wanted.path + TEXT, _starting(wanted.parameter, _folded(wanted.parameter, wanted.values)))]


def _identifier(wanted: _Wanted) -> list[Clause]:
    found = [token(wanted.parameter.name, value) for value in wanted.values]
    return [(PLAIN, wanted.path + IDENTIFIER, one_of(found)), *_keys(wanted.parameter, "token", found)]


def _reference(wanted: _Wanted) -> list[Clause]:
    found = [_literal(wanted.parameter, wanted.modifier, unescape(value), wanted.setting.base) for value in wanted.values]
    typed = [one for value in found for one in _typed(wanted.parameter, value)]
    return [(PLAIN, wanted.path, one_of(found)), *_keys(wanted.parameter, "reference", typed)]


def _literal(parameter: Parameter, modifier: str, value: str, base: str | None) -> str:
    if not value:
        raise malformed(parameter.name, "an id, Type/id or URL")
    if base and value.startswith(f"{base}/"):
        value = value[len(base) + 1 :]
    literal = references.split(value)
    value = f"{literal[0]}/{literal[1]}" if literal else value
    if not modifier:
        return value
    if (parameter.targets and modifier not in parameter.targets) or not modifier[:1].isupper():
        raise unmodified(parameter, modifier)
    return value if "/" in value else f"{modifier}/{value}"


def _typed(parameter: Parameter, value: str) -> list[str]:
    """The references that a bare id can stand for; itself where the parameter may point to anything."""
    return [value] if "/" in value or not parameter.targets else [f"{type}/{value}" for type in parameter.targets]


def _uri(wanted: _Wanted) -> list[Clause]:
    texts = [*map(unescape, wanted.values)]
    if not all(texts):
        raise malformed(wanted.parameter.name, "a URI")
    if wanted.modifier == "below":
        clauses: list[Clause] = [(PLAIN, wanted.path, _starting(wanted.parameter, texts))]
        return (
            [*clauses, (_RANK["uri"], KEY, _prefixed(texts[0]))]
            if len(texts) == 1 and wanted.parameter.name not in COMMONPLACE
            else clauses
        )
    if wanted.modifier == "above":
        texts = [
            text[:end]
            for text in texts
            for end in range(1, len(text) + 1)
            if end == len(text) or text[end] in "/?#" or text[end - 1] == "/"
        ]
    return found_by(wanted.parameter, texts)


def _string(wanted: _Wanted) -> list[Clause]:
    path, texts = wanted.path, _folded(wanted.parameter, wanted.values)
    if wanted.modifier == "exact":
        return [(PLAIN, path, one_of(EXACT + clean(unescape(value)) for value in wanted.values)), *_keys(wanted.parameter, "string", texts)]
    if wanted.modifier == "contains":
        return [(PLAIN, path, _containing(wanted.parameter, texts))]
    found: list[Clause] = [(PLAIN, path, _starting(wanted.parameter, texts))]
    if len(texts) == 1:
        found.append((_RANK["string"], KEY, _prefixed(texts[0])))
    return found


def _folded(parameter: Parameter, values: Sequence[str]) -> list[str]:
    texts = [folded(unescape(value)) for value in values]
    if not all(texts):
        raise malformed(parameter.name, "a text")
    return texts


def _starting(parameter: Parameter, texts: Sequence[str]) -> Document:
    return {"$regex": f"^(?:{_containing(parameter, texts)['$regex']})"}


def _containing(parameter: Parameter, texts: Sequence[str]) -> Document:
    pattern = "|".join(map(re.escape, texts))
    if len(pattern) > PATTERN_AT_MOST:
        raise malformed(parameter.name, f"no more than {PATTERN_AT_MOST} characters to compare texts with")
    return {"$regex": pattern}


def _prefixed(text: str) -> Document:
    return {"$gte": text, "$lt": text + _LAST}


def _phonetic(wanted: _Wanted) -> list[Clause]:
    sounds = [soundex(unescape(value)) for value in wanted.values]
    if not all(sounds):
        raise malformed(wanted.parameter.name, "a word of Latin letters")
    return found_by(wanted.parameter, sounds)


def _measured(wanted: _Wanted) -> list[Clause]:
    ways = [way for value in wanted.values for way in _MEASURED[wanted.parameter.kind](wanted.parameter.name, value)]
    return [_ranged(wanted, ways)]


def _date(wanted: _Wanted) -> list[Clause]:
    name, clock = wanted.parameter.name, wanted.setting.clock
    clauses = [_ranged(wanted, [way for value in wanted.values for way in date_ways(name, value, clock)])]
    if len(wanted.values) == 1 and name not in COMMONPLACE:
        prefix, low, high = dated(name, wanted.values[0], clock)
        if prefix == "eq":
            clauses.append((_RANK["date"], KEY, {"$gte": instant(low), "$lt": instant(high)}))
    return clauses


def _ranged(wanted: _Wanted, ways: list[Document]) -> Clause:
    """What must hold of one range in the list."""
    return PLAIN, wanted.path, {"$elemMatch": _any(ways, "lo")}


def _any(ways: list[Document], field: str) -> Document:
    # `$or` may not come first in `$elemMatch`: the embedded store then takes it for a condition on the item itself.
    return ways[0] if len(ways) == 1 else {field: {"$exists": True}, "$or": ways}


def _composite(wanted: _Wanted) -> list[Clause]:
    ways, keys = [], []
    for value in wanted.values:
        texts = split(value, "$")
        if len(texts) != len(wanted.parameter.parts):
            raise malformed(wanted.parameter.name, f"{len(wanted.parameter.parts)} values joined by $")
        way: Document = {}
        for field, text, (kind, _) in zip("ab", texts, wanted.parameter.parts, strict=True):
            exact, *broad = conditions(Parameter(wanted.parameter.name, kind, ("",)), "", [text], wanted.setting)
            way[field] = exact[2]
            keys += [condition for _, _, condition in broad if field == "a"]
        ways.append(way)
    whole = [f"fhir.index.{name}" for name in wanted.parameter.whole]
    held = [dict(zip(whole, way.values(), strict=True)) for way in ways if whole]
    held += [{wanted.path: {"$elemMatch": way}} for way in ways if wanted.parameter.roots]
    clauses: list[Clause] = [(PLAIN, "$or", held)] if len(held) > 1 else [(PLAIN, path, condition) for path, condition in held[0].items()]
    return [*clauses, (_RANK["composite"], KEY, one_of(keys))] if len(keys) == len(wanted.values) else clauses


_CLAUSES: dict[tuple[str, str], Callable[[_Wanted], list[Clause]]] = {
    ("token", ""): _token,
    ("token", "not"): _token,
    ("token", "text"): _text,
    ("reference", ""): _reference,
    ("reference", "identifier"): _identifier,
    ("uri", ""): _uri,
    ("uri", "above"): _uri,
    ("uri", "below"): _uri,
    ("string", ""): _string,
    ("string", "exact"): _string,
    ("string", "contains"): _string,
    ("phonetic", ""): _phonetic,
    ("date", ""): _date,
    ("number", ""): _measured,
    ("quantity", ""): _measured,
    ("composite", ""): _composite,
}
