"""What pays for the client's care."""

from adapter.cases.fields import Choice, Date, Flag, Part, Ref, Text, Whole, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import AnyValue, Code, Identifier, Money, Period, Value


class CoverageClass(Value):
    """A group, plan or other class of the coverage."""

    kind = Part(Code, required=True)
    value = Text(required=True)
    name = Text()


class Benefit(Value):
    """What the coverage says about a category of service."""

    category = Text(required=True)
    network = Text()
    allowed = Part(AnyValue)
    used = Part(AnyValue)
    copay = Part(Money)
    authorization_required = Flag()
    as_of = Date()


class Coverage(Record):
    """Keys: identifiers by system and value, classes by kind and value, benefits by category and network.

    `benefits` are kept only here: FHIR has them in a CoverageEligibilityResponse, which is not a record yet.
    """

    concept = "coverage"
    LOCAL = frozenset({"benefits"})

    client = Ref("Patient", required=True)
    identifiers = parts(Identifier, ("system", "value"))
    status = Choice("active", "cancelled", "draft", "entered_in_error", required=True)
    type = Part(Code)
    payers = refs("Organization", "Patient", "RelatedPerson", required=True)
    member_id = Text(required=True)
    subscriber = Ref("Patient", "RelatedPerson")
    relationship = Part(Code)
    period = Part(Period)
    classes = parts(CoverageClass, ("kind", "value"))
    network = Text()
    order = Whole(1)
    benefits = parts(Benefit, ("category", "network"))
