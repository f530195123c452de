"""Answers to an instrument that are proposed from what was imported: each with its evidence, none of them final.

What no record speaks of stays open for a person. The lengths of stays are counted in days as they are written.
"""

from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from adapter.care import instrument
from adapter.care.comorbidity import SNOMED, Records, codings, present
from adapter.care.scoring import Given, Score, score
from adapter.errors import Invalid, NotFound

_INPATIENT = ("IMP", "ACUTE", "NONAC")
_EMERGENCY = "EMER"
_HELD = ("arrived", "triaged", "in_progress", "onleave", "finished")
_UNLIKELY = ("entered_in_error", "cancelled", "registered", "preliminary")
_ACUTE: dict[str, bool] = {"EM": True, "UR": True, "S": True, "A": True, "EL": False, "R": False}
"""Whether an admission of that priority is acute: http://terminology.hl7.org/CodeSystem/v3-ActPriority"""
_THROUGH_EMERGENCY = "emd"
"""Of http://terminology.hl7.org/CodeSystem/admit-source: from an accident or emergency department."""
_ONCOLOGY = ("394592004", "394593009", "408446006", "418002000", "419815003")
"""Clinical, medical, gynaecological, paediatric and radiation oncology: http://hl7.org/fhir/R4/valueset-c80-practice-codes.html"""
_LOINC = "http://loinc.org"
_PER_DECILITRE = {"g/dL": Decimal(1), "g/L": Decimal("0.1")}
_PER_LITRE = {"mmol/L": Decimal(1), "meq/L": Decimal(1)}


@dataclass(frozen=True)
class Known:
    """What was imported about a client: records by reference, and of the procedures when they were begun and in which encounter."""

    conditions: Records = field(default_factory=dict)
    encounters: Records = field(default_factory=dict)
    measurements: Records = field(default_factory=dict)
    procedures: Records = field(default_factory=dict)
    birth_date: str | None = None


@dataclass(frozen=True)
class Proposed:
    """Answers to one item, and the references of what they were concluded from; a count of 0 has none."""

    link_id: str
    answers: tuple[Given, ...]
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """What is proposed for an instrument. `open` are the linkIds that a person has to answer; all others a person has to confirm."""

    instrument: str
    items: tuple[Proposed, ...]
    open: tuple[str, ...]

    @property
    def answers(self) -> dict[str, tuple[Given, ...]]:
        return {item.link_id: item.answers for item in self.items}

    def score(self, method: str | None = None) -> Score:
        """What the score would be were all proposed answers confirmed; without a value while an item is open."""
        return score(self.instrument, self.answers, method=method)


Found = Proposed | None
Rows = Mapping[str, Callable[["_Stay"], Found]]


@dataclass(frozen=True)
class _Stay:
    """A client's records as of a day, and the stay that is asked about, where there is one."""

    known: Known
    on: date
    reference: str = ""

    @property
    def encounter(self) -> Mapping[str, Any]:
        return self.known.encounters.get(self.reference, {})

    @property
    def admitted(self) -> date | None:
        return _day(self.encounter.get("period", {}).get("start"))

    @property
    def discharged(self) -> date | None:
        return _day(self.encounter.get("period", {}).get("end"))

    def before(self, classes: Iterable[str], months: int) -> list[str]:
        """The references of encounters of these classes that began in the months before the admission, without the one that led to it."""
        admitted = self.admitted
        if admitted is None:
            return []
        begin = _months_before(admitted, months)
        led = self.encounter.get("part_of")
        return [
            key
            for key, (first, last) in _apart(self.known.encounters, classes).items()
            if key not in (self.reference, led) and begin <= first and last < admitted
        ]


def _day(text: str | None) -> date | None:
    """The day of a date or moment as it is written; None for one without a day."""
    return date.fromisoformat(text[:10]) if text and len(text) >= 10 else None


def _months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or its last day where it is shorter."""
    month = day.year * 12 + day.month - 1 - months
    first = date(month // 12, month % 12 + 1, 1)
    return first.replace(day=min(day.day, monthrange(first.year, first.month)[1]))


def _is(encounter: Mapping[str, Any], classes: Iterable[str]) -> bool:
    return encounter.get("encounter_class", {}).get("code") in classes and encounter.get("status") in _HELD


def _apart(encounters: Records, classes: Iterable[str]) -> dict[str, tuple[date, date]]:
    """First and last day of each encounter of these classes; a bedside meeting within a stay is no stay of its own."""
    spans: dict[str, tuple[date, date]] = {}
    for key, each in encounters.items():
        first, last = (_day(each.get("period", {}).get(side)) for side in ("start", "end"))
        if first and _is(each, classes):
            spans[key] = (first, last or date.max)
    return {
        key: (first, last)
        for key, (first, last) in spans.items()
        if not any(begin <= first and last <= end and (begin, end) != (first, last) for begin, end in spans.values())
    }


def _diseases(grouping: str) -> Callable[[_Stay], Found]:
    def found(stay: _Stay) -> Found:
        shown = present(grouping, stay.known.conditions)
        evidence = tuple(dict.fromkeys(reference for references in shown.values() for reference in references))
        return Proposed("comorbidity", tuple(shown), evidence) if shown else None

    return found


def _age(stay: _Stay) -> Found:
    born = _day(stay.known.birth_date)
    if born is None:
        return None
    return Proposed("age", (stay.on.year - born.year - ((stay.on.month, stay.on.day) < (born.month, born.day)),))


def _length(stay: _Stay) -> Found:
    if stay.admitted is None or stay.discharged is None or stay.discharged < stay.admitted:
        return None
    return Proposed("length_of_stay", ((stay.discharged - stay.admitted).days,), (stay.reference,))


def _acute(link_id: str) -> Callable[[_Stay], Found]:
    def found(stay: _Stay) -> Found:
        known = _ACUTE.get(stay.encounter.get("priority", {}).get("code", ""))
        if known is None and stay.encounter.get("admit_source", {}).get("code") == _THROUGH_EMERGENCY:
            known = True
        return None if known is None else Proposed(link_id, (known,), (stay.reference,))

    return found


def _count(link_id: str, classes: Iterable[str], months: int) -> Callable[[_Stay], Found]:
    def found(stay: _Stay) -> Found:
        before = stay.before(classes, months)
        return Proposed(link_id, (len(before),), tuple(before)) if stay.admitted else None

    return found


def _last_measured(code: str, units: Mapping[str, Decimal]) -> Callable[[_Stay], Found]:
    """The last value of the stay, in the instrument's unit."""

    def found(stay: _Stay) -> Found:
        measured = []
        for reference, each in stay.known.measurements.items():
            effective = each.get("effective", {})
            at = effective.get("date_time") or effective.get("period", {}).get("start")
            quantity = each.get("value", {}).get("quantity", {})
            factor = units.get(quantity.get("code") or quantity.get("unit", ""))
            day = _day(at)
            if (
                each.get("status") not in _UNLIKELY
                and any(one.get("system") == _LOINC and one.get("code") == code for one in codings(each))
                and factor is not None
                and "value" in quantity
                and "comparator" not in quantity
                and day is not None
                and stay.admitted is not None
                and stay.admitted <= day <= (stay.discharged or stay.on)
            ):
                measured.append((at, reference, quantity["value"] * factor))
        if not measured:
            return None
        _, reference, value = max(measured)
        return Proposed(code, (value,), (reference,))

    return found


def _procedure(stay: _Stay) -> Found:
    within = [
        reference
        for reference, each in stay.known.procedures.items()
        if each.get("status") in ("in_progress", "completed")
        and (
            each.get("encounter") == stay.reference
            or ((day := _day(each.get("start"))) and stay.admitted and stay.admitted <= day <= (stay.discharged or stay.on))
        )
    ]
    return Proposed("procedure", (True,), tuple(within)) if within else None


def _oncology(stay: _Stay) -> Found:
    service = stay.encounter.get("service_type", {})
    known = service.get("system") == SNOMED and "code" in service
    return Proposed("oncology", (service["code"] in _ONCOLOGY,), (stay.reference,)) if known else None


_CHARLSON: Rows = {"comorbidity": _diseases("charlson"), "age": _age}
_LACE: Rows = {
    "length_of_stay": _length,
    "acute_admission": _acute("acute_admission"),
    "comorbidity": _diseases("lace"),
    "emergency_visits": _count("emergency_visits", (_EMERGENCY,), 6),
}
_HOSPITAL: Rows = {
    "718-7": _last_measured("718-7", _PER_DECILITRE),
    "oncology": _oncology,
    "2951-2": _last_measured("2951-2", _PER_LITRE),
    "procedure": _procedure,
    "urgent_admission": _acute("urgent_admission"),
    "admissions": _count("admissions", _INPATIENT, 12),
    "length_of_stay": _length,
}
PROPOSED: Mapping[str, Rows] = {"charlson": _CHARLSON, "lace": _LACE, "hospital": _HOSPITAL}
"""By instrument, what is proposed for each item."""


def proposal(instrument_id: str, known: Known, on: date, stay: str | None = None) -> Proposal:
    """What the records say of each item of Charlson, LACE or HOSPITAL as of a day.

    `stay` is the inpatient encounter that LACE and HOSPITAL are about: unless given, the one admitted last. Raises NotFound where the
    instrument is none of these, or the client has no such stay; Invalid for a stay that is no inpatient encounter.
    """
    if instrument_id not in PROPOSED:
        raise NotFound(f"Answers are proposed for {', '.join(PROPOSED)}.", expression=["instrument"])
    asked = _Stay(known, on, "" if instrument_id == "charlson" else _stay(known, on, stay))
    found = {link_id: propose(asked) for link_id, propose in PROPOSED[instrument_id].items()}
    open_ = tuple(item.link_id for item in instrument.load(instrument_id).items if found.get(item.link_id) is None)
    return Proposal(instrument_id, tuple(item for item in found.values() if item), open_)


def _stay(known: Known, on: date, chosen: str | None) -> str:
    if chosen is not None:
        if chosen not in known.encounters:
            raise NotFound("The stay is not among the client's encounters.", expression=["stay"])
        if not _is(known.encounters[chosen], _INPATIENT):
            raise Invalid("The stay is not an inpatient encounter that took place.", expression=["stay"])
        return chosen
    stays = [(first, key) for key, (first, _) in _apart(known.encounters, _INPATIENT).items() if first <= on]
    if not stays:
        raise NotFound("The client has no inpatient stay here.", expression=["stay"])
    return max(stays)[1]
