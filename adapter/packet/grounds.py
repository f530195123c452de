"""Why each resource of a packet was allowed: by which Consent and which of its provisions, or by what else."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapter.access.consent import Content, deciding
from adapter.access.disclosure import Disclosure
from adapter.access.reasons import CONSENT, NO_OBJECTION, NOBODYS, NOT_ASKED, TARGET
from adapter.access.sensitive import codings, labels
from adapter.fhir.resource import Raw, parse
from adapter.packet.reach import PROVENANCE, named, record_of
from adapter.store.care_dates import care
from adapter.store.rows import Row


@dataclass(frozen=True, order=True)
class Ground:
    """Why something was allowed."""

    basis: str
    """One of `reasons.BASES`."""
    consent: str = ""
    """The Consent that says so, as `Consent/x`."""
    element: str = ""
    """What of it says so, as FHIRPath."""


def grounds(rows: Iterable[Row], disclosed: Disclosure | None, consents: Mapping[str, Raw]) -> dict[Ground, int]:
    """By ground, how many of these resources it is the reason for; several Consents may agree on one.

    `disclosed` is None where nobody is asked who they are; `consents` are the patient's, compiled, by reference.
    """
    found = Counter(ground for row in rows for ground in _of(row, disclosed, consents))
    return dict(sorted(found.items()))


def content(row: Row) -> Content:
    """What of a resource consents can be about."""
    raw = parse(row.text)
    codes = frozenset(f"{coding['system']}|{coding['code']}" for coding in codings(raw))
    return Content(row.type, labels(raw), named(row), codes, care(row))


def _of(row: Row, disclosed: Disclosure | None, consents: Mapping[str, Raw]) -> list[Ground]:
    if not record_of(row):
        return [Ground(TARGET if row.type == PROVENANCE else NOBODYS)]
    if disclosed is None or disclosed.consents is None:
        return [Ground(NOT_ASKED)]
    decided = deciding(consents, disclosed.ask, content(row))
    return [Ground(CONSENT, *each) for each in decided] or [Ground(NO_OBJECTION)]
