"""What everybody who opens the client's record must see first."""

from adapter.cases.fields import Choice, Part, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Period


class Flag(Record):
    """Keys: identifiers by system and value, categories by system and code.

    `period.start` is since when; `description` says it in words.
    """

    concept = "flag"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    identifiers = parts(Identifier, ("system", "value"))
    status = Choice("active", "inactive", "entered_in_error", required=True)
    categories = parts(Code, ("system", "code"))
    kind = Choice("safety", "high_risk", "elder_abuse", "suicide", "readmission", "other", required=True)
    description = Text()
    period = Part(Period)
    encounter = Ref("Encounter")
    author = Ref("Practitioner", "PractitionerRole", "Organization", "Patient", "Device")
