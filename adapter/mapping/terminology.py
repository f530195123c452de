"""The code systems of our own, as CodeSystem resources, made from the code tables that the mappings read and write by."""

from collections.abc import Iterable, Iterator
from functools import cache
from types import MappingProxyType

from adapter.config import CS
from adapter.fhir.resource import Raw
from adapter.mapping.codes import CodeTable
from adapter.mapping.lists import Each
from adapter.mapping.registry import MAPPINGS
from adapter.mapping.rules import Group, Rule
from adapter.mapping.words import Refined, Word


@cache
def code_systems() -> MappingProxyType[str, Raw]:
    """By url, each code system of ours that a mapping uses, with all its codes. http://hl7.org/fhir/R4/codesystem.html"""
    codes: dict[str, dict[str, str]] = {}
    for system, table in _tables(rule for mapping in MAPPINGS for rule in mapping.rules):
        if system.startswith(f"{CS}/"):
            codes.setdefault(system, {}).update(table.pairs)
    return MappingProxyType({url: _code_system(url, pairs) for url, pairs in sorted(codes.items())})


def _tables(rules: Iterable[Rule]) -> Iterator[tuple[str, CodeTable]]:
    for rule in rules:
        if isinstance(rule, Word):
            yield rule.system, rule.table
        elif isinstance(rule, Refined):
            yield from _tables([rule.coarse, rule.fine])
        elif isinstance(rule, Group | Each):
            yield from _tables(rule.rules)


def _code_system(url: str, pairs: dict[str, str]) -> Raw:
    id = url.rpartition("/")[2]
    return {
        "resourceType": "CodeSystem",
        "id": id,
        "url": url,
        "name": "".join(part.capitalize() for part in id.split("-")),
        "status": "active",
        "content": "complete",
        "caseSensitive": True,
        "count": len(pairs),
        "concept": [{"code": code, "display": word.replace("_", " ")} for code, word in sorted(pairs.items())],
    }
