"""A transition from one setting of care to the next: whether all is ready, where to, who takes over."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, Text
from adapter.cases.record import Record
from adapter.cases.values import Value


class Readiness(Value):
    """One thing that must be ready before the client leaves, and why it is not or need not be."""

    status = Choice("done", "open", "not_applicable", required=True)
    reason = Text()


class Checklist(Value):
    """What must be ready."""

    clinical_stability = Part(Readiness)
    education_lifestyle = Part(Readiness)
    education_medication = Part(Readiness)
    education_return = Part(Readiness)
    medication_reconciliation = Part(Readiness)
    followup_booked = Part(Readiness)
    equipment = Part(Readiness)
    transport = Part(Readiness)
    caregiver_ready = Part(Readiness)
    authorisation = Part(Readiness)
    summary_sent = Part(Readiness)


LESSONS = {
    "education_lifestyle": "lifestyle",
    "education_medication": "medication_administration",
    "education_return": "when_to_return",
}
"""The topic of the lesson that an item of the checklist needs (P-12)."""


class TransitionPlan(Record):
    """`encounter` is the stay that ends; `receiver` takes over, and got the `package` at `acknowledged_at`."""

    concept = "transition_plan"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare", required=True)
    encounter = Ref("Encounter", required=True)
    status = Choice("in_progress", "completed", "amended", "entered_in_error", "stopped", required=True)
    authored_at = DateTime()
    author = Ref("Practitioner", "PractitionerRole")
    from_setting = Text()
    to_setting = Choice("home", "rehab", "snf", "home_health", "long_term", "hospice", "psych", "other_hospital", "other", required=True)
    target_date = DateTime()
    actual_date = DateTime()
    readiness = Part(Checklist)
    delay_reason = Text()
    receiver = Ref("Organization", "Practitioner", "PractitionerRole", "HealthcareService", "RelatedPerson", "Patient")
    package = Ref("DocumentReference", "Composition")
    acknowledged_at = DateTime()
    first_follow_up_due_at = DateTime()
