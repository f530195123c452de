"""Referential integrity, where it is asked for: what a write refers to is there, and what it deletes is referred to by nothing.

Checked before the write, not in one step with it: docs/decisions/006. http://hl7.org/fhir/R4/http.html#delete
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from adapter.errors import Conflict, NotApplicable
from adapter.fhir import references
from adapter.store.index import KEYS
from adapter.store.repository import Repository
from adapter.store.search_parameters import table
from server.fhir.writes import Write


def check(repository: Repository, base: str, writes: Sequence[Write]) -> None:
    """Raise NotApplicable for a reference to what is not here, Conflict for a deletion that would leave one.

    A reference that is followed is one by Type/id, relative or under our own base. A deletion is refused where a search parameter of
    another resource finds what is deleted; references that no search parameter finds do not hold it.
    """
    due = [write for write in writes if write.found is None]
    _check_targets(repository, base, due, {write.reference for write in writes if write.raw is not None})
    for type in {write.type for write in due if write.raw is None}:
        _check_referrers(repository, [write for write in due if write.raw is None and write.type == type], due)


def _check_targets(repository: Repository, base: str, due: Sequence[Write], made: set[str]) -> None:
    gone = {write.reference for write in due if write.raw is None}
    wanted: dict[str, set[str]] = defaultdict(set)
    for write in due:
        for type, id in _targets(write, base):
            if f"{type}/{id}" in gone:
                raise NotApplicable(f"This {write.type} refers to a {type} that is deleted with it.")
            if f"{type}/{id}" not in made:
                wanted[type].add(id)
    for type, ids in wanted.items():
        found = repository.find_many(type, ids)
        if any(id not in found or found[id].deleted for id in ids):
            raise NotApplicable(f"There is a reference to a {type} that is not here.")


def _targets(write: Write, base: str) -> Iterator[tuple[str, str]]:
    for reference in references.walk(write.raw):
        split = references.split(reference["reference"].removeprefix(f"{base}/"))
        if split and split[0] in table():
            yield split[0], split[1]


def _check_referrers(repository: Repository, deleted: Sequence[Write], due: Sequence[Write]) -> None:
    keys = [write.reference for write in deleted]
    for type in repository.types():
        if type in table():
            rewritten = [write.id for write in due if write.type == type]
            query = {f"fhir.index.{KEYS}": {"$in": keys}, "fhir.deleted": False, "_id": {"$nin": rewritten}}
            if next(repository.scan(type, query), None):
                raise Conflict(f"A {type} refers to this {deleted[0].type}.")
