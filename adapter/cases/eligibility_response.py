"""What an insurer says a coverage pays for: the benefits, how much of them is used, and what must be authorised before."""

from adapter.cases.eligibility_request import FM_STATUSES, PURPOSES
from adapter.cases.fields import Choice, DateTime, Flag, Items, Part, Ref, Text, Whole, parts
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Money, Period, Value


class Amount(Value):
    """How much: one of a number of units, an amount of money, or words."""

    ONE_OF = frozenset(("units", "money", "text"))

    units = Whole(0)
    money = Part(Money)
    text = Text()


class Limit(Value):
    """What is allowed and what is used of it, such as visits or a copay."""

    type = Part(Code, required=True)
    allowed = Part(Amount)
    used = Part(Amount)


class Benefit(Value):
    """What the coverage says about a category of service, or about one service: never both."""

    category = Part(Code)
    code = Part(Code)
    name = Text()
    description = Text()
    excluded = Flag()
    network = Part(Code)
    unit = Part(Code)
    term = Part(Code)
    limits = parts(Limit, ("type",))
    authorization_required = Flag()
    authorization_supporting = parts(Code, ("system", "code", "text"))
    authorization_url = Text()


class Insurance(Value):
    """A coverage, whether it is in force, and its benefits."""

    coverage = Ref("Coverage", required=True)
    in_force = Flag()
    period = Part(Period)
    benefits = parts(Benefit, ("category", "code", "name", "network"))


class EligibilityResponse(Record):
    """Keys: identifiers by system and value, insurance by coverage, benefits by category, code, name and network, limits by type, errors by
    system, code and text.

    `as_of` is when the insurer said so.
    """

    concept = "eligibility_response"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    identifiers = parts(Identifier, ("system", "value"))
    status = Choice(*FM_STATUSES, required=True)
    purposes = Items(Choice(*PURPOSES), required=True)
    serviced = Part(Period)
    as_of = DateTime(required=True)
    requestor = Ref("Practitioner", "PractitionerRole", "Organization")
    request = Ref("CoverageEligibilityRequest", required=True)
    outcome = Choice("queued", "complete", "error", "partial", required=True)
    disposition = Text()
    insurer = Ref("Organization", required=True)
    insurance = parts(Insurance, ("coverage",))
    number = Text()
    errors = parts(Code, ("system", "code", "text"))
