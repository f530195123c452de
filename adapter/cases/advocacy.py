"""A word put in for the client, or passed between the client and others."""

from adapter.cases.fields import Choice, DateTime, Ref, Text, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Note


class Advocacy(Record):
    """`kind` advocacy: spoken for the client; liaison: passed between them and an insurer or provider; information: told to the client."""

    concept = "advocacy"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    status = Choice(
        "preparation", "in_progress", "not_done", "on_hold", "stopped", "completed", "entered_in_error", "unknown", required=True
    )
    kind = Choice("advocacy", "liaison", "information", required=True)
    issue = Text(required=True)
    sender = Ref("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson")
    addressed_to = refs("Organization", "Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "CareTeam")
    about = refs()
    encounter = Ref("Encounter")
    action = Text()
    result = Text()
    at = DateTime()
    notes = parts(Note, ("text",))
