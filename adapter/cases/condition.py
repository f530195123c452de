"""A diagnosis, a problem or a need."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Note


class Condition(Record):
    """Keys: identifiers by system and value, categories by system and code, other_codings by system, notes by text.

    `other_codings` say the same as `code` in other code systems.
    """

    concept = "condition"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    encounter = Ref("Encounter")
    identifiers = parts(Identifier, ("system", "value"))
    clinical_status = Choice("active", "recurrence", "relapse", "inactive", "remission", "resolved")
    verification_status = Choice("unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered_in_error")
    categories = parts(Code, ("system", "code"))
    severity = Part(Code)
    code = Part(Code, required=True)
    other_codings = parts(Code, ("system",))
    onset_at = DateTime()
    abatement_at = DateTime()
    recorded_at = DateTime()
    recorder = Ref("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
    asserter = Ref("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
    evidence = refs()
    notes = parts(Note, ("text",))
