"""The request that opened a case: who assigned it, why, when."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Note


class Referral(Record):
    """Keys: identifiers by system and value, reasons none (kept as they stand)."""

    concept = "referral"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    identifiers = parts(Identifier, ("system", "value"))
    status = Choice("draft", "active", "on_hold", "revoked", "completed", "entered_in_error", "unknown", required=True)
    priority = Choice("routine", "urgent", "asap", "stat")
    code = Part(Code)
    source = Choice("insurer", "hospital", "outpatient", "self", "family", "community", "other", required=True)
    requester = Ref("Organization", "Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
    performers = refs("Practitioner", "PractitionerRole", "Organization", "CareTeam")
    received_at = DateTime(required=True)
    reasons = parts(Code, required=True)
    documents = refs("DocumentReference", "Encounter", "Condition")
    notes = parts(Note, ("text",))
