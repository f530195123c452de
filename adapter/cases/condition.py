"""A diagnosis, a problem or a need."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, Text, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Note, Value


class TranslatedCode(Value):
    """A code; `translations` say the same in other code systems."""

    system = Text()
    code = Text()
    display = Text()
    text = Text()
    translations = parts(Code, ("system", "code"))


class Condition(Record):
    """Keys: identifiers by system and value, categories and translations of the code by system and code, notes by text."""

    concept = "condition"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    encounter = Ref("Encounter")
    identifiers = parts(Identifier, ("system", "value"))
    clinical_status = Choice("active", "recurrence", "relapse", "inactive", "remission", "resolved")
    verification_status = Choice("unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered_in_error")
    categories = parts(Code, ("system", "code"))
    severity = Part(Code)
    code = Part(TranslatedCode, required=True)
    onset_at = DateTime()
    abatement_at = DateTime()
    recorded_at = DateTime()
    recorder = Ref("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
    asserter = Ref("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
    evidence = refs()
    notes = parts(Note, ("text",))
