"""What a query asks of other resources first: chains, _has, _list and code lookups become clauses on the resource itself."""

from collections.abc import Iterator
from dataclasses import replace

from pymongo.database import Database

from adapter.store.codes import members, subsumed
from adapter.store.documents import Document
from adapter.store.filters import NOTHING, PLAIN, Clause, found_by, implied
from adapter.store.query import Chain, Coded, Has, Join, Listed, Query


def settled(database: Database[Document], query: Query) -> Query:
    """The query with its joins asked: what they found as of now is among its clauses."""
    if not query.joins:
        return query
    clauses = [clause for join in query.joins for clause in _clauses(join, database)]
    return replace(query, clauses=(*query.clauses, *clauses), joins=())


def _clauses(join: Join, database: Database[Document]) -> list[Clause]:
    match join:
        case Chain():
            return _chained(join, database)
        case Has():
            return [(0, "_id", {"$in": _referred(join, database)})]
        case Listed():
            return [(0, "_id", {"$in": _listed(join, database)})]
        case Coded():
            return _coded(join, database)


def _chained(join: Chain, database: Database[Document]) -> list[Clause]:
    found = [f"{query.type}/{id}" for query in join.queries for id in _ids(database, query)]
    return found_by(join.parameter, found) if found else [NOTHING]


def _referred(join: Has, database: Database[Document]) -> list[str]:
    query, field, lead = settled(database, join.query), join.parameter.name, f"{join.type}/"
    found: dict[str, None] = {}
    for document in database[query.type].find(query.filter, {"_id": 0, f"fhir.index.{field}": 1}):
        texts = document.get("fhir", {}).get("index", {}).get(field, ())
        found.update(dict.fromkeys(text[len(lead) :] for text in texts if text.startswith(lead)))
    return [*found]


def _listed(join: Listed, database: Database[Document]) -> list[str]:
    lists = database["List"].find({"_id": {"$in": [*join.ids]}, "fhir.deleted": False}, {"fhir.index.item": 1})
    lead = f"{join.type}/"
    texts = [text for document in lists for text in document["fhir"].get("index", {}).get("item", ())]
    return [text[len(lead) :] for text in texts if text.startswith(lead)]


def _coded(join: Coded, database: Database[Document]) -> list[Clause]:
    name = join.parameter.name
    if join.modifier in ("in", "not-in"):
        codes = members(database, name, join.values[0])
    else:
        codes = [code for value in join.values for code in subsumed(database, name, value, upward=join.modifier == "above")]
    codes = [implied(join.parameter, code) for code in codes]
    if join.modifier == "not-in":
        return [(PLAIN, f"fhir.index.{name}", {"$nin": codes})]
    return found_by(join.parameter, codes) if codes else [NOTHING]


def _ids(database: Database[Document], query: Query) -> Iterator[str]:
    for document in database[query.type].find(settled(database, query).filter, {"_id": 1}):
        yield document["_id"]
