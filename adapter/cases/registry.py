"""Every concept's record, by name. Adding a concept is its module and its line here."""

from adapter.cases.advocacy import Advocacy
from adapter.cases.appointment import Appointment
from adapter.cases.assessment import Assessment
from adapter.cases.authorisation import Authorisation
from adapter.cases.barrier import Barrier
from adapter.cases.care_team import CareTeam
from adapter.cases.case import Case
from adapter.cases.case_manager import CaseManager
from adapter.cases.client import Client
from adapter.cases.condition import Condition
from adapter.cases.consent import Consent
from adapter.cases.coverage import Coverage
from adapter.cases.education import Education
from adapter.cases.eligibility_request import EligibilityRequest
from adapter.cases.eligibility_response import EligibilityResponse
from adapter.cases.encounter import Encounter
from adapter.cases.endpoint import Endpoint
from adapter.cases.flag import Flag
from adapter.cases.follow_up import FollowUp
from adapter.cases.goal import Goal
from adapter.cases.healthcare_service import HealthcareService
from adapter.cases.measurement import Measurement
from adapter.cases.message import Message
from adapter.cases.outcome import Outcome
from adapter.cases.plan import Plan
from adapter.cases.planned_service import PlannedService
from adapter.cases.preauthorisation import Preauthorisation
from adapter.cases.professional_role import ProfessionalRole
from adapter.cases.programme_application import ProgrammeApplication
from adapter.cases.record import Fields, Record
from adapter.cases.referral import Referral
from adapter.cases.response import Response
from adapter.cases.risk_evaluation import RiskEvaluation
from adapter.cases.screening import Screening
from adapter.cases.stakeholder import PERSONS, Stakeholder
from adapter.cases.strength import Strength
from adapter.cases.support_person import SupportPerson
from adapter.cases.target_group import TargetGroup
from adapter.cases.task import Task
from adapter.cases.transition_plan import TransitionPlan

_KINDS: tuple[type[Record], ...] = (
    Client,
    SupportPerson,
    CaseManager,
    Stakeholder,
    ProfessionalRole,
    HealthcareService,
    Endpoint,
    Coverage,
    EligibilityRequest,
    EligibilityResponse,
    Consent,
    CareTeam,
    TargetGroup,
    Case,
    Flag,
    Referral,
    Condition,
    Barrier,
    Encounter,
    FollowUp,
    Screening,
    Response,
    Assessment,
    Measurement,
    Strength,
    RiskEvaluation,
    Plan,
    Goal,
    PlannedService,
    Appointment,
    Task,
    ProgrammeApplication,
    Education,
    Advocacy,
    Message,
    Preauthorisation,
    Authorisation,
    TransitionPlan,
    Outcome,
)

RECORDS: dict[str, type[Record]] = {kind.concept: kind for kind in _KINDS}

TYPES: dict[str, tuple[str, ...]] = {
    "client": ("Patient",),
    "support_person": ("RelatedPerson",),
    "case_manager": ("Practitioner", "PractitionerRole"),
    "stakeholder": ("Organization", "Practitioner"),
    "professional_role": ("PractitionerRole",),
    "healthcare_service": ("HealthcareService",),
    "endpoint": ("Endpoint",),
    "coverage": ("Coverage",),
    "eligibility_request": ("CoverageEligibilityRequest",),
    "eligibility_response": ("CoverageEligibilityResponse",),
    "consent": ("Consent",),
    "care_team": ("CareTeam",),
    "target_group": ("Group",),
    "case": ("EpisodeOfCare",),
    "flag": ("Flag",),
    "referral": ("ServiceRequest",),
    "condition": ("Condition",),
    "barrier": ("Condition",),
    "encounter": ("Encounter",),
    "follow_up": ("Encounter",),
    "screening": ("QuestionnaireResponse",),
    "response": ("QuestionnaireResponse",),
    "assessment": ("ClinicalImpression",),
    "measurement": ("Observation",),
    "strength": ("Observation",),
    "risk_evaluation": ("RiskAssessment",),
    "plan": ("CarePlan",),
    "goal": ("Goal",),
    "planned_service": ("ServiceRequest",),
    "appointment": ("Appointment",),
    "task": ("Task",),
    "programme_application": ("Task",),
    "education": ("Procedure",),
    "advocacy": ("Communication",),
    "message": ("Communication",),
    "preauthorisation": ("Claim",),
    "authorisation": ("ClaimResponse",),
    "transition_plan": ("QuestionnaireResponse",),
    "outcome": ("QuestionnaireResponse",),
}
"""The types under which a record can be referred to. A case manager has both of its; a stakeholder has one of its, by what it is."""


def types_of(concept: str, fields: Fields) -> tuple[str, ...]:
    """The types under which this very record can be referred to, the usual one first."""
    if concept == "stakeholder":
        person = fields.get("kind") in PERSONS or "names" in fields
        return ("Practitioner",) if person else ("Organization",)
    return TYPES[concept]
