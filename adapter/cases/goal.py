"""What is to be reached."""

from adapter.cases.fields import Choice, Date, Flag, Part, Ref, Text, Whole, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Note, Quantity, Range, Value

ACHIEVEMENTS = (
    "in_progress",
    "improving",
    "worsening",
    "no_change",
    "achieved",
    "sustaining",
    "not_achieved",
    "no_progress",
    "not_attainable",
)


class TargetValue(Value):
    """What the measure must become: one value under the name of its type, of those that a FHIR Goal can hold."""

    ONE_OF = frozenset(("quantity", "range", "code", "text", "boolean", "integer"))

    quantity = Part(Quantity)
    range = Part(Range)
    code = Part(Code)
    text = Text()
    boolean = Flag()
    integer = Whole()


class Target(Value):
    """The measure that tells whether the goal is reached, the value it must have and by when."""

    measure = Part(Code)
    value = Part(TargetValue)
    due = Date()


class Goal(Record):
    """Keys: targets by measure, notes by text.

    `expressed_by` says whose goal it is: Patient client, RelatedPerson support person, Practitioner case manager or provider.
    """

    concept = "goal"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    lifecycle = Choice(
        "proposed",
        "planned",
        "accepted",
        "active",
        "on_hold",
        "completed",
        "cancelled",
        "entered_in_error",
        "rejected",
        required=True,
    )
    achievement = Choice(*ACHIEVEMENTS)
    achievement_at = Date()
    achievement_reason = Text()
    kind = Choice("health_objective", "self_care", "personal", "financial", "social", "strengths")
    priority = Choice("high", "medium", "low")
    description = Text(required=True)
    start_date = Date()
    targets = parts(Target, ("measure",))
    expressed_by = Ref("Patient", "RelatedPerson", "Practitioner", "PractitionerRole")
    addresses = refs("Condition", "Observation", "RiskAssessment", "ServiceRequest")
    notes = parts(Note, ("text",))
