"""`_include` and `_revinclude`: what the resources of a page refer to, and what refers to them. http://hl7.org/fhir/R4/search.html#include"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pymongo.database import Database

from adapter.store.documents import Document
from adapter.store.faces import Faces
from adapter.store.filters import KEY
from adapter.store.query import Include, Query, typed_references
from adapter.store.rows import FACE, Row
from adapter.store.search_parameters import parameters, table

MAX_INCLUDED = 1000
_ROUNDS = 10


def shown(type: str, includes: Iterable[Include]) -> Document:
    """The projection of a resource from which these includes start."""
    names = {name for include in includes if not include.reverse and include.source == type for name in _names(include)}
    return {**FACE, **{f"fhir.index.{name}": 1 for name in names}}


def included(database: Database[Document], faces: Faces, query: Query, documents: Sequence[Document]) -> tuple[list[Row], bool]:
    """The rows that a page's documents bring with them, and whether there are more than are told."""
    seen = {(query.type, document["_id"]) for document in documents}
    rows: list[Row] = []
    fresh: dict[str, Sequence[Document]] = {query.type: documents} if documents else {}
    includes: Sequence[Include] = query.includes
    again = [include for include in includes if include.iterate]
    for _ in range(_ROUNDS):
        found: dict[str, list[Document]] = defaultdict(list)
        for type, document in _referred(database, faces, includes, again, fresh):
            if (type, document["_id"]) in seen:
                continue
            if len(rows) == MAX_INCLUDED:
                return rows, True
            seen.add((type, document["_id"]))
            rows.append(Row.of(document))
            found[type].append(document)
        fresh, includes = dict(found), again
        if not fresh or not again:
            break
    return rows, False


def _names(include: Include) -> list[str]:
    return typed_references(include.source) if include.parameter is None else [include.parameter]


def _referred(
    database: Database[Document],
    faces: Faces,
    includes: Sequence[Include],
    again: Sequence[Include],
    fresh: dict[str, Sequence[Document]],
) -> Iterable[tuple[str, Document]]:
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    canonical: dict[str, dict[str, None]] = defaultdict(dict)
    for include in includes:
        for document in () if include.reverse else fresh.get(include.source, ()):
            for name in _names(include):
                for text in document["fhir"].get("index", {}).get(name, ()):
                    type, slash, id = text.partition("/")
                    if slash and type.isalpha() and include.target in (None, type):
                        wanted[type][id] = None
                    elif ":" in text and "|" not in text:
                        for target in parameters(include.source)[name].targets:
                            if include.target in (None, target) and "url" in parameters(target):
                                canonical[target][text] = None
    for type, ids in wanted.items():
        if type not in table():
            continue
        if again:
            yield from _found(database, type, {"_id": {"$in": [*ids]}}, again)
        else:
            yield from ((type, document) for document in faces.of(type, ids).values() if document["fhir"]["raw"])
    for type, urls in canonical.items():
        yield from _found(database, type, {KEY: {"$in": [*urls]}, "fhir.index.url": {"$in": [*urls]}}, again)
    yield from _referring(database, includes, again, fresh)


def _referring(
    database: Database[Document], includes: Sequence[Include], again: Sequence[Include], fresh: dict[str, Sequence[Document]]
) -> Iterable[tuple[str, Document]]:
    """What refers to the fresh ones: one look-up by key for each type, however many parameters."""
    named: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for include in includes:
        if include.reverse:
            sources = _held(database) if include.source == "*" else [include.source]
            targets = {
                f"{type}/{document['_id']}" for type, documents in fresh.items() if include.target in (None, type) for document in documents
            }
            for source in sources if targets else ():
                for name in typed_references(source) if include.parameter is None else [include.parameter]:
                    named[source][name] |= targets
    for source, wanted in named.items():
        texts = sorted(set().union(*wanted.values()))
        shape = {f"fhir.index.{name}": 1 for name in wanted}
        for type, document in _found(database, source, {KEY: {"$in": texts}}, again, shape):
            index = document["fhir"].get("index", {})
            if any(not targets.isdisjoint(index.get(name, ())) for name, targets in wanted.items()):
                yield type, document


def _held(database: Database[Document]) -> list[str]:
    return sorted({*database.list_collection_names()} & {*table()})


def _found(
    database: Database[Document], type: str, query: Document, again: Sequence[Include], more: Document | None = None
) -> Iterable[tuple[str, Document]]:
    for document in database[type].find({**query, "fhir.deleted": False}, {**shown(type, again), **(more or {})}, limit=MAX_INCLUDED + 1):
        yield type, document
