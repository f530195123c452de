"""A search of several types: type after type, or all in one order. http://hl7.org/fhir/R4/search.html#_type"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pymongo.database import Database

from adapter.store import order, search
from adapter.store.documents import Document
from adapter.store.faces import Faces
from adapter.store.includes import included, shown
from adapter.store.joins import settled
from adapter.store.query import Query
from adapter.store.rows import Row
from adapter.store.search import Result


def by_type(database: Database[Document], queries: Sequence[Query], first: str) -> Result:
    """A page of what the queries find, one query after the other from that of the type `first` on.

    Its cursor is the type to go on with, a dot, and that query's own cursor. Raises Invalid as `search.run` does.
    """
    page = Result([], [], 0, None)
    for query in queries:
        if query.type >= first:
            if query.count and len(page.rows) >= query.count:
                page = replace(page, total=None, cursor=f"{query.type}.")
                break
            page = _joined(page, query.type, search.run(database, replace(query, count=query.count - len(page.rows))))
            if page.cursor:
                break
    if queries and (first or page.cursor):
        page = replace(page, total=sum(search.total(database, query) for query in queries) if queries[0].accurate else None)
    return page


def in_order(database: Database[Document], queries: Sequence[Query]) -> Result:
    """A page of what the queries find, in the order that all of them have; ties are in order of type and id.

    The sort values of all that is found are read for each page, texts only of what is on it. Raises Invalid as `search.run` does.
    """
    queries = [settled(database, query) for query in queries]
    sort, count, after = queries[0].sort, queries[0].count, queries[0].after
    places = [
        (values, f"{query.type}/{id}")
        for query in queries
        for document in database[query.type].find(query.filter, order.shown(sort))
        for values, id in [order.place(document, sort)]
    ]
    left = places if after is None else order.behind(places, after, sort)
    page = order.in_order(left, sort)[:count]
    ids: dict[str, list[str]] = defaultdict(list)
    for _, place in page:
        type, _, id = place.partition("/")
        ids[type].append(id)
    rows: dict[str, Row] = {}
    brought: list[Row] = []
    cut = False
    for query in queries:
        wanted = {"_id": {"$in": ids[query.type]}, "fhir.deleted": False}
        documents = [*database[query.type].find(wanted, shown(query.type, query.includes))] if ids[query.type] else []
        rows |= {f"{query.type}/{document['_id']}": Row.of(document) for document in documents}
        more, over = included(database, Faces(database), query, documents) if query.includes else ([], False)
        brought += more
        cut |= over
    found = [rows[place] for _, place in page if place in rows]
    following = order.cursor(sort, page[-1]) if len(left) > len(page) > 0 else None
    return Result(found, _once(brought, found), len(places), following, cut)


def _joined(page: Result, type: str, found: Result) -> Result:
    rows = [*page.rows, *found.rows]
    return Result(
        rows,
        _once([*page.included, *found.included], rows),
        None if page.total is None or found.total is None else page.total + found.total,
        f"{type}.{found.cursor}" if found.cursor else None,
        page.cut or found.cut,
    )


def _once(brought: Iterable[Row], rows: Iterable[Row]) -> list[Row]:
    """What is included, each once, without what is found itself."""
    known = {(row.type, row.id) for row in rows}
    return [*{key: row for row in brought if (key := (row.type, row.id)) not in known}.values()]
