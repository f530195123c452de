"""Something measured or observed."""

from adapter.cases.fields import Choice, DateTime, Moment, Part, Ref, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import AnyValue, Code, Identifier, Note, Period, Value


class Effective(Value):
    """When it was so: at a moment or over a time."""

    ONE_OF = frozenset(("date_time", "period"))

    date_time = DateTime()
    period = Part(Period)


class Component(Value):
    """One of several results that belong together."""

    code = Part(Code, required=True)
    value = Part(AnyValue)
    data_absent_reason = Part(Code)
    interpretations = parts(Code, ("system", "code"))


class Measurement(Record):
    """Keys: identifiers by system and value, categories and interpretations by system and code, components by code, notes by text."""

    concept = "measurement"

    client = Ref("Patient")
    case = Ref("EpisodeOfCare")
    encounter = Ref("Encounter")
    identifiers = parts(Identifier, ("system", "value"))
    status = Choice(
        "registered",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "cancelled",
        "entered_in_error",
        "unknown",
        required=True,
    )
    categories = parts(Code, ("system", "code"))
    code = Part(Code, required=True)
    effective = Part(Effective)
    issued_at = Moment()
    performers = refs()
    value = Part(AnyValue)
    data_absent_reason = Part(Code)
    interpretations = parts(Code, ("system", "code"))
    components = parts(Component, ("code",))
    body_site = Part(Code)
    method = Part(Code)
    derived_from = refs()
    notes = parts(Note, ("text",))
