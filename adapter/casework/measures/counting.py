"""What each group of a measure counts, from the figures of one client: pure functions (docs/measures.md)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from adapter.cases.figures import Figure
from adapter.cases.outcomes import saving
from adapter.cases.stays import Stay, discharges

Figures = Mapping[str, Sequence[Figure]]
"""A client's figures by kind."""
_KNOWN_CHANGES = ("improved", "same", "worse")


@dataclass(frozen=True)
class Period:
    """From the start of one day to the end of another."""

    start: date
    end: date

    def covers(self, day: str | None) -> bool:
        """Whether an ISO day lies in it."""
        return day is not None and self.start.isoformat() <= day <= self.end.isoformat()

    def months(self) -> list[str]:
        """Its months, such as 2026-03."""
        first, last = self.start.year * 12 + self.start.month - 1, self.end.year * 12 + self.end.month - 1
        return [f"{month // 12:04}-{month % 12 + 1:02}" for month in range(first, last + 1)]


@dataclass(frozen=True)
class Asked:
    """What a count needs besides the figures."""

    period: Period
    today: date
    window: int
    """The days in which a stay is a readmission."""


@dataclass(frozen=True)
class Unit:
    """One member of an initial population."""

    of: str
    day: str
    """By which its case and its month are known."""
    counted: bool = True
    """Whether it is in the denominator."""
    hit: bool = False
    """Whether it is in the numerator."""
    value: Decimal | None = None
    """What is observed of it, where the measure is of a continuous variable."""
    expected: Decimal | None = None
    """What `value` is a share of."""
    case: str | None = None
    currency: str = ""


Count = Callable[[Figures, Asked], Iterator[Unit]]


def _stays(figures: Figures) -> list[Stay]:
    return sorted(
        Stay(
            start=date.fromisoformat(each["start"]),
            reference=each["of"],
            end=date.fromisoformat(each["end"]) if "end" in each else None,
            planned=each.get("planned", False),
            disposition=each.get("disposition", ""),
            admitted_from=each.get("admitted_from", ""),
            provider=each.get("provider", ""),
            case=each.get("case"),
        )
        for each in figures.get("stay", ())
    )


def _ended(figures: Figures, asked: Asked) -> Iterator[tuple[Stay, str]]:
    for stay in _stays(figures):
        if stay.end and asked.period.covers(stay.end.isoformat()):
            yield stay, stay.end.isoformat()


def length_of_stay(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-01"""
    for stay, end in _ended(figures, asked):
        yield Unit(stay.reference, end, value=Decimal(stay.days or 0), case=stay.case)


def readmission(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-02"""
    index = {each.stay.reference: each for each in discharges(_stays(figures), asked.window)}
    for stay, end in _ended(figures, asked):
        found = index.get(stay.reference)
        back = found is not None and found.readmission is not None
        passed = date.fromisoformat(end) + timedelta(days=asked.window) < asked.today
        yield Unit(stay.reference, end, counted=back or (found is not None and passed), hit=back, case=stay.case)


def emergency_visits(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-03"""
    visited = any(asked.period.covers(each["day"]) for each in figures.get("emergency", ()))
    for case in figures.get("case", ()):
        opened, closed = case.get("opened", ""), case.get("closed", "9999")
        if opened <= asked.period.end.isoformat() and closed >= asked.period.start.isoformat():
            yield Unit(case["of"], max(opened, asked.period.start.isoformat()), hit=visited, case=case["of"])


def duplicate_services(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-03"""
    coded = [each for each in figures.get("service", ()) if "code" in each and "start" in each]
    for each in coded:
        if asked.period.covers(each["start"]):
            twice = any(other is not each and other["code"] == each["code"] and _overlap(each, other) for other in coded)
            yield Unit(each["of"], each["start"], hit=twice, case=each.get("case"))


def _overlap(one: Figure, other: Figure) -> bool:
    return bool(one["start"] <= other.get("end", other["start"]) and other["start"] <= one.get("end", one["start"]))


def _outcomes(figures: Figures, asked: Asked) -> Iterator[Figure]:
    return (each for each in figures.get("outcome", ()) if asked.period.covers(each.get("day")))


def well_being(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-04"""
    for each in _outcomes(figures, asked):
        change = each.get("change")
        yield Unit(each["of"], each["day"], counted=change in _KNOWN_CHANGES, hit=change == "improved", case=each.get("case"))


def experience(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-06"""
    for each in _outcomes(figures, asked):
        yield Unit(each["of"], each["day"], hit=each["experience"], case=each.get("case"))


def cost(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-08"""
    for each in _outcomes(figures, asked):
        amounts = [{"value": Decimal(each[name]), "currency": each["currency"]} for name in ("expected", "actual") if name in each]
        saved = saving(*amounts) if len(amounts) == 2 and " " not in each["currency"] else None
        if saved is None:
            yield Unit(each["of"], each["day"], counted=False, case=each.get("case"))
        else:
            value, expected = saved[0]["value"], amounts[0]["value"]
            yield Unit(each["of"], each["day"], value=value, expected=expected, case=each.get("case"), currency=each["currency"])


def plan_completeness(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-05"""
    for each in figures.get("plan", ()):
        if asked.period.covers(each.get("day")):
            yield Unit(each["of"], each["day"], hit=each["whole"], case=each.get("case"))


def timeliness(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-05"""
    contacts = figures.get("contact", ())
    for each in contacts:
        if not asked.period.covers(each.get("next")):
            continue
        later = [other["day"] for other in contacts if other.get("case") == each.get("case") and other["day"] > each["day"]]
        in_time = any(day <= each["next"] for day in later)
        over = bool(later) or each["next"] < asked.today.isoformat()
        yield Unit(each["of"], each["next"], counted=in_time or over, hit=in_time, case=each.get("case"))


def goal_attainment(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-09"""
    for each in figures.get("goal", ()):
        if asked.period.covers(each.get("day")):
            yield Unit(each["of"], each["day"], counted=each["counted"], hit=each["counted"] and each["reached"], case=each.get("case"))


def adherence(figures: Figures, asked: Asked) -> Iterator[Unit]:
    """O-07"""
    booked = figures.get("activity", ())
    with_appointments = {service for each in booked for service in each.get("services", ())}
    for each in [*booked, *(service for service in figures.get("service", ()) if service["of"] not in with_appointments)]:
        if asked.period.covers(each.get("day")):
            due = each["day"] <= asked.today.isoformat()
            yield Unit(each["of"], each["day"], counted=due, hit=due and each["done"], case=each.get("case"))


@dataclass(frozen=True)
class Group:
    """How a group of a measure is counted. `kinds`: the figures that it needs, by the type of their resources."""

    count: Count
    kinds: tuple[tuple[str, str], ...]
    around: int = 0
    """So many days before and after the period the figures are needed, too."""
    of_cases: bool = False
    """Whether it counts every case, not only those of whom there are other figures."""


_STAYS, _OUTCOMES = (("Encounter", "stay"),), (("QuestionnaireResponse", "outcome"),)
GROUPS: dict[str, Group] = {
    "length-of-stay": Group(length_of_stay, _STAYS),
    "readmission-30-days": Group(readmission, _STAYS),
    "emergency-visits": Group(emergency_visits, (("Encounter", "emergency"),), of_cases=True),
    "duplicate-services": Group(duplicate_services, (("ServiceRequest", "service"),), around=366),
    "well-being": Group(well_being, _OUTCOMES),
    "plan-completeness": Group(plan_completeness, (("CarePlan", "plan"),)),
    "timeliness": Group(timeliness, (("Encounter", "contact"),), around=92),
    "goal-attainment": Group(goal_attainment, (("Goal", "goal"),)),
    "experience": Group(experience, _OUTCOMES),
    "adherence": Group(adherence, (("Appointment", "activity"), ("ServiceRequest", "service")), around=92),
    "cost": Group(cost, _OUTCOMES),
}
"""By the code of the group."""
