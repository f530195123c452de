"""What stands in the way of the plan."""

from adapter.cases.fields import Choice, DateTime, Ref, Text
from adapter.cases.record import Record


class Barrier(Record):
    """`accepted_reason` says why an open barrier may stay when the case goes to its last step."""

    concept = "barrier"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    encounter = Ref("Encounter")
    kind = Choice(
        "transport",
        "cost",
        "housing",
        "food",
        "caregiver",
        "cognition",
        "language",
        "literacy",
        "motivation",
        "symptom",
        "access",
        "technology",
        "other",
        required=True,
    )
    description = Text()
    status = Choice("open", "mitigating", "resolved", required=True)
    accepted_reason = Text()
    opened_at = DateTime()
    resolved_at = DateTime()
