"""The concepts of a CodeSystem and what a ValueSet includes of them. http://hl7.org/fhir/R4/valueset.html#compositions"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from adapter.errors import NotSupported
from adapter.fhir.resource import Raw
from adapter.store.repository import Repository
from server.fhir.operations import held

_DEPTH = 8
"""How deep value sets may include value sets: deeper ones go round in a circle."""
_LIMIT = 10_000
_ANCESTRY = {"is-a": True, "descendent-of": False}
"""Filters on the hierarchy, and whether the concept that is named is one of the found."""


@dataclass(frozen=True)
class Concept:
    """A concept of a code system; `above` are the codes it is below, the nearest last."""

    system: str
    raw: Raw
    above: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        return str(self.raw["code"])

    def contains(self, *, designations: bool) -> Raw:
        """The concept as an expansion has it."""
        shown = ("display", *(("designation",) if designations else ()))
        abstract = any(item.get("code") == "notSelectable" and item.get("valueBoolean") for item in self.raw.get("property", ()))
        found = {"system": self.system, **({"abstract": True} if abstract else {}), "code": self.code}
        return found | {name: self.raw[name] for name in shown if name in self.raw}


def concepts(code_system: Raw) -> Iterator[Concept]:
    """All concepts of a code system, parents before children."""
    yield from _below(code_system.get("url", ""), code_system.get("concept", ()), ())


def expanded(repository: Repository, value_set: Raw, depth: int = 0) -> list[Concept]:
    """What a value set is made of, each code once. Raises NotFound and NotSupported where what it draws on is not held here."""
    compose = value_set.get("compose")
    if compose is None:
        listed = value_set.get("expansion", {}).get("contains")
        if listed is None:
            raise NotSupported("The value set says neither what it is composed of nor what it contains.")
        return list(_contained(listed))
    excluded = {(c.system, c.code) for part in compose.get("exclude", ()) for c in _included(repository, part, depth)}
    found = {(c.system, c.code): c for part in compose.get("include", ()) for c in _included(repository, part, depth)}
    kept = [concept for key, concept in found.items() if key not in excluded]
    if len(kept) > _LIMIT:
        raise NotSupported(f"The value set has more than {_LIMIT} codes.")
    return kept


def _below(system: str, items: Iterable[Raw], above: tuple[str, ...]) -> Iterator[Concept]:
    for item in items:
        if "code" not in item:
            continue
        yield Concept(system, item, above)
        yield from _below(system, item.get("concept", ()), (*above, item["code"]))


def _contained(items: Iterable[Raw]) -> Iterator[Concept]:
    for item in items:
        if "code" in item and not item.get("abstract"):
            yield Concept(item.get("system", ""), {name: item[name] for name in ("code", "display", "designation") if name in item})
        yield from _contained(item.get("contains", ()))


def _included(repository: Repository, part: Raw, depth: int) -> list[Concept]:
    if depth > _DEPTH:
        raise NotSupported("The value set includes itself, or is nested too deep.")
    sets = [expanded(repository, held.get(repository, "ValueSet", url), depth + 1) for url in part.get("valueSet", ())]
    chosen = _of_system(repository, part) if "system" in part else sets.pop(0) if sets else []
    for codes in ({(c.system, c.code) for c in several} for several in sets):
        chosen = [concept for concept in chosen if (concept.system, concept.code) in codes]
    return chosen


def _of_system(repository: Repository, part: Raw) -> list[Concept]:
    system = part["system"]
    code_system = held.by_url(repository, "CodeSystem", system, part.get("version"))
    if "concept" in part:
        known = {concept.code: concept.raw for concept in concepts(code_system)} if code_system else {}
        return [Concept(system, {**known.get(item["code"], {}), **item}) for item in part["concept"] if "code" in item]
    if code_system is None or code_system.get("content") != "complete":
        raise NotSupported("The value set takes all codes of a code system that is not held here as a whole.")
    return [concept for concept in concepts(code_system) if _passes(concept, part.get("filter", ()))]


def _passes(concept: Concept, filters: Sequence[Raw]) -> bool:
    for row in filters:
        if row.get("property") != "concept" or row.get("op") not in _ANCESTRY:
            raise NotSupported("Value sets are filtered here by the hierarchy only: concept is-a and descendent-of.")
        if row["value"] not in concept.above and not (_ANCESTRY[row["op"]] and row["value"] == concept.code):
            return False
    return True
