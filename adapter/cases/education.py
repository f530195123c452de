"""A lesson for the client or their family, and whether it was understood."""

from adapter.cases.fields import Choice, DateTime, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import Note


class Education(Record):
    """Keys: notes by text."""

    concept = "education"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    encounter = Ref("Encounter")
    status = Choice(
        "preparation", "in_progress", "not_done", "on_hold", "stopped", "completed", "entered_in_error", "unknown", required=True
    )
    topic = Choice("lifestyle", "medication_administration", "when_to_return", "condition", "self_care", "other", required=True)
    material = Text()
    method = Text()
    teach_back = Choice("understood", "partly", "not_understood", "not_done")
    at = DateTime()
    by = Ref("Practitioner", "PractitionerRole")
    notes = parts(Note, ("text",))
