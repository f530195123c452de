"""An insurer's word on whether a service is covered."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, Text
from adapter.cases.record import Record
from adapter.cases.values import Period


class Authorisation(Record):
    """`service` is what it was asked for; one number may stand for several services, each with a record of its own.

    `status` unknown: an insurer's response whose decision is not understood. What was decided (approved, denied) has a `decided_at`.
    """

    concept = "authorisation"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    service = Ref("ServiceRequest")
    preauthorisation = Ref("Claim")
    coverage = Ref("Coverage")
    insurer = Ref("Organization", required=True)
    requestor = Ref("Practitioner", "PractitionerRole", "Organization")
    request = Choice("eligibility", "preauthorisation", required=True)
    status = Choice(
        "requested", "approved", "denied", "appealed", "expired", "draft", "cancelled", "entered_in_error", "unknown", required=True
    )
    number = Text()
    validity = Part(Period)
    requested_at = DateTime()
    decided_at = DateTime()
    denial_reason = Text()
    appeal = Text()
