"""What came of a case, computed from its records: length of stay, readmission, adherence, attainment, cost, visits (DOMAIN O-01 … O-09)."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal

from adapter.care.follow_up import policy
from adapter.cases.facts import Facts, Situation, day, newest
from adapter.cases.record import Fields
from adapter.cases.stays import discharges, emergency_visit, stays

REACHED = frozenset({"achieved", "sustaining"})
_DROPPED = frozenset({"cancelled", "entered_in_error", "rejected", "proposed"})
_OFF = frozenset({"cancelled", "entered_in_error", "proposed", "pending", "waitlist"})
_ATTENDED = frozenset({"arrived", "checked_in", "fulfilled"})
_SHARE = Decimal("0.0001")
_COMPUTED = ("readmission", "length_of_stay_days", "plan_adherence", "cost")
"""What the review of outcomes need not say, because the record does."""
COST_METHOD = "actual: paid, else billed, of the insurer's statements; saving: expected less actual"


def share(part: int, whole: int) -> Decimal | None:
    """A part of a whole, to four places; None of nothing."""
    return (Decimal(part) / Decimal(whole)).quantize(_SHARE).normalize() if whole else None


def counts_as_goal(goal: Fields) -> bool:
    """Whether a goal is one that can be reached or missed: not dropped, and no mere proposal."""
    return goal.get("lifecycle") not in _DROPPED


def attainment(goals: Iterable[Fields]) -> Decimal | None:
    """The share of the goals that were reached (O-09); None where there are none."""
    counted = [goal for goal in goals if counts_as_goal(goal)]
    return share(sum(goal.get("achievement") in REACHED for goal in counted), len(counted))


def due_activity(appointment: Fields) -> date | None:
    """The day of an appointment that was to be kept; None where it was called off or never agreed."""
    return day(appointment["start"]) if appointment.get("status") not in _OFF and "start" in appointment else None


def kept(appointment: Fields) -> bool:
    """Whether the client came."""
    return appointment.get("status") in _ATTENDED


def due_service(service: Fields) -> date | None:
    """The day on which a service was to be done; None where that is not known, or it was called off."""
    timing = service.get("timing", {})
    if service.get("intent") == "proposal" or service.get("status") in ("cancelled", "entered_in_error", "on_hold"):
        return None
    last = timing.get("end") or (timing.get("start") if timing.get("count") == 1 else None)
    return day(last) if last else None


def adherence(appointments: Iterable[Fields], services: Mapping[str, Fields], today: date) -> Decimal | None:
    """The share of the activities due until today that were done (O-07); None where none was due.

    Activities are the appointments, and the services that have none.
    """
    booked = list(appointments)
    with_appointments = {service for appointment in booked for service in appointment.get("services", [])}
    done = [kept(each) for each in booked if (due := due_activity(each)) and due <= today]
    own = (each for reference, each in services.items() if reference not in with_appointments)
    done += [each.get("status") == "completed" for each in own if (due := due_service(each)) and due <= today]
    return share(sum(done), len(done))


def saving(expected: Fields, actual: Fields) -> tuple[Fields, Decimal | None] | None:
    """Expected less actual, and its share of the expected (O-08); None for amounts in different currencies."""
    if expected["currency"] != actual["currency"]:
        return None
    left = Decimal(expected["value"]) - Decimal(actual["value"])
    part = (left / Decimal(expected["value"])).quantize(_SHARE).normalize() if expected["value"] else None
    return {"value": left, "currency": expected["currency"]}, part


def expected_cost(services: Iterable[Fields]) -> Fields | None:
    """The sum of what the services of the plan were estimated at; None where there is none, or the currencies differ."""
    return total(service["estimated_cost"] for service in services if "estimated_cost" in service and service.get("intent") != "proposal")


def total(amounts: Iterable[Fields]) -> Fields | None:
    """The sum of amounts of money; None of none, or of several currencies."""
    listed = list(amounts)
    if len({amount["currency"] for amount in listed}) != 1:
        return None
    return {"value": sum((Decimal(amount["value"]) for amount in listed), Decimal(0)), "currency": listed[0]["currency"]}


def readmission(encounters: Mapping[str, Fields], case: str, today: date, window: int) -> Fields:
    """The outcome's `readmission`, as of today: of the case's last index discharge (V-15). `pending` while the window is open."""
    found = stays(encounters)
    index = [each for each in discharges(found, window) if each.stay.case == case]
    if not index:
        return {"within_30_days": "not_applicable", "computed_on": today.isoformat()}
    back = [each for each in index if each.readmission]
    last = back[-1] if back else index[-1]
    end = last.stay.end or today
    fields: Fields = {"index_discharge_at": end.isoformat(), "computed_on": today.isoformat()}
    if last.readmission:
        return fields | {"within_30_days": "yes", "encounter": last.readmission.reference, "planned": False}
    return fields | {"within_30_days": "pending" if today <= end + timedelta(days=window) else "no"}


def length_of_stay(encounters: Mapping[str, Fields], case: str) -> int | None:
    """The days that the client was in hospital in the course of the case (O-01); None where no stay has ended."""
    days = [found.days for found in stays(encounters) if found.case == case and found.days is not None]
    return sum(days) if days else None


def computed(facts: Facts, case: str, today: date, window: int, actual: Fields | None = None) -> Fields:
    """What an outcome record can say from the case's other records: only what can be known, as its fields.

    `actual` is what the care came to, where somebody knows.
    """
    encounters, services = facts.of("encounter"), facts.of("planned_service")
    reached = attainment(facts.of("goal").values())
    cost: Fields = {}
    if (expected := expected_cost(services.values())) is not None:
        cost["expected"] = expected
    if actual is not None:
        cost |= {"actual": actual, "method": COST_METHOD}
        if expected is not None and (saved := saving(expected, actual)) is not None:
            cost["saving"] = saved[0]
    found = {
        "readmission": readmission(encounters, case, today, window),
        "length_of_stay_days": length_of_stay(encounters, case),
        "plan_adherence": adherence(facts.of("appointment").values(), services, today),
        "clinical_recovery": {"goal_attainment": reached} if reached is not None else None,
        "cost": cost or None,
        "utilisation": {"ed_visits": sum(map(emergency_visit, encounters.values()))},
    }
    return {name: value for name, value in found.items() if value is not None}


def reviews(facts: Facts) -> dict[str, Fields]:
    """The case's reviews of outcomes by reference, without those that were entered in error."""
    return {reference: each for reference, each in facts.of("outcome").items() if each.get("status") != "entered_in_error"}


def filled(now: Situation) -> tuple[str, Fields]:
    """The case's outcome and its reference, with what the record tells where the reviewer did not; empty where there is none.

    A case that was reopened has several: the one that was reviewed last counts. A readmission that was pending when somebody said so is
    looked for again.
    """
    reference, said = newest(reviews(now.facts), "reviewed_at")
    case = next((key for key, fields in now.facts.of("case").items() if fields.get("case_number") == now.case.get("case_number")), None)
    if not said or case is None:
        return reference, said
    found = computed(now.facts, case, day(now.at), policy().readmission_days, now.facts.paid)
    open_ = said.get("readmission", {}).get("within_30_days") == "pending" and found["readmission"]["within_30_days"] in ("yes", "no")
    told = {name: value for name, value in said.items() if name != "readmission" or not open_}
    return reference, {name: found[name] for name in _COMPUTED if name in found} | told
