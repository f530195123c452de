"""People for whom an authority wants case management: whom a targeted case is for."""

from adapter.cases.fields import Choice, Flag, Part, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Period, Quantity, Range, Value


class CriterionValue(Value):
    """What a characteristic must be: one value under the name of its type."""

    ONE_OF = frozenset(("code", "boolean", "quantity", "range", "reference"))

    code = Part(Code)
    boolean = Flag()
    quantity = Part(Quantity)
    range = Part(Range)
    reference = Ref()


class Criterion(Value):
    """A characteristic, such as age, a diagnosis or a setting, that members have, or, with `exclude`, do not have."""

    code = Part(Code, required=True)
    value = Part(CriterionValue, required=True)
    exclude = Flag(required=True)
    period = Part(Period)


class GroupMember(Value):
    """Who is in the group, and since when."""

    client = Ref("Patient", required=True)
    period = Part(Period)
    inactive = Flag()


class TargetGroup(Record):
    """Keys: identifiers by system and value, criteria by code and value, members by client.

    `actual`: whether members are named; a group that is not actual only says whom it means.
    """

    concept = "target_group"

    identifiers = parts(Identifier, ("system", "value"))
    active = Flag()
    actual = Flag(required=True)
    name = Text(required=True)
    authority = Choice("cms", "state", "local")
    code = Part(Code)
    managing_entity = Ref("Organization", "Practitioner", "PractitionerRole", "RelatedPerson")
    criteria = parts(Criterion, ("code", "value"))
    members = parts(GroupMember, ("client",))
