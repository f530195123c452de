"""Who works on a case, as what."""

from adapter.cases.fields import Choice, Part, Ref, Text, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Period, Value


class Member(Value):
    """A member of the team."""

    roles = parts(Code, ("system", "code", "text"))
    member = Ref(required=True)
    on_behalf_of = Ref("Organization")
    period = Part(Period)


class CareTeam(Record):
    """Keys: participants by member, roles and period.start, roles by system, code and text."""

    concept = "care_team"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    status = Choice("proposed", "active", "suspended", "inactive", "entered_in_error", required=True)
    name = Text()
    period = Part(Period)
    participants = parts(Member, ("member", "roles", "period.start"))
    managing_organizations = refs("Organization")
