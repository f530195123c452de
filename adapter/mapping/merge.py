"""Three-way merge of resources by element and list key; what both sides changed differently is a conflict, kept as data.

Works on raw JSON, so elements that no record knows merge by the same rules as those that one does. No version, id or clock is looked at.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from adapter.fhir.resource import SERVER_META, Raw, dumps, same

_MISSING: Any = object()

# What tells list items apart, tried in order: the first that every item of all three lists has, each once, is taken.
# Items are matched by what they are about (a url, an identifier, whom they refer to), never by position.
_KEYS: tuple[tuple[str, ...], ...] = (
    ("linkId",),
    ("id",),
    ("system", "value"),
    ("system", "code"),
    ("reference",),
    ("reference.reference",),
    ("member.reference",),
    ("individual.reference",),
    ("actor.reference",),
    ("condition.reference",),
    ("coding.system", "coding.code"),
    ("code.coding.system", "code.coding.code"),
    ("language.coding.code",),
    ("type.coding.system", "type.coding.code"),
    ("use",),
    ("sequence",),
    ("period.start",),
)

# The types a choice element's name can end in: http://hl7.org/fhir/R4/datatypes.html#open
_TYPES = re.compile(
    "(.+?)(Address|Age|Annotation|Attachment|Base64Binary|Boolean|Canonical|CodeableConcept|Code|Coding|DateTime|Date|Decimal|Duration|"
    "Expression|Identifier|Instant|Integer|Money|Period|PositiveInt|Quantity|Range|Ratio|Reference|SampledData|String|Time|Timing|Uri)"
)
# Named like the types of a choice element, but elements of their own, of which a resource can have both (Task, Contract,
# PaymentReconciliation). Others of the kind are lists, as no choice element is. http://hl7.org/fhir/R4/task.html
_NO_CHOICE = frozenset({"reason", "instantiates", "payment"})

Read = Callable[[Any], Any]
"""Finds one element in any version of a resource."""
Newest = Callable[["Change"], str | None]
"""Which side changed an element last, "ours" or "theirs"; None where that cannot be told."""

OWNERS = ("ours", "theirs", "newest", "person")
"""Who can decide about an element that both sides changed."""


def _itself(raw: Any) -> Any:
    return raw


def _nobody(_: "Change") -> str | None:
    return None


@dataclass(frozen=True)
class Change:
    """One element on which the sides differ. A value is None where that side does not have the element."""

    path: str
    base: Any
    ours: Any
    theirs: Any
    read: Read = field(default=_itself, compare=False, repr=False)

    def alike(self, left: Raw, right: Raw) -> bool:
        """Whether two versions of the resource say the same of this element of a conflict."""
        return _same(self.read(left), self.read(right))

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "base": self.base, "ours": self.ours, "theirs": self.theirs}


@dataclass
class Merged:
    """The merge's result. Where there is a conflict, `raw` holds theirs."""

    raw: Raw
    conflicts: list[Change] = field(default_factory=list)
    decided: dict[str, str] = field(default_factory=dict)
    """Path → who won, where both changed an element and its owner decided."""


@dataclass(frozen=True)
class Base:
    """The last state both sides agreed on, as each of them holds it: a remote may drop or rewrite what it cannot keep."""

    ours: Raw
    theirs: Raw


def merge(
    base: Base, ours: Raw, theirs: Raw, *, keep: str = "ours", decisions: Mapping[str, str] | None = None, newest: Newest = _nobody
) -> Merged:
    """The changes of both sides since `base`, together.

    Where neither changed an element, the side named by `keep` gives its form: "ours" for what we store, "theirs" for what we send.
    `decisions` says who decides (one of OWNERS) where both changed the same element differently: by its path (`name[official].family`), by
    its names alone (`name.family`), or by what it is part of (`name`); the closest counts. `newest` is asked where the newest wins. What
    nobody decided is a conflict.
    """
    walk = _Walk(decisions or {}, keep, newest)
    frame = ours if keep == "ours" else theirs
    content = _content(frame)
    merged = walk.objects(_Place(), _content(base.ours), _content(base.theirs), _content(ours), _content(theirs))
    raw = {name: merged.get(name, value) for name, value in frame.items() if name in merged or name not in content}
    raw |= {name: value for name, value in merged.items() if name not in raw}
    if "meta" in merged:
        owned = {name: value for name, value in frame.get("meta", {}).items() if name in SERVER_META}
        raw["meta"] = {**owned, **merged["meta"]}
    return Merged(raw, walk.conflicts, walk.decided)


def diff(old: Raw, new: Raw) -> list[Change]:
    """The elements in which `new` (given as `ours`) differs from `old` (given as `base`), as deep as lists can be matched by key."""
    return list(_diff("", _content(old), _content(new)))


def diff_there(old: Raw, new: Raw) -> list[Change]:
    """The elements in which `new`, a remote's (given as `theirs`), differs from `old` (given as `base`); ours has none of them."""
    return [replace(change, ours=None, theirs=change.ours) for change in diff(old, new)]


def _diff(path: str, old: Any, new: Any) -> Iterator[Change]:
    if _same(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _diff(f"{path}.{name}" if path else name, old.get(name, _MISSING), new.get(name, _MISSING))
    elif isinstance(old, list) and isinstance(new, list) and (key := _key_for([old, new])):
        before, after = {key(item): item for item in old}, {key(item): item for item in new}
        if before == after:
            yield Change(path, old, new, None)
        for label in [*before, *(label for label in after if label not in before)]:
            yield from _diff(f"{path}[{label}]", before.get(label, _MISSING), after.get(label, _MISSING))
    else:
        yield Change(path, _or_none(old), _or_none(new), None)


def _content(raw: Raw) -> Raw:
    """Without id, server-owned meta and a generated narrative: a server may rewrite these at will."""
    body = {name: value for name, value in raw.items() if name != "id"}
    if isinstance(meta := body.get("meta"), dict):
        body["meta"] = {name: value for name, value in meta.items() if name not in SERVER_META}
        if not body["meta"]:
            del body["meta"]
    if isinstance(text := body.get("text"), dict) and text.get("status") == "generated":
        del body["text"]
    return body


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a merge is: the path with and without the keys of list items, who decides here, and how to read what is here."""

    path: str = ""
    names: str = ""
    owner: str | None = None
    read: Read = _itself


class _Walk:
    """One merge. Values are given as the two bases, ours and theirs."""

    def __init__(self, decisions: Mapping[str, str], keep: str, newest: Newest) -> None:
        self.decisions, self.keep, self.newest = decisions, keep, newest
        self.conflicts: list[Change] = []
        self.decided: dict[str, str] = {}

    def value(self, place: _Place, our_base: Any, their_base: Any, ours: Any, theirs: Any) -> Any:
        we_changed, they_changed = not _same(our_base, ours), not _same(their_base, theirs)
        if not we_changed and not they_changed:
            return ours if self.keep == "ours" else theirs
        if _same(ours, theirs) or (not we_changed and _same(our_base, their_base)):
            return theirs
        if not they_changed and _same(our_base, their_base):
            return ours
        if isinstance(ours, dict) and isinstance(theirs, dict):
            our_base, their_base = (base if isinstance(base, dict) else {} for base in (our_base, their_base))
            return self.objects(place, our_base, their_base, ours, theirs)
        if isinstance(ours, list) and isinstance(theirs, list):
            bases = [base if isinstance(base, list) else [] for base in (our_base, their_base)]
            if key := _key_for([*bases, ours, theirs]):
                return self.lists(place, [*bases, ours, theirs], key)
        if not (we_changed and they_changed):
            return ours if we_changed else theirs
        return self.decide(place, our_base, ours, theirs)

    def decide(self, place: _Place, base: Any, ours: Any, theirs: Any) -> Any:
        change = Change(place.path, _told(base), _told(ours), _told(theirs), place.read)
        winner = self.newest(change) if place.owner == "newest" else place.owner
        if winner in ("ours", "theirs"):
            self.decided[place.path] = winner
        else:
            self.conflicts.append(change)
        return ours if winner == "ours" else theirs

    def within(self, place: _Place, name: str, read: Read) -> _Place:
        """The element of this name, which may be a choice's (`deceased[x]`)."""
        path, names = (f"{lead}.{name}".lstrip(".") for lead in (place.path, place.names))
        choice = name.removesuffix("[x]") if name.endswith("[x]") else _choice(name)
        of_choice = (names.removesuffix(name) + choice + end for end in ("[x]", "")) if choice else ()
        owner = next((self.decisions[each] for each in (path, names, *of_choice) if each in self.decisions), place.owner)
        return _Place(path, names, owner, lambda raw: read(place.read(raw)))

    def item(self, place: _Place, label: str, key: Callable[[Any], str | None]) -> _Place:
        path = f"{place.path}[{label}]"

        def read(raw: Any) -> Any:
            held = place.read(raw)
            return next((item for item in held if key(item) == label), _MISSING) if isinstance(held, list) else _MISSING

        return _Place(path, place.names, self.decisions.get(path, place.owner), read)

    def objects(self, place: _Place, our_base: Raw, their_base: Raw, ours: Raw, theirs: Raw) -> Raw:
        merged: Raw = {}
        first, second = (ours, theirs) if self.keep == "ours" else (theirs, ours)
        sides = our_base, their_base, ours, theirs
        beside = _beside(sides)
        for name in [*first, *(name for name in second if name not in first)]:
            if (plain := name.removeprefix("_")) in beside:
                merged |= {} if plain in merged or name in merged else self.primitives(place, plain, sides)
                continue
            value = self.value(self.within(place, name, _member(name)), *(side.get(name, _MISSING) for side in sides))
            if value is not _MISSING:
                merged[name] = value
        self.choices(place, ours, theirs, merged)
        return merged

    def primitives(self, place: _Place, name: str, sides: tuple[Raw, Raw, Raw, Raw]) -> Raw:
        """A list of primitives with what stands beside them."""
        read = [*map(_primitives(name), sides)]
        value = self.value(self.within(place, name, _primitives(name)), *read)
        for side, items in zip(sides, read, strict=True):
            if items is value:
                return {each: side[each] for each in (name, f"_{name}") if each in side}
        return _apart(name, value)

    def choices(self, place: _Place, ours: Raw, theirs: Raw, merged: Raw) -> None:
        """One type each of a choice element, where we wrote another than they did."""
        for mine in [name for name in merged if name not in theirs]:
            for rival in [name for name in merged if name not in ours and _choice(name) == _choice(mine) is not None]:
                if isinstance(ours[mine], list) or isinstance(theirs[rival], list):
                    continue
                inner = self.within(place, f"{_choice(mine)}[x]", _members(_choice(mine)))
                chosen = self.decide(inner, _MISSING, ours[mine], theirs[rival])
                merged.pop(rival if chosen is ours[mine] else mine, None)

    def lists(self, place: _Place, lists: list[list[Any]], key: Callable[[Any], str]) -> Any:
        sides = [{key(item): item for item in side} for side in lists]
        # The same order whichever is kept: else both sides would hold what was merged in orders of their own for ever.
        first, second = (sides[2], sides[3]) if _moved(sides[0], sides[2]) and not _moved(sides[1], sides[3]) else (sides[3], sides[2])
        merged = []
        for label in [*first, *(label for label in second if label not in first)]:
            value = self.value(self.item(place, label, key), *(side.get(label, _MISSING) for side in sides))
            if value is not _MISSING:
                merged.append(value)
        return merged or _MISSING


def _moved(before: Raw, after: Raw) -> bool:
    """Whether items that are in both lists, given by their labels, are in another order."""
    return [label for label in before if label in after] != [label for label in after if label in before]


@dataclass(frozen=True, slots=True)
class _Primitive:
    """An item of a list of primitives with what stands beside it, under `_name` at the same place: the two are one."""

    value: Any
    beside: Raw


def _primitives(name: str) -> Read:
    """Reads a list of primitives, each with what stands beside it. http://hl7.org/fhir/R4/json.html#primitive"""

    def read(held: Any) -> Any:
        beside = held.get(f"_{name}") if isinstance(held, dict) else None
        if not isinstance(beside, list):
            return _member(name)(held)
        return [_Primitive(value, more) if more else value for value, more in zip_longest(held.get(name, ()), beside)]

    return read


def _beside(sides: Iterable[Raw]) -> set[str]:
    """The names of lists of primitives of which something stands beside an item, on any side."""
    named = {name[1:] for side in sides for name in side if name.startswith("_") and isinstance(side[name], list)}
    return {name for name in named if all(isinstance(side.get(name, []), list) for side in sides)}


def _apart(name: str, items: Any) -> Raw:
    """What `_primitives` read, as FHIR writes it."""
    if items is _MISSING:
        return {}
    both = [(item.value, item.beside) if isinstance(item, _Primitive) else (item, None) for item in items]
    beside = {f"_{name}": [more for _, more in both]} if any(more for _, more in both) else {}
    return {name: [value for value, _ in both], **beside}


def _told(value: Any) -> Any:
    """A value as a conflict shows it: JSON, None where there is none."""
    if isinstance(value, list):
        return [*map(_told, value)]
    return {"value": value.value, **value.beside} if isinstance(value, _Primitive) else None if value is _MISSING else value


def _member(name: str) -> Read:
    return lambda held: held.get(name, _MISSING) if isinstance(held, dict) else _MISSING


def _members(choice: str | None) -> Read:
    """Reads all types of a choice element that there are."""
    return lambda held: {name: value for name, value in held.items() if _choice(name) == choice} if isinstance(held, dict) else _MISSING


def _or_none(value: Any) -> Any:
    return None if value is _MISSING else value


def _choice(name: str) -> str | None:
    """The base of a choice element's name: `value` of `valueQuantity`."""
    match = _TYPES.fullmatch(name)
    return match[1] if match and match[1] not in _NO_CHOICE else None


def _same(left: Any, right: Any) -> bool:
    if left is not right and isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, _Primitive) and isinstance(right, _Primitive):
        return same(left.value, right.value) and same(left.beside, right.beside)
    return left is right or (left is not _MISSING and right is not _MISSING and same(left, right))


def _key_for(sides: list[list[Any]]) -> Callable[[Any], str] | None:
    """How the items of these lists are told apart, None where nothing tells them apart."""
    items = [item for side in sides for item in side]
    edited = (_only,) if [len(side) for side in sides[:2]] == [1, 1] and all(len(side) < 2 for side in sides[2:]) else ()
    if all(isinstance(item, str | int | _Primitive) for item in items):
        candidates: Iterator[Callable[[Any], str | None]] = iter((*edited, _value_key))
    elif all(isinstance(item, dict) for item in items):
        candidates = iter((_reader(("url",)), _extension_key, *(_reader(paths) for paths in _KEYS), *edited, _reader(("text",))))
    else:
        return None
    for candidate in candidates:
        labels = [[candidate(item) for item in side] for side in sides]
        if all(None not in side and len(set(side)) == len(side) for side in labels):
            return candidate  # type: ignore[return-value]
    return None


def _value_key(item: Any) -> str:
    return dumps(item.value if isinstance(item, _Primitive) else item)


def _only(_: Any) -> str:
    """Where there was one item and no list has a second, it is that one, whatever became of it: two edits of it meet."""
    return "0"


def _extension_key(item: Any) -> str | None:
    """A complex extension that occurs several times is about what its first part says: a risk factor's kind, a reviewed goal."""
    parts = item.get("extension") if isinstance(item, dict) else None
    return dumps([item["url"], parts[0]]) if isinstance(parts, list) and parts and "url" in item else _reader(("url",))(item)


def _reader(paths: tuple[str, ...]) -> Callable[[Any], str | None]:
    def read(item: Any) -> str | None:
        parts = [_at(item, path) for path in paths]
        return None if None in parts else "|".join(map(str, parts))

    return read


def _at(item: Any, path: str) -> Any:
    for name in path.split("."):
        if isinstance(item, list):
            item = item[0] if item else None
        item = item.get(name) if isinstance(item, dict) else None
    return item if isinstance(item, str | int) else None
