"""A case in the order of time: its steps, and every record of it (S-03)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from adapter.cases.headline import happened, headline
from adapter.cases.record import Fields
from adapter.casework.facts import Records, records_of
from adapter.casework.records import Kept
from adapter.fhir.dates import END, span
from adapter.store.repository import Repository

STEP = "step"
"""The concept of an item that is a step of the process and no record."""
# The case is told by its steps; the people on it have no time.
_TIMELESS = frozenset({"case", "client", "case_manager", "stakeholder", "support_person"})


@dataclass(frozen=True)
class Item:
    """Something on a timeline. `at` is the date or moment as it was written, empty for what has none; `what` says in a line what it is."""

    at: str
    concept: str
    reference: str
    what: str
    status: str | None = None
    until: str | None = None
    """When it ended, of a step that has."""

    @property
    def _moment(self) -> tuple[datetime, str, str]:
        found = span(self.at)
        return found[0] if found else END, self.concept, self.reference


def timeline(repository: Repository, case: Kept) -> list[Item]:
    """The steps and records of a case, oldest first; what has no date is last, and nothing is left out."""
    records = records_of(repository, case.reference, case.fields)
    return sorted([*_steps(case), *_items(records)], key=lambda item: item._moment)


def _items(records: Records) -> Iterator[Item]:
    for concept in records.keys() - _TIMELESS:
        for reference, fields in records[concept].items():
            yield item(concept, reference, fields)


def item(concept: str, reference: str, fields: Fields) -> Item:
    """A record as an item."""
    status = next((fields[name] for name in ("status", "lifecycle", "clinical_status") if name in fields), None)
    return Item(happened(fields), concept, reference, headline(concept, fields), status)


def _steps(case: Kept) -> Iterator[Item]:
    for stretch in case.fields.get("status_history", ()):
        period = stretch["period"]
        yield Item(period.get("start", ""), STEP, case.reference, stretch.get("step", ""), stretch["status"], period.get("end"))
