"""What a search would cost, judged before it is asked: by what its conditions have an index for, and how many resources there are.

An index leads to what has a key (`filters.KEY`), an id, or a time of the last update. Everything else is looked for among all resources of
the type. That ends soon where many have the value, as of a status, unless all of them are wanted: to be counted, sorted, or joined.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from pymongo.database import Database

from adapter.errors import TooCostly
from adapter.fhir.dates import BEGIN, END
from adapter.store.documents import Document
from adapter.store.filters import KEY, PLAIN
from adapter.store.query import Chain, Coded, Has, Join, Listed, Query, between
from adapter.store.search_parameters import COMMONPLACE, parameters

QUERIES_AT_MOST = 100
"""How many questions chains and `_has` may make of one search: a chain asks one of each type that it may lead to."""
INCLUDES_AT_MOST, SORTS_AT_MOST = 50, 10
LOOKED_AT = 100_000
"""How many resources of a type may be looked at one by one, where callers are asked who they are and no setting says otherwise."""

_INDEX = "fhir.index."
_BY_INDEX = frozenset({"_id", "_lastUpdated"})
_BETTER = ("patient", "subject", "identifier", "code", "name", "_id")
_FEW = 3
_KNOWN_SECONDS = 60.0


class Costs:
    """What searches of one store may cost. `most` resources of a type may be looked at one by one; 0 for any number."""

    def __init__(self, database: Database[Document], most: int = 0, *, now: Callable[[], float] = time.monotonic) -> None:
        self._database, self._most, self._now = database, most, now
        self._known: dict[str, tuple[float, int]] = {}

    def check(self, query: Query, *, whole: bool = False) -> None:
        """Raise TooCostly, saying what to add. `whole`: all that is found is read, whatever the page."""
        if len(query.includes) > INCLUDES_AT_MOST:
            raise TooCostly(f"A search may have {INCLUDES_AT_MOST} includes at most.", expression=["_include"])
        if len(query.sort) > SORTS_AT_MOST:
            raise TooCostly(f"A search may be sorted by {SORTS_AT_MOST} parameters at most.", expression=["_sort"])
        self.check_joined([query])
        if self._most:
            self._look(query, whole)

    def check_joined(self, queries: Iterable[Query]) -> None:
        """Raise TooCostly for the chains and `_has` of searches that are asked together: they count as those of one."""
        # No more are taken than are needed to know that they are too many: to read one can take 12 ms.
        found = [*islice((inner for query in queries for inner in joined(query)), QUERIES_AT_MOST + 1)]
        if len(found) > QUERIES_AT_MOST:
            raise TooCostly(
                f"The chains and _has of this search ask more than {QUERIES_AT_MOST} questions: name the types that they lead to, as in "
                "subject:Patient.name, or ask for less at once."
            )
        if self._most:
            for inner in found:
                self._look(inner, whole=True)

    def _look(self, query: Query, whole: bool) -> None:
        names = looked_through(query, whole=whole)
        if names and self._read(query) > self._most:
            better = ", ".join([name for name in _BETTER if name in parameters(query.type)][:_FEW])
            raise TooCostly(
                f"Of type {query.type} there are more than {self._most} resources here, and {' and '.join(names)} would look at each of "
                f"them. Ask besides by what has an index, such as {better}, or by a range of _lastUpdated.",
                expression=names,
            )

    def _read(self, query: Query) -> int:
        """How many resources are looked at, about."""
        total = self._total(query.type)
        if total <= self._most or (query.low, query.high) == (BEGIN, END):
            return total
        [(_, path, condition)] = between(query.low, query.high)
        return self._database[query.type].count_documents({path: condition}, limit=self._most + 1)

    def _total(self, type: str) -> int:
        at, total = self._known.get(type, (0.0, 0))
        if type not in self._known or self._now() - at > _KNOWN_SECONDS:
            total = self._database[type].estimated_document_count()
            self._known[type] = self._now(), total
        return total


def looked_through(query: Query, *, whole: bool = False) -> tuple[str, ...]:
    """The parameters for which all resources of the type are looked at; none where an index leads, or a page of them is soon full.

    `whole`: all that is found is read.
    """
    if any(path == KEY or (path == "_id" and rank < PLAIN) for rank, path, _ in query.clauses) or any(map(_leads, query.joins)):
        return ()
    asked = [*map(_named, query.clauses), *((join.parameter.name, True) for join in query.joins if isinstance(join, Coded))]
    named = {name: common for name, common in asked if name}
    if rare := tuple(name for name, common in named.items() if not common):
        return rare
    ordered = len(query.sort) > 1 or query.sort[0].code not in _BY_INDEX
    if whole or ordered:
        return (*named, *(("_sort",) if ordered or not named else ()))
    # How many there are of a type is what every sync asks, and costs no look at what they say.
    return tuple(named) if query.accurate or not query.count else ()


def joined(query: Query) -> Iterator[Query]:
    """The queries of its chains and `_has`, those inside of them too."""
    for join in query.joins:
        for inner in join.queries if isinstance(join, Chain) else (join.query,) if isinstance(join, Has) else ():
            yield inner
            yield from joined(inner)


def _leads(join: Join) -> bool:
    """Whether what a join finds is looked up by an index."""
    match join:
        case Coded():
            return join.modifier != "not-in" and join.parameter.name not in COMMONPLACE
        case Chain() | Has() | Listed():
            return True


def _named(clause: tuple[int, str, Any]) -> tuple[str, bool]:
    """The parameter of a clause, empty for none, and whether many resources fulfil it."""
    _, path, condition = clause
    if path == "$or":
        return _named((PLAIN, next(iter(condition[0])), None))[0], False
    if path == "fhir.updated":
        return "_lastUpdated", False
    if path == "_id":
        return "_id", True
    name, _, field = path.removeprefix(_INDEX).partition(":")
    if not path.startswith(_INDEX) or name.startswith("_") and name not in COMMONPLACE:
        return "", True
    operators = condition.keys() if isinstance(condition, dict) else frozenset()
    # What has not one value has any of the others: most have.
    return name, "$nin" in operators or (name in COMMONPLACE and not field and not operators & {"$exists", "$regex"})
