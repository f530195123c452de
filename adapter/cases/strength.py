"""Something the client or their network can build on."""

from adapter.cases.fields import Choice, DateTime, Ref, Text
from adapter.cases.record import Record


class Strength(Record):
    """`source` says who named it: the reference's type tells client, support person or case manager."""

    concept = "strength"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    domain = Choice("personal", "relational", "community", "skill", "environmental", "spiritual", "financial", required=True)
    description = Text(required=True)
    recorded_at = DateTime()
    source = Ref("Patient", "RelatedPerson", "Practitioner", "PractitionerRole")
    potential_use = Text()
    evidence = Text()
