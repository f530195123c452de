"""An application to a programme that helps, such as financial aid, and what became of it."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import Code, Note


class ProgrammeApplication(Record):
    """Keys: notes by text. `submitted_at` and `decided_at` are when the programme got it and when it answered."""

    concept = "programme_application"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    programme = Text(required=True)
    status = Choice("preparing", "submitted", "enrolled", "not_enrolled", "waitlist", "cancelled", "entered_in_error", required=True)
    status_reason = Part(Code)
    service = Ref("ServiceRequest", "HealthcareService")
    prepared_by = Ref("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson")
    addressed_to = Ref("Organization", "HealthcareService", "PractitionerRole", "Practitioner")
    prepared_at = DateTime()
    changed_at = DateTime()
    submitted_at = DateTime()
    decided_at = DateTime()
    due = DateTime()
    notes = parts(Note, ("text",))
