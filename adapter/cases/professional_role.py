"""As what and where a professional works: one entry of the directory."""

from adapter.cases.fields import Flag, Part, Ref, Text, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Hours, Identifier, Period, Telecom


class ProfessionalRole(Record):
    """Keys: identifiers and telecoms by system and value, roles and specialties by system, code and text, hours by days and start."""

    concept = "professional_role"

    identifiers = parts(Identifier, ("system", "value"))
    active = Flag()
    period = Part(Period)
    practitioner = Ref("Practitioner")
    organization = Ref("Organization")
    roles = parts(Code, ("system", "code", "text"))
    specialties = parts(Code, ("system", "code", "text"))
    locations = refs("Location")
    services = refs("HealthcareService")
    telecoms = parts(Telecom, ("system", "value"))
    hours = parts(Hours, ("days", "start"))
    availability = Text()
    endpoints = refs("Endpoint")
