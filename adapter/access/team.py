"""Who works where, as PractitionerRoles say: the organisations of a person, and who works in these. http://hl7.org/fhir/R4/practitionerrole.html"""

from collections.abc import Iterable
from datetime import datetime

from adapter.fhir.dates import BEGIN, END, period
from adapter.fhir.references import split
from adapter.fhir.resource import Raw


def organisations(roles: Iterable[Raw], person: str, moment: datetime) -> frozenset[str]:
    """The organisations, `Organization/x`, in which the person, `Practitioner/x`, has a role at this moment."""
    return frozenset(place for role in roles if _at_work(role, moment) and _named(role, "practitioner") == person for place in _place(role))


def people(roles: Iterable[Raw], places: frozenset[str], moment: datetime) -> frozenset[str]:
    """The people, `Practitioner/x`, who have a role in one of these organisations at this moment."""
    there = (role for role in roles if _at_work(role, moment) and not places.isdisjoint(_place(role)))
    return frozenset(found for role in there if (found := _named(role, "practitioner")))


def _at_work(role: Raw, moment: datetime) -> bool:
    if role.get("active", True) is not True:
        return False
    # A time that cannot be read is none: nobody comes into a team by a mistake.
    found = period(role["period"]) if "period" in role else (BEGIN, END)
    return found is not None and found[0] <= moment < found[1]


def _place(role: Raw) -> list[str]:
    found = _named(role, "organization")
    return [found] if found else []


def _named(role: Raw, element: str) -> str | None:
    value = role.get(element)
    text = value.get("reference") if isinstance(value, dict) else None
    found = split(text) if isinstance(text, str) else None
    return f"{found[0]}/{found[1]}" if found else None
