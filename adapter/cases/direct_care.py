"""Whether the case manager treats where the case's models do not let them (M-01): in a service, an appointment, an encounter, a procedure.

What treats is a planned service of such a kind, and what is done of it: an appointment or a procedure for it, an encounter for such an
appointment, and what has its code. The case manager does it who is named as its performer, or who is alone with the client and does
not come along only (M-04). Assessing, referring and visiting are no treatment, and what belongs to no service is not judged.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from adapter.cases.facts import Situation
from adapter.cases.model_demands import TREATMENTS, treatment_permitted
from adapter.cases.record import Fields

# http://terminology.hl7.org/CodeSystem/v3-ParticipationType
_PERFORMS = ("PPRF", "SPRF")
_OFF = ("cancelled", "noshow", "entered_in_error", "not_done")
_CARERS = ("Practitioner", "PractitionerRole", "Organization", "HealthcareService", "CareTeam")


class _Act(NamedTuple):
    """Something done of services, with who does it and as what."""

    services: Iterable[str]
    codes: Iterable[Fields]
    people: Sequence[tuple[str, str | None]]
    accompanied: bool = False


def in_service(fields: Fields, now: Situation) -> bool:
    """Whether the case manager is to treat in this planned service, and may not."""
    mine = any(_is(performer, now) for performer in fields.get("performers", []))
    return mine and fields["kind"] in TREATMENTS and fields["status"] not in _OFF and not treatment_permitted(now)


def in_appointment(fields: Fields, now: Situation) -> bool:
    """The same of an appointment."""
    people = [(each.get("actor", ""), each.get("role", {}).get("code")) for each in fields.get("participants", [])]
    return _forbidden(fields, _Act(fields.get("services", []), fields.get("service_types", []), people, _along(fields)), now)


def in_encounter(fields: Fields, now: Situation) -> bool:
    """The same of an encounter."""
    booked = [now.facts.of("appointment").get(reference, {}) for reference in fields.get("appointments", [])]
    people = [(each.get("individual", ""), each.get("role", {}).get("code")) for each in fields.get("participants", [])]
    codes = [*fields.get("types", []), fields.get("service_type", {})]
    act = _Act([service for each in booked for service in each.get("services", [])], codes, people, any(map(_along, booked)))
    return _forbidden(fields, act, now)


def in_procedure(fields: Fields, now: Situation) -> bool:
    """The same of a procedure: its `status`, `services`, `codes` and `performers`."""
    people = [(performer, _PERFORMS[0]) for performer in fields.get("performers", [])]
    return _forbidden(fields, _Act(fields.get("services", []), fields.get("codes", []), people), now)


def _along(appointment: Fields) -> bool:
    return bool(appointment.get("accompanied"))


def _is(reference: str, now: Situation) -> bool:
    """Whether it is the case manager, by either face."""
    type, _, id = reference.partition("/")
    return type.startswith("Practitioner") and id == str(now.case.get("case_manager", "")).partition("/")[2]


def _forbidden(fields: Fields, act: _Act, now: Situation) -> bool:
    if fields.get("status") in _OFF or not _treats(act, now):
        return False
    mine = [role for reference, role in act.people if _is(reference, now)]
    others = any(reference.partition("/")[0] in _CARERS and not _is(reference, now) for reference, _ in act.people)
    performs = any(role in _PERFORMS for role in mine) or not (others or act.accompanied)
    return bool(mine) and performs and not treatment_permitted(now)


def _treats(act: _Act, now: Situation) -> bool:
    services = {key: service for key, service in now.facts.of("planned_service").items() if service.get("kind") in TREATMENTS}
    codes = {_code(service.get("code", {})) for service in services.values()}
    return not services.keys().isdisjoint(act.services) or any("code" in each and _code(each) in codes for each in act.codes)


def _code(code: Fields) -> tuple[str | None, str | None]:
    return code.get("system"), code.get("code")
