"""Something that somebody has to do."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import Code, Note, Period


class Task(Record):
    """Keys: notes by text. `due` is when it must be done."""

    concept = "task"

    client = Ref("Patient")
    case = Ref("EpisodeOfCare")
    status = Choice(
        "draft",
        "requested",
        "received",
        "accepted",
        "rejected",
        "ready",
        "cancelled",
        "in_progress",
        "on_hold",
        "failed",
        "completed",
        "entered_in_error",
        required=True,
    )
    intent = Choice(
        "unknown",
        "proposal",
        "plan",
        "order",
        "original_order",
        "reflex_order",
        "filler_order",
        "instance_order",
        "option",
        required=True,
    )
    priority = Choice("routine", "urgent", "asap", "stat")
    code = Part(Code)
    business_status = Part(Code)
    description = Text()
    focus = Ref()
    encounter = Ref("Encounter")
    authored_at = DateTime()
    modified_at = DateTime()
    requester = Ref("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "Device")
    owner = Ref("Practitioner", "PractitionerRole", "Organization", "CareTeam", "HealthcareService", "Patient", "RelatedPerson", "Device")
    executed = Part(Period)
    due = DateTime()
    reason = Part(Code)
    delay_reason = Text()
    notes = parts(Note, ("text",))
