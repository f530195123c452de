"""A service that the plan proposes or orders."""

from adapter.cases.fields import Choice, DateTime, Exact, Flag, Part, Ref, Text, Whole, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Money, Note, Value


class Timing(Value):
    """When: `frequency` times per `period` of `period_unit`, `count` times in all."""

    start = DateTime()
    end = DateTime()
    frequency = Whole(1)
    period = Exact(0)
    period_unit = Choice("s", "min", "h", "d", "wk", "mo", "a")
    count = Whole(1)
    text = Text()


class Determination(Value):
    """Whether the service is medically needed."""

    determination = Choice("necessary", "not_necessary", "undetermined", required=True)
    rationale = Text()
    decided_by = Ref("Practitioner", "PractitionerRole", "Organization")
    decided_at = DateTime()


class PlannedService(Record):
    """Keys: notes by text.

    A candidate shown to the client has intent `proposal`, what is to be done `plan` or `order`. The state of an authorisation stands in
    its own record, named in `insurance` beside the coverage.
    """

    concept = "planned_service"
    ELSEWHERE = {
        "authorisation.status": "stands in the authorisation record",
        "authorisation.number": "stands in the authorisation record",
        "authorisation.validity": "stands in the authorisation record",
    }

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    status = Choice(
        "not_started",
        "scheduled",
        "in_progress",
        "on_hold",
        "completed",
        "cancelled",
        "stopped",
        "entered_in_error",
        required=True,
    )
    intent = Choice("proposal", "plan", "order", required=True)
    kind = Choice(
        "treatment",
        "therapy",
        "diagnostic",
        "medication",
        "education",
        "social_service",
        "financial_planning",
        "referral",
        "transport",
        "equipment",
        "home_health",
        "rehabilitation",
        "monitoring",
        "advocacy",
        required=True,
    )
    code = Part(Code)
    description = Text(required=True)
    goals = refs("Goal")
    performers = refs("Practitioner", "PractitionerRole", "Organization", "CareTeam", "HealthcareService", "Patient", "RelatedPerson")
    performer_role = Part(Code)
    setting = Choice("home", "clinic", "hospital", "rehab", "snf", "community", "virtual")
    timing = Part(Timing)
    requester = Ref("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson")
    authored_at = DateTime()
    reasons = refs("Condition", "Observation", "DiagnosticReport", "DocumentReference")
    medical_necessity = Part(Determination)
    self_funded = Flag()
    authorisation_required = Choice("yes", "no", "unknown")
    insurance = refs("Coverage", "ClaimResponse")
    estimated_cost = Part(Money)
    outcome_monitor = Ref("Practitioner", "PractitionerRole", "Organization")
    intervention_kind = Choice("narrative_reframing", "environmental_change", "other")
    replaces = refs("ServiceRequest")
    notes = parts(Note, ("text",))
