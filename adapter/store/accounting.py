"""The AuditEvents that tell of disclosures of one patient, found for an accounting of them."""

from collections.abc import Iterator

from adapter.audit.event import DONE, TYPE
from adapter.fhir.resource import Raw, parse
from adapter.store import search
from adapter.store.repository import Repository

_PAGE = 500
# Read and executed; what was changed is told by Provenances.
_TOLD = "R,E"


def asked(patient: str, low: str | None = None, high: str | None = None) -> list[tuple[str, str]]:
    """The search for what tells of disclosures of a patient, `Patient/x`, in order of time: from one time to the end of another.

    The times are FHIR dates.
    """
    dated = [("date", f"{prefix}{text}") for prefix, text in (("ge", low), ("le", high)) if text]
    return [("patient", patient), ("outcome", DONE), ("action", _TOLD), *dated, ("_sort", "date")]


def page(
    repository: Repository, patient: str, low: str | None = None, high: str | None = None, cursor: str = "", size: int = _PAGE
) -> tuple[list[Raw], str | None]:
    """Some of these AuditEvents from a cursor on, and the cursor of the rest, None where that is all. Raises Invalid for a time or a cursor
    that is none."""
    return some(repository, asked(patient, low, high), cursor, size)


def some(repository: Repository, asked: list[tuple[str, str]], cursor: str, size: int) -> tuple[list[Raw], str | None]:
    """Some of the AuditEvents that a search finds, from a cursor on, and the cursor of the rest, None where that is all. Raises Invalid."""
    repository.collection(TYPE)
    from_there = [("_cursor", cursor)] if cursor else []
    query = search.parse(TYPE, [*asked, ("_count", str(size)), *from_there], clock=repository.clock)
    found = search.run(repository.database, query, repository.faces)
    return [parse(row.text) for row in found.rows], found.cursor


def about(repository: Repository, patient: str, low: str | None = None, high: str | None = None) -> Iterator[Raw]:
    """All of these AuditEvents. Raises Invalid for a time that is none."""
    cursor: str | None = ""
    while cursor is not None:
        found, cursor = page(repository, patient, low, high, cursor)
        yield from found
