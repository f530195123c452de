"""What pays for the client's care."""

from adapter.cases.fields import Choice, Part, Ref, Text, Whole, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Period, Value


class CoverageClass(Value):
    """A group, plan or other class of the coverage."""

    kind = Part(Code, required=True)
    value = Text(required=True)
    name = Text()


class Coverage(Record):
    """Keys: identifiers by system and value, classes by kind and value. Its benefits stand in the insurer's eligibility responses."""

    concept = "coverage"

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
