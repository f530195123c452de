"""Referential integrity, where it is asked for: what a write refers to is there, and what it deletes is referred to by nothing.

Judged in the transaction of the write, which meets the others that could make it untrue: docs/decisions/006.
http://hl7.org/fhir/R4/http.html#delete
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pymongo.client_session import ClientSession

from adapter.errors import Conflict, NotApplicable
from adapter.fhir import references
from adapter.store import claims
from adapter.store.by_id import by_id
from adapter.store.index import KEYS
from adapter.store.repository import Also, Repository
from adapter.store.search_parameters import table
from server.fhir.writes import Write


def guard(repository: Repository, base: str, due: Sequence[Write]) -> Also:
    """What a transaction does after these writes: it raises NotApplicable for a reference to what is not here, Conflict for a deletion
    that leaves one.

    A reference that is followed is one by Type/id, relative or under our own base. A deletion is refused where a search parameter of
    another resource finds what is deleted; references that no search parameter finds do not hold it.
    """
    made = {write.reference for write in due if write.raw is not None}
    deleted = [write for write in due if write.raw is None]
    wanted: dict[str, set[str]] = defaultdict(set)
    for type, id in (target for write in due for target in _targets(write, base)):
        if f"{type}/{id}" not in made:
            wanted[type].add(id)
    for type in wanted:
        repository.collection(type)

    def check(session: ClientSession) -> None:
        referred = [f"{type}/{id}" for type, ids in wanted.items() for id in sorted(ids)]
        claims.meet(repository.database, referred, [write.reference for write in deleted], session)
        _check_targets(repository, wanted, session)
        if deleted:
            _check_referrers(repository, deleted, session)

    return check


def _targets(write: Write, base: str) -> Iterator[tuple[str, str]]:
    for reference in references.walk(write.raw):
        split = references.split(reference["reference"].removeprefix(f"{base}/"))
        if split and split[0] in table():
            yield split[0], split[1]


def _check_targets(repository: Repository, wanted: Mapping[str, set[str]], session: ClientSession) -> None:
    for type, ids in wanted.items():
        documents = by_id(repository.database[type], sorted(ids), {"fhir.deleted": 1}, session)
        if sum(not document["fhir"]["deleted"] for document in documents) < len(ids):
            raise NotApplicable(f"There is a reference to a {type} that is not here.")


def _check_referrers(repository: Repository, deleted: Sequence[Write], session: ClientSession) -> None:
    keys = [write.reference for write in deleted]
    # Which types there are is read after the meeting: a type that another transaction stores the first of is among them.
    for type in repository.types():
        query = {f"fhir.index.{KEYS}": {"$in": keys}, "fhir.deleted": False}
        if type in table() and repository.database[type].find_one(query, {"_id": 1}, session=session):
            raise Conflict(f"A {type} refers to this {deleted[0].type}.")
