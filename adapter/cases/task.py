"""Something that somebody has to do."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import AnyValue, Code, Note, Period, Value


class Parameter(Value):
    """Something that a task needs, or that came of it, and what kind of thing that is."""

    type = Part(Code, required=True)
    value = Part(AnyValue, required=True)


class Task(Record):
    """Keys: notes by text, inputs and outputs by type and value. `due` is when it must be done, or of a referral when it is answered.

    A task about a planned service is a referral: adapter/cases/referrals.py.
    """

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
    status_reason = Part(Code)
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
    inputs = parts(Parameter, ("type", "value"))
    outputs = parts(Parameter, ("type", "value"))
    notes = parts(Note, ("text",))
