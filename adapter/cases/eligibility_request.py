"""A question to an insurer: what does the coverage pay for, and what must be authorised before?"""

from adapter.cases.fields import Choice, DateTime, Items, Part, Ref, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Period, Value

PURPOSES = ("auth_requirements", "benefits", "discovery", "validation")
FM_STATUSES = ("active", "cancelled", "draft", "entered_in_error")


class Asked(Value):
    """What is asked about: a category of service, a service, or planned services."""

    category = Part(Code)
    code = Part(Code)
    services = refs("ServiceRequest")


class EligibilityRequest(Record):
    """Keys: identifiers by system and value, items by category, code and services."""

    concept = "eligibility_request"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    identifiers = parts(Identifier, ("system", "value"))
    status = Choice(*FM_STATUSES, required=True)
    priority = Part(Code)
    purposes = Items(Choice(*PURPOSES), required=True)
    serviced = Part(Period)
    created_at = DateTime(required=True)
    enterer = Ref("Practitioner", "PractitionerRole")
    provider = Ref("Practitioner", "PractitionerRole", "Organization")
    insurer = Ref("Organization", required=True)
    coverage = Ref("Coverage", required=True)
    items = parts(Asked, ("category", "code", "services"))
