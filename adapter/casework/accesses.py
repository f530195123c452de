"""The account of accesses as people search it: by who asked, when, and whether it was refused; the newest first. docs/audit.md"""

from types import MappingProxyType

from adapter.audit.entries import Entry, entries
from adapter.audit.event import CLIENT, FAILED, REFUSED
from adapter.casework.disclosures import demand
from adapter.errors import Invalid
from adapter.store import accounting
from adapter.store.repository import Repository
from adapter.store.syntax import escape

PERSON, PROGRAM, RECORD = "person", "program", "record"
# The search parameter for who asked, and what its value begins with.
_BY = MappingProxyType({PERSON: ("altid", ""), PROGRAM: ("agent:identifier", f"{CLIENT}|"), RECORD: ("agent", "")})
WAYS = tuple(_BY)
"""How somebody is named: by the name of a user, the id of a client, or a reference such as `Organization/north`."""


def some(
    repository: Repository,
    way: str = PERSON,
    who: str = "",
    low: str = "",
    high: str = "",
    *,
    refused: bool = False,
    cursor: str = "",
    size: int,
) -> tuple[list[Entry], str | None]:
    """So many entries from a cursor on, the newest first, and the cursor of the rest, None where that is all.

    `low` and `high` are FHIR dates: recorded from one to the end of the other. Empty is any. Raises Forbidden for who does not read the
    account, Invalid.
    """
    demand(repository.sight)
    if way not in _BY:
        raise Invalid(f"Somebody is named as a {', a '.join(WAYS)}.", expression=["as"])
    name, start = _BY[way]
    asked = [
        *([(name, f"{start}{escape(who)}")] if who else []),
        *([("outcome", f"{REFUSED},{FAILED}")] if refused else []),
        # The time at which it was committed has an index, and is that of the record but for a moment.
        *(("_lastUpdated", f"{prefix}{text}") for prefix, text in (("ge", low), ("le", high)) if text),
        ("_sort", "-_lastUpdated"),
    ]
    found, rest = accounting.some(repository, asked, cursor, size)
    return [*entries(found)], rest
