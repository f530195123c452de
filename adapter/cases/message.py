"""A message between the client, the case manager and others."""

from adapter.cases.fields import Choice, DateTime, Items, Part, Ref, Text, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Note


class Message(Record):
    """Keys: identifiers by system and value, categories, media and reasons by system, code and text, notes by text.

    `texts` are its parts in words; `in_response_to` are the messages that it answers.
    """

    concept = "message"

    client = Ref("Patient")
    case = Ref("EpisodeOfCare")
    encounter = Ref("Encounter")
    identifiers = parts(Identifier, ("system", "value"))
    status = Choice(
        "preparation", "in_progress", "not_done", "on_hold", "stopped", "completed", "entered_in_error", "unknown", required=True
    )
    status_reason = Part(Code)
    priority = Choice("routine", "urgent", "asap", "stat")
    categories = parts(Code, ("system", "code", "text"))
    media = parts(Code, ("system", "code", "text"))
    topic = Part(Code)
    sender = Ref("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "Device", "HealthcareService")
    recipients = refs(
        "Patient",
        "RelatedPerson",
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "CareTeam",
        "Device",
        "Group",
        "HealthcareService",
        required=True,
    )
    about = refs()
    in_response_to = refs("Communication")
    sent_at = DateTime()
    received_at = DateTime()
    reasons = parts(Code, ("system", "code", "text"))
    texts = Items(Text())
    notes = parts(Note, ("text",))
