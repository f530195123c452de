"""The value sets and code systems that are stored here as resources, as far as they say their codes themselves.

http://hl7.org/fhir/R4/valueset.html, http://hl7.org/fhir/R4/codesystem.html
"""

from collections.abc import Iterator
from typing import Any

from pymongo.database import Database

from adapter.errors import Invalid
from adapter.fhir.resource import Raw, parse
from adapter.store.documents import Document
from adapter.store.filters import KEY

_MAX_CODES = 10_000


def members(database: Database[Document], name: str, url: str) -> list[str]:
    """The tokens `system|code` of a value set; `name` is the parameter that asks.

    Raises Invalid where there is none of this URL, or it holds more than codes that it or a code system stored here enumerates.
    """
    found = _by_url(database, "ValueSet", url)
    if found is None:
        raise _unknown(name, "a value set that is stored here, by its URL")
    if isinstance(found.get("expansion"), dict):
        return _bounded(name, [*_expanded(found["expansion"].get("contains"))])
    compose = found.get("compose")
    if not isinstance(compose, dict):
        raise _unknown(name, "a value set that lists its codes")
    excluded = {code for part in compose.get("exclude") or () for code in _included(database, name, part)}
    included = [code for part in compose.get("include") or () for code in _included(database, name, part)]
    return _bounded(name, [code for code in included if code not in excluded])


def subsumed(database: Database[Document], name: str, token: str, *, upward: bool) -> list[str]:
    """The tokens of a code and of all below it, or all above it, in its code system. Raises Invalid where that is not stored here."""
    system, _, code = token.rpartition("|")
    found = _by_url(database, "CodeSystem", system)
    if found is None:
        raise _unknown(name, "a code of a code system that is stored here")
    lines = [*_lines(found.get("concept"), ())]
    chosen = [above if upward else (below,) for *above, below in lines if (below == code if upward else code in (*above, below))]
    codes = [code, *(one for codes in chosen for one in codes)]
    return _bounded(name, [f"{system}|{one}" for one in dict.fromkeys(codes)])


def _by_url(database: Database[Document], type: str, canonical: str) -> Raw | None:
    url, _, version = canonical.partition("|")
    query = {KEY: url, "fhir.index.url": url, "fhir.deleted": False} | ({"fhir.index.version": version} if version else {})
    document = database[type].find_one(query, {"fhir.raw": 1}, sort=[("fhir.updated", -1)])
    return parse(document["fhir"]["raw"]) if document else None


def _included(database: Database[Document], name: str, part: Any) -> Iterator[str]:
    if not isinstance(part, dict) or part.get("filter"):
        raise _unknown(name, "a value set without filters")
    system = part.get("system")
    sets = [{*members(database, name, url)} for url in part.get("valueSet") or ()]
    codes = [concept["code"] for concept in part.get("concept") or () if isinstance(concept, dict) and "code" in concept]
    if isinstance(system, str) and not codes:
        whole = _by_url(database, "CodeSystem", system)
        if whole is None:
            raise _unknown(name, "a value set whose code systems are stored here")
        codes = [below for *_, below in _lines(whole.get("concept"), ())]
    listed = [f"{system}|{code}" for code in codes] if isinstance(system, str) else [*(sets[0] if sets else ())]
    yield from (code for code in listed if all(code in allowed for allowed in sets))


def _expanded(contains: Any) -> Iterator[str]:
    for item in contains or ():
        if isinstance(item, dict):
            if "code" in item and not item.get("abstract"):
                yield f"{item.get('system', '')}|{item['code']}"
            yield from _expanded(item.get("contains"))


def _lines(concepts: Any, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Each concept's code behind those of its ancestors."""
    for concept in concepts or ():
        if isinstance(concept, dict) and isinstance(concept.get("code"), str):
            line = (*above, concept["code"])
            yield line
            yield from _lines(concept.get("concept"), line)


def _bounded(name: str, codes: list[str]) -> list[str]:
    if len(codes) > _MAX_CODES:
        raise _unknown(name, f"a value set of no more than {_MAX_CODES} codes")
    return codes


def _unknown(name: str, wanted: str) -> Invalid:
    return Invalid(f"The search parameter {name} needs {wanted}.", expression=[name])
