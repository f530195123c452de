"""A service that somebody offers: one entry of the directory."""

from adapter.cases.fields import Flag, Part, Ref, Text, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Hours, Identifier, Period, Telecom, Value


class Absence(Value):
    """When it is not offered, and why. Key in a list: description."""

    description = Text(required=True)
    during = Part(Period)


class HealthcareService(Record):
    """Keys: identifiers and telecoms by system and value, all codes by system, code and text, hours by days and start, absences by
    description."""

    concept = "healthcare_service"

    identifiers = parts(Identifier, ("system", "value"))
    active = Flag()
    name = Text(required=True)
    organization = Ref("Organization")
    categories = parts(Code, ("system", "code", "text"))
    types = parts(Code, ("system", "code", "text"))
    specialties = parts(Code, ("system", "code", "text"))
    locations = refs("Location")
    coverage_areas = refs("Location")
    comment = Text()
    details = Text()
    telecoms = parts(Telecom, ("system", "value"))
    provisions = parts(Code, ("system", "code", "text"))
    programmes = parts(Code, ("system", "code", "text"))
    languages = parts(Code, ("system", "code", "text"))
    referral_methods = parts(Code, ("system", "code", "text"))
    appointment_required = Flag()
    hours = parts(Hours, ("days", "start"))
    absences = parts(Absence, ("description",))
    availability = Text()
    endpoints = refs("Endpoint")
