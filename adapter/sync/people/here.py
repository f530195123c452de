"""Who is here: ours by what people and organisations are looked for, and those among them who may be one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from adapter.clock import instant
from adapter.fhir.resource import Raw
from adapter.store import index
from adapter.store.documents import Stored
from adapter.store.filters import KEY, one_of
from adapter.sync.people.identity import FACTS, OTHER, compare
from adapter.sync.people.people import People
from adapter.sync.people.questions import Doubt, mark

_AT_ONCE = 100


class Here:
    """Some of ours, by what they are looked for."""

    def __init__(self) -> None:
        self._by_id: dict[str, Stored] = {}
        self._by_key: dict[str, set[str]] = {}

    def add(self, stored: Stored) -> None:
        """Learn of somebody, or of a newer state of somebody."""
        self._by_id[stored.id] = stored
        for key in _keys(stored.raw):
            self._by_key.setdefault(key, set()).add(stored.id)

    def like(self, raw: Raw) -> list[Stored]:
        """Those who share an identifier, a birth date or an organisation's name with a resource."""
        ids = {id for key in _keys(raw) for id in self._by_key.get(key, ())}
        return [self._by_id[id] for id in sorted(ids)]


def alike(people: People, type: str, raws: Iterable[Raw]) -> Here:
    """Ours who may be one of these; not who gave way to another."""
    keys = [*dict.fromkeys(key for raw in raws for key in _keys(raw))]
    here = Here()
    for start in range(0, len(keys), _AT_ONCE):
        found = [*people.repository.scan(type, {KEY: one_of(keys[start : start + _AT_ONCE])})]
        gone = people.unions.gone(stored.reference for stored in found)
        for stored in found:
            if stored.reference not in gone:
                here.add(stored)
    return here


def look(people: People, trust: Sequence[str]) -> int:
    """Compare all of ours with each other by these identifier systems, and ask about who may be one; how many questions are open now."""
    for type in FACTS:
        by_key: dict[str, list[str]] = {}
        for stored in people.repository.scan(type):
            for key in _keys(stored.raw) if stored.text else ():
                by_key.setdefault(key, []).append(stored.id)
        seen: set[tuple[str, str]] = set()
        for ids in by_key.values():
            new = [pair for pair in combinations(sorted({*ids}), 2) if pair not in seen]
            seen.update(new)
            _ask(people, type, new, trust)
    return sum(1 for _ in people.questions.all())


def _ask(people: People, type: str, pairs: Sequence[tuple[str, str]], trust: Sequence[str]) -> None:
    found = people.repository.find_many(type, {id for pair in pairs for id in pair}) if pairs else {}
    gone = people.unions.gone(stored.reference for stored in found.values())
    for pair in pairs:
        # Who was made here is to stay.
        first, second = sorted((found[id] for id in pair), key=lambda stored: stored.born is not None)
        told = compare(first.raw, second.raw, trust)
        if told.verdict != OTHER and not {first.reference, second.reference} & gone:
            people.questions.ask(Doubt(first.reference, second.reference, told.why, mark([first.raw, second.raw])))


def _keys(raw: Raw) -> Iterator[str]:
    """By what a resource is looked for: its identifiers, its birth date, an organisation's name."""
    found = index.entries(raw)
    for kind, name in (("token", "identifier"), ("string", "name")):
        if kind == "token" or raw.get("resourceType") == "Organization":
            # An identifier's system alone is an entry, and no key.
            yield from filter(None, (index.key_of(kind, value) for value in found.get(name, ())))
    for span in found.get("birthdate", ()):
        yield instant(span["lo"])
