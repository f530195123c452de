"""Whose records an export of people takes.

A Group names its members, or it says whom it means (http://hl7.org/fhir/R4/group.html, `actual`). Of the latter those are understood who
are covered by an insurer: one characteristic, whose code is R4's search parameter for that and whose value is the organisation.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from adapter.access.groups import members, payor
from adapter.access.whose import owners
from adapter.errors import NotFound
from adapter.fhir.dates import covers
from adapter.fhir.resource import Raw, parse
from adapter.store import search
from adapter.store.order import after
from adapter.store.repository import Repository
from adapter.sync.exporting.asked import Asked

_PATIENT = "Patient/"
_PAGE = 1000


def cohort(asked: Asked, repository: Repository) -> frozenset[str] | None:
    """References to the people whose records are asked for, None for everybody's. Raises NotFound, Gone for a Group that is not here."""
    named = frozenset(f"{_PATIENT}{id}" for id in asked.patients)
    if asked.group is None:
        return named or None
    group, now = parse(repository.row("Group", asked.group).text), repository.clock()
    insurer = payor(group)
    people = frozenset(_covered(repository, insurer, now)) if insurer else members_of(group, now)
    return people & named if named else people


def members_of(group: Raw, now: datetime) -> frozenset[str]:
    """References to the patients whom a Group names, as of now. Raises NotFound for one that only says whom it means."""
    if group.get("actual") is not True:
        raise NotFound("This Group does not name its members, nor says by which insurer they are covered: there is nobody to export.")
    return frozenset(
        reference
        for reference, member in members(group)
        if member.get("inactive") is not True and reference.startswith(_PATIENT) and covers(member.get("period"), now)
    )


def _covered(repository: Repository, insurer: str, now: datetime) -> Iterator[str]:
    """References to the patients of whom an active coverage by this insurer is in force."""
    database, type = repository.database, "Coverage"
    repository.collection(type)
    query = search.parse(type, [("payor", insurer), ("status", "active"), ("_sort", "_id"), ("_count", str(_PAGE))])
    while True:
        page = search.run(database, query)
        for coverage in (parse(row.text) for row in page.rows):
            if covers(coverage.get("period"), now):
                yield from owners(coverage)
        if page.cursor is None:
            return
        query = replace(query, after=after(page.cursor, query.sort))
