"""A stay or a meeting."""

from adapter.cases.fields import Choice, Part, Ref, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Participant, Period, Quantity


class Encounter(Record):
    """Keys: identifiers by system and value, types and reasons by system and code, participants by individual and role."""

    concept = "encounter"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    identifiers = parts(Identifier, ("system", "value"))
    status = Choice(
        "planned",
        "arrived",
        "triaged",
        "in_progress",
        "onleave",
        "finished",
        "cancelled",
        "entered_in_error",
        "unknown",
        required=True,
    )
    encounter_class = Part(Code, required=True)
    types = parts(Code, ("system", "code"))
    service_type = Part(Code)
    priority = Part(Code)
    participants = parts(Participant, ("individual", "role"))
    appointments = refs("Appointment")
    period = Part(Period)
    length = Part(Quantity)
    reasons = parts(Code, ("system", "code"))
    conditions = refs("Condition", "Procedure", "Observation")
    admit_source = Part(Code)
    readmission = Part(Code)
    discharge_disposition = Part(Code)
    destination = Ref("Organization", "Location")
    locations = refs("Location")
    service_provider = Ref("Organization")
    part_of = Ref("Encounter")
