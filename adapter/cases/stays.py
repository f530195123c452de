"""Stays in hospital, and which of them are readmissions (DOMAIN V-15). Pure functions over the fields of encounters.

Days are those that the hospital wrote: a discharge at ten in the evening is of that day wherever it is read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from adapter.cases.facts import day
from adapter.cases.record import Fields

INPATIENT = frozenset({"IMP", "ACUTE", "NONAC"})
EMERGENCY = "EMER"
"""Classes of encounters: http://terminology.hl7.org/CodeSystem/v3-ActCode"""
_HELD = frozenset({"in_progress", "onleave", "finished", "unknown", "arrived"})
# http://terminology.hl7.org/CodeSystem/v3-ActPriority: elective, preoperative. Any other priority, or none, is no plan.
_PLANNED = frozenset({"EL", "P"})
_DIED = "exp"
# To another hospital or another kind of inpatient care: http://terminology.hl7.org/CodeSystem/discharge-disposition
_ONWARD = frozenset({"other-hcf", "psy", "rehab", "long"})
# From another hospital, and through the emergency department: http://terminology.hl7.org/CodeSystem/admit-source
_TRANSFERRED, _EMERGENCY_DEPARTMENT = "hosp-trans", "emd"


@dataclass(frozen=True, order=True)
class Stay:
    """A stay as an inpatient, by the day of its start; without an `end` the client is still there."""

    start: date
    reference: str
    end: date | None = None
    planned: bool = False
    disposition: str = ""
    admitted_from: str = ""
    provider: str = ""
    case: str | None = None

    @property
    def days(self) -> int | None:
        """The length of stay: midnights."""
        return (self.end - self.start).days if self.end else None

    @property
    def died(self) -> bool:
        return self.disposition == _DIED


def stay(encounter: Fields, reference: str) -> Stay | None:
    """The stay that an encounter is; None for one of another class, for a part of a stay, and for what did not take place."""
    period = encounter.get("period", {})
    if _code(encounter, "encounter_class") not in INPATIENT or encounter.get("status") not in _HELD:
        return None
    if "part_of" in encounter or "start" not in period:
        return None
    return Stay(
        start=day(period["start"]),
        reference=reference,
        end=day(period["end"]) if "end" in period and encounter.get("status") == "finished" else None,
        planned=_code(encounter, "priority") in _PLANNED,
        disposition=_code(encounter, "discharge_disposition"),
        admitted_from=_code(encounter, "admit_source"),
        provider=encounter.get("service_provider", ""),
        case=encounter.get("case"),
    )


def stays(encounters: Mapping[str, Fields]) -> list[Stay]:
    """The stays among encounters by reference, the earliest first."""
    return sorted(found for reference, encounter in encounters.items() if (found := stay(encounter, reference)))


def _code(encounter: Fields, name: str) -> str:
    return str(encounter.get(name, {}).get("code", ""))


@dataclass(frozen=True)
class Discharge:
    """A discharge after which a readmission counts, and the stay that is one; None where there is none so far."""

    stay: Stay
    readmission: Stay | None


def discharges(found: Iterable[Stay], window: int) -> Iterator[Discharge]:
    """The index discharges among one client's stays, each with its readmission within so many days.

    No index: a client who died, and a transfer, whose index is the discharge of the last stay of the chain. No readmission: a planned stay,
    and a transfer. A readmission is the index of the next. The day of the discharge does not count, the last day of the window does.
    """
    ordered = sorted(found)
    onward = [after for place, after in enumerate(ordered) if any(_transfer(before, after) for before in ordered[:place])]
    for place, index in enumerate(ordered):
        if index.end is None or index.died:
            continue
        later = ordered[place + 1 :]
        if any(_transfer(index, other) for other in later):
            continue
        last = index.end + timedelta(days=window)
        back = (other for other in later if index.end < other.start <= last and not other.planned and other not in onward)
        yield Discharge(index, next(back, None))


def _transfer(before: Stay, after: Stay) -> bool:
    """Whether `after` goes on with the care of `before`: it begins on the same or next day, as a transfer or in another hospital.

    Who was sent elsewhere and comes back through the emergency department was not transferred.
    """
    if before.end is None or not 0 <= (after.start - before.end).days <= 1:
        return False
    if after.admitted_from == _TRANSFERRED:
        return True
    elsewhere = bool(before.provider and after.provider and before.provider != after.provider)
    return (before.disposition in _ONWARD or elsewhere) and after.admitted_from != _EMERGENCY_DEPARTMENT


def emergency_visit(encounter: Fields) -> bool:
    """Whether an encounter is a visit to an emergency department that took place."""
    return _code(encounter, "encounter_class") == EMERGENCY and encounter.get("status") in _HELD
