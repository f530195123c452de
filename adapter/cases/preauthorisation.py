"""A request to an insurer to say beforehand that it pays for planned services."""

from adapter.cases.eligibility_request import FM_STATUSES
from adapter.cases.fields import Choice, DateTime, Part, Ref, Whole, parts
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Money, Period, Quantity, Value


class Line(Value):
    """A service that is asked for, by its number in the request."""

    sequence = Whole(1, required=True)
    service = Ref("ServiceRequest")
    code = Part(Code, required=True)
    serviced = Part(Period)
    quantity = Part(Quantity)
    unit_price = Part(Money)
    net = Part(Money)


class Preauthorisation(Record):
    """Keys: identifiers by system and value, lines by sequence.

    The insurer's word on it is an authorisation; `appeals` names the earlier request that was denied.
    """

    concept = "preauthorisation"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    identifiers = parts(Identifier, ("system", "value"))
    status = Choice(*FM_STATUSES, required=True)
    type = Part(Code, required=True)
    priority = Part(Code, required=True)
    created_at = DateTime(required=True)
    enterer = Ref("Practitioner", "PractitionerRole")
    provider = Ref("Practitioner", "PractitionerRole", "Organization", required=True)
    insurer = Ref("Organization")
    coverage = Ref("Coverage", required=True)
    referral = Ref("ServiceRequest")
    appeals = Ref("Claim")
    lines = parts(Line, ("sequence",))
    total = Part(Money)
