"""AuditEvents in words: who did or tried what, about whom, what was asked, and why it was refused where it was."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapter.audit.disclosures import Disclosure, disclosure
from adapter.audit.event import DONE
from adapter.fhir.resource import Raw


@dataclass(frozen=True)
class Entry:
    """What one AuditEvent says."""

    said: Disclosure
    """When, who and what; by which rule, if it was told."""
    patients: tuple[str, ...]
    """Whom it is about, as `Patient/x`."""
    refused: str
    """Why it was refused or failed; empty for what was done."""
    asked: str
    """The requests, a line each."""


def entries(events: Iterable[Raw]) -> Iterator[Entry]:
    """What these AuditEvents say, in their order."""
    for raw in events:
        entities = raw.get("entity", ())
        named = (str((entity.get("what") or {}).get("reference", "")) for entity in entities)
        asked = (base64.b64decode(entity["query"]).decode(errors="replace") for entity in entities if "query" in entity)
        refused = "" if raw.get("outcome") == DONE else str(raw.get("outcomeDesc") or "refused")
        yield Entry(disclosure(raw), tuple(each for each in named if each.startswith("Patient/")), refused, "\n".join(asked))
