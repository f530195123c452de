"""What a resource can be found by: its entries in the search index, from its raw JSON, never from a model.

One field per parameter says what exactly the parameter finds. KEYS holds the values by which a resource is found fast, of all parameters
together, and is the only one with an index. Measured on the embedded store: an index per parameter made inserting nine times as slow,
no query used a wildcard index, and a search by a key and a field took a tenth of a scan's time.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from adapter.access import whose
from adapter.cases.figures import COUNTED, Figure, figure, months
from adapter.cases.registry import TYPES
from adapter.clock import instant
from adapter.fhir.resource import Raw
from adapter.mapping.registry import mapping_for
from adapter.store.membership import outside
from adapter.store.pairs import CODE, OWNERS, pairs
from adapter.store.paths import Getter, getter
from adapter.store.search_parameters import COMMON, COMMONPLACE, Parameter, table
from adapter.store.values import CONVERT, EXACT, Measure, identifiers, texts

Entries = dict[str, list[Any]]

KEYS = "_key"
OUTSIDE = "_outside"
"""Whom it refers to without being in their compartment: with a key, what is there without being found by that key as a member."""
WHOSE = "_whose"
"""Whose it is (adapter.access.whose): who may see it finds it by this, too."""
FIGURES = "_figures"
"""What measures count of it (adapter.cases.figures); the months of a figure's days are among the keys."""
TEXT, IDENTIFIER = ":text", ":identifier"
"""Behind a parameter's name: the field that the modifier searches."""

_COUNTED = frozenset(type for concept in COUNTED for type in TYPES[concept])
_Rule = tuple[str, str, Getter, Callable[[Any], Iterator[Any]]]
# What else is kept of a kind's elements: the field, the kind of its entries, and how to read them.
_BESIDE = {"token": ((TEXT, TEXT, texts),), "reference": ((IDENTIFIER, "token", identifiers),)}


def entries(raw: Raw) -> Entries:
    """The index of a resource: for each parameter that finds something in it, the values to search by.

    They are those of `adapter.store.values`; a span is {lo, hi}, a measure {lo, hi, u: units}, a composite {a, b}, a list for each part.
    """
    values: dict[tuple[str, str], dict[Any, None]] = {}
    rules = _rules(raw.get("resourceType", ""))
    for element in ("", *raw):
        for name, kind, get, convert in rules.get(element, ()):
            for value in get(raw):
                values.setdefault((name, kind), {}).update(dict.fromkeys(convert(value)))
    found: Entries = {}
    keys: dict[str, dict[str, None]] = {}
    for (name, kind), several in values.items():
        if several:
            found[name] = [*map(_held, several)]
            if name not in COMMONPLACE:
                keys[name] = dict.fromkeys(key for value in several if (key := key_of(kind, value)))
    single = dict.fromkeys(key for several in keys.values() for key in several)
    together = single | dict.fromkeys(pairs({owner for name in OWNERS for owner in keys.get(name, ())}, keys.get(CODE, ())))
    if together:
        found[KEYS] = [*together]
        others = outside(
            raw.get("resourceType", ""), single, {name: found[name] for name, kind in values if kind == "reference" and name in found}
        )
        found |= {OUTSIDE: others} if others else {}
    if owned := whose.entries(raw):
        found[WHOSE] = owned
    if raw.get("resourceType") in _COUNTED and (counted := _figure(raw)):
        found |= {FIGURES: [counted], KEYS: [*together, *sorted(months(counted))]}
    return found


def _figure(raw: Raw) -> Figure | None:
    mapping = mapping_for(raw)
    if mapping is None or mapping.concept not in COUNTED or "id" not in raw:
        return None
    return figure(mapping.concept, mapping.extract(raw).fields, f"{raw['resourceType']}/{raw['id']}")


def key_of(kind: str, value: Any) -> str | None:
    """The entry of KEYS for an entry of a parameter; None where there is none, or another entry of the same parameter has it."""
    if kind == "date":
        return instant(value[0])
    if kind == "token":
        system, bar, code = value.rpartition("|")
        return code if system or not bar else None
    if kind == "reference":
        return value if "/" in value or ":" in value else None
    return value if kind in ("string", "uri", "phonetic") and not value.startswith(EXACT) else None


@cache
def _rules(type: str) -> dict[str, list[_Rule]]:
    """By the element that a path starts with, "" for what is asked of any resource: what to look for and how to read it."""
    rows = table().get(type)
    found: dict[str, list[_Rule]] = defaultdict(list)
    for row in rows.values() if rows else COMMON:
        for path in row.roots:
            element, get = getter(path)
            if row.kind == "composite":
                element = element or getter(row.parts[0][1][0])[0]
                found[element].append((row.name, row.kind, get, _composed(row)))
                continue
            found[element].append((row.name, row.kind, get, CONVERT[row.kind]))
            found[element] += [(row.name + field, kind, get, convert) for field, kind, convert in _BESIDE.get(row.kind, ())]
    return dict(found)


def _composed(row: Parameter) -> Callable[[Any], Iterator[Any]]:
    """From one root of a composite: the entries of its first part and those of its second, where it has both."""
    parts = [([getter(path)[1] for path in paths], CONVERT[kind]) for kind, paths in row.parts]

    def convert(root: Any) -> Iterator[Any]:
        held = [
            tuple(dict.fromkeys(entry for get in getters for value in get(root) for entry in convert(value))) for getters, convert in parts
        ]
        if all(held):
            yield _Composed(held)

    return convert


class _Composed(tuple[tuple[Any, ...], ...]):
    """The entries of each part of a composite."""


def _held(value: Any) -> Any:
    """An entry as MongoDB keeps it."""
    if isinstance(value, Measure):
        return {"lo": value.lo, "hi": value.hi, "u": [*value.units]}
    if isinstance(value, _Composed):
        return {name: [*map(_held, part)] for name, part in zip("ab", value, strict=True)}
    return {"lo": value[0], "hi": value[1]} if isinstance(value, tuple) else value
