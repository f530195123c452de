"""A contact that reviews how the plan goes, with the client, a provider or the support network."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, Text, Whole, parts, refs
from adapter.cases.goal import ACHIEVEMENTS
from adapter.cases.record import Record
from adapter.cases.values import Code, Value


class GoalReview(Value):
    """How far a goal is, as of this contact."""

    goal = Ref("Goal", required=True)
    achievement = Choice(*ACHIEVEMENTS, "not_reviewed", required=True)
    note = Text()


class Adherence(Value):
    """Whether a medication is taken."""

    medication = Part(Code, required=True)
    value = Choice("taking", "partly", "not_taking", "not_assessed", required=True)
    reason = Text()


class Decision(Value):
    """Whether the contact led to a proposal to change the plan."""

    decision = Choice("none_needed", "proposed", "deferred", required=True)
    reason = Text()


class FollowUp(Record):
    """Keys: goal_reviews by goal, medication_adherence by medication.

    `performer` is the case manager; `participants` are the persons spoken to, the client among them. `occurred_at` is the start.
    """

    concept = "follow_up"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare", required=True)
    type = Choice("visit", "home_visit", "call", "video", "message", "case_conference", "accompaniment", required=True)
    source = Choice("client", "provider", "support_network", required=True)
    status = Choice("planned", "in_progress", "completed", "attempted", "no_contact", "cancelled", "entered_in_error", required=True)
    performer = Ref("Practitioner", "PractitionerRole")
    participants = refs("Patient", "RelatedPerson", "Practitioner", "PractitionerRole", "Organization")
    planned_at = DateTime()
    occurred_at = DateTime()
    duration_min = Whole(0)
    attempts = Whole(0)
    goal_reviews = parts(GoalReview, ("goal",))
    treatment_working = Choice("yes", "partly", "no", "unknown")
    barriers = refs("Condition")
    medication_adherence = parts(Adherence, ("medication",))
    appointments_reviewed = refs("Appointment")
    adjustment_decision = Part(Decision)
    next_contact_due = DateTime()
    note = Text()
