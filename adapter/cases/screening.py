"""Step 1: the records reviewed, four domains looked at, an instrument answered, and whether to go on."""

from adapter.cases.fields import Choice, Date, DateTime, Items, Part, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import Answer, Score, Value


class RecordReview(Value):
    """Which records were read."""

    sources = Items(Choice("medical_records", "medical_history", "claims", "ehr_import", "other"), required=True)
    reviewed_at = DateTime(required=True)
    summary = Text(required=True)


class Domain(Value):
    """What is known of one domain of the client's life."""

    status = Choice("reviewed", "not_available", required=True)
    notes = Text()


class Domains(Value):
    """The four domains."""

    medical = Part(Domain, required=True)
    financial = Part(Domain, required=True)
    living = Part(Domain, required=True)
    social = Part(Domain, required=True)


class Need(Value):
    """A need that an answer shows."""

    domain = Choice(
        "housing",
        "food",
        "transport",
        "utilities",
        "financial",
        "safety",
        "employment",
        "education",
        "social",
        "stress",
        "other",
        required=True,
    )
    evidence_link_ids = Items(Text())


class Screening(Record):
    """Keys: answers by link_id, scores by name, positive_needs by domain. `instrument` is the canonical URL with its version.

    Scores and positive needs are computed from the answers; they are kept only here, derived Observations carry them outward.
    """

    concept = "screening"
    LOCAL = frozenset({"scores", "positive_needs"})

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare", required=True)
    instrument = Text(required=True)
    status = Choice("in_progress", "completed", "amended", "entered_in_error", "stopped", required=True)
    mode = Choice("interview", "self", "chart_review", "proxy")
    record_review = Part(RecordReview, required=True)
    domains = Part(Domains, required=True)
    answers = parts(Answer, ("link_id",))
    disposition = Choice("proceed", "monitor", "not_eligible", required=True)
    disposition_reason = Text()
    rescreen_on = Date()
    completed_at = DateTime()
    completed_by = Ref("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
    scores = parts(Score, ("name",))
    positive_needs = parts(Need, ("domain",))
