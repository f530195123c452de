"""A case: one client, one process of seven steps, one primary case manager."""

from typing import Any

from adapter.care import model
from adapter.cases.fields import Choice, DateTime, Flag, Items, Part, Ref, Text, Whole, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Period, Value

STEPS = (
    "referred",
    "screening",
    "assessment",
    "risk_evaluation",
    "planning",
    "implementation",
    "follow_up",
    "outcome_evaluation",
    "closed",
    "on_hold",
    "not_eligible",
    "declined",
    "cancelled",
    "entered_in_error",
)
STATUSES = ("planned", "waitlist", "active", "onhold", "finished", "cancelled", "entered_in_error")


class CareModel(Choice):
    """The id of a model of case management: one of casebridge's or the site's, so the list is made when it is needed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.RULE = "is not a model of case management that is known here"  # type: ignore[misc]

    @property
    def words(self) -> frozenset[str]:
        return frozenset(model.names())


class Model(Value):
    """A model of case management that the case follows."""

    model = CareModel(required=True)
    primary = Flag()
    period = Part(Period)
    assigned_by = Ref("Practitioner", "PractitionerRole", "Organization")


class Stretch(Value):
    """A stretch of the case's history in one step and status."""

    step = Choice(*STEPS)
    status = Choice(*STATUSES, required=True)
    period = Part(Period, required=True)
    reason = Text()


class Diagnosis(Value):
    """A condition that the case is about."""

    condition = Ref("Condition", required=True)
    role = Part(Code)
    rank = Whole(1)


class Request(Value):
    """A transition that was carried out, by the id of its request: the same request again changes nothing."""

    id = Text(required=True)
    transition = Text(required=True)
    at = DateTime(required=True)
    by = Ref()


class Case(Record):
    """Keys: models by model and period.start, status_history by period.start, diagnoses by condition, requests by id.

    `step` is the state of the case's process, `status` follows from it (workflow.STATUS_OF_STEP); a case that another system opened has
    a status and no step. `tier` and `priority_score` are copies from the latest risk evaluation.
    """

    concept = "case"
    LOCAL = frozenset({"tier", "priority_score", "requests", "cycle"})
    ELSEWHERE = {
        "flags": "are records of their own",
        "assigned_by_organization": "is the requester of the referral",
        "index_encounter": "is the encounter that belongs to the case and is an inpatient stay",
        "outcomes": "is the outcome record of the case",
    }

    client = Ref("Patient", required=True)
    case_number = Text(required=True)
    case_type = Choice("general", "targeted", "focused", "hospital", required=True)
    models = parts(Model, ("model", "period.start"))
    status = Choice(*STATUSES, required=True)
    step = Choice(*STEPS)
    status_history = parts(Stretch, ("period.start",))
    setting_type = Choice(
        "hospital",
        "primary_care",
        "home_health",
        "managed_care",
        "rehabilitation",
        "outpatient",
        "behavioral_health",
        "community",
        "insurer",
    )
    target_group = Ref("Group")
    case_manager = Ref("Practitioner", "PractitionerRole")
    managing_organization = Ref("Organization")
    referrals = refs("ServiceRequest")
    team = refs("CareTeam")
    diagnoses = parts(Diagnosis, ("condition", "role"))
    opened_at = DateTime()
    closed_at = DateTime()
    close_reason = Choice(
        "goals_met", "client_declined", "transferred", "lost_contact", "deceased", "not_eligible", "coverage_ended", "other"
    )
    eligibility_markers = Items(Choice("complex", "chronic", "multi_chronic", "elderly", "transitioning", "high_risk"))
    tier = Choice("low", "rising", "high", "complex")
    priority_score = Whole(0)
    cycle = Whole(1)
    requests = parts(Request, ("id",))
