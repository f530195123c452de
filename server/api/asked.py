"""What the case API is asked beside records: the bodies of steps, and the parameters of lists and views."""

from copy import copy
from functools import cache
from typing import Any

from adapter.care.proposal import PROPOSED
from adapter.cases import referrals
from adapter.cases.case import STEPS, Model
from adapter.cases.eligibility_response import Benefit, EligibilityResponse
from adapter.cases.fields import Choice, Date, DateTime, Flag, Items, Moment, Part, Ref, Text, Whole, parts
from adapter.cases.insurance_answers import DECIDED
from adapter.cases.insurance_requests import PRIORITIES
from adapter.cases.plan import Change, Plan
from adapter.cases.planned_service import PlannedService
from adapter.cases.record import Judged
from adapter.cases.registry import RECORDS
from adapter.cases.task import Task
from adapter.cases.values import Answer, Code, Identifier, Period, Value
from adapter.cases.workflow import TRANSITIONS
from adapter.casework import listing, transitions
from adapter.casework.directory import KINDS
from adapter.casework.measures import BY

WAYS = tuple(dict.fromkeys(row.id for row in TRANSITIONS))
"""The transitions of the table, each once."""


class Nothing(Judged):
    """No parameters."""

    concept = "query"


class TransitionRequest(Judged):
    """Where a case is to go: `to` is a step, `transition` a way of the table, for where two ways lead to one step."""

    concept = "transition"
    ONE_OF = frozenset(("to", "transition"))

    to = Choice(*STEPS)
    transition = Choice(*WAYS)
    reason = Text()
    request_id = Text()


class Assignment(Judged):
    """Who is to be the primary case manager; the reason is for going over a limit, and is kept."""

    concept = "assignment"

    case_manager = Ref("Practitioner", required=True)
    reason = Text()


class BreakGlass(Judged):
    """For whom the glass is broken, by id or by identifier (one value or none is found), and why: in 10 to 500 characters."""

    concept = "glass"
    ONE_OF = frozenset(("client", "identifier"))

    client = Ref("Patient")
    identifier = Part(Identifier)
    reason = Text(required=True)


class Following(Judged):
    """The models that the case is to follow, exactly one of them primary; a reason where a rule yields to one."""

    concept = "models"

    models = parts(Model, ("model",), required=True)
    reason = Text()


class Reasoned(Judged):
    """A reason, where a rule yields to one."""

    concept = "reason"

    reason = Text()


class FindingAnswer(Judged):
    """Whether a finding holds, as the client says: it becomes a condition, confirmed or refuted."""

    concept = "finding"

    holds = Flag(required=True)
    reason = Text()


class ProposalQuery(Judged):
    """An instrument whose answers are proposed from what was imported; of a stay, its encounter."""

    concept = "query"

    instrument = Choice(*PROPOSED, required=True)
    stay = Ref("Encounter")


class Preview(Judged):
    """Answers to an instrument, to be scored and not kept."""

    concept = "preview"

    instrument = Text(required=True)
    answers = parts(Answer, ("link_id",))


class Whose(Judged):
    """Whose worklist."""

    concept = "query"

    case_manager = Ref("Practitioner")


def _word(kind: type[Judged], path: str, **options: Any) -> Choice:
    """The closed list of words that a record has at this path."""
    return Choice(*kind.field(path).choices, **options)


class Choosing(Judged):
    """The option that the client chose."""

    concept = "choice"

    option = Text(required=True)


class Acceptance(Judged):
    """The client's word on the plan, by them or who speaks for them."""

    concept = "acceptance"

    status = Choice("accepted", "declined", required=True)
    by = Ref("Patient", "RelatedPerson", required=True)


class Adjustment(Judged):
    """An adjustment of the plan; `by` is who proposes it where it is not who acts."""

    concept = "adjustment"

    reason = _word(Plan, "adjustments.reason", required=True)
    severity = _word(Plan, "adjustments.severity", required=True)
    changes = parts(Change, ("op", "path"))
    by = Ref("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")


class AdjustmentAnswer(Judged):
    """The client's word on the adjustment that was proposed at this moment."""

    concept = "adjustment"

    proposed_at = DateTime(required=True)
    accepted = Flag(required=True)


# What of a plan an adjustment may change.
_ADJUSTED = (
    "title",
    "description",
    "period",
    "team",
    "problem_list",
    "goals",
    "services",
    "schedule",
    "resources",
    "no_resource_applicable",
    "medical_necessity",
    "social_situation",
    "notes",
)


def _optional(field: Any) -> Any:
    found = copy(field)
    found.required = False
    return found


PlanUpdates = type(
    "PlanUpdates",
    (Value,),
    {"__doc__": "The fields of a plan that an adjustment changes, as they are to be.", "__module__": __name__}
    | {name: _optional(Plan._fields[name]) for name in _ADJUSTED},
)


class Adjusted(Judged):
    """The adjustment that was proposed at this moment, and the plan's fields as it makes them."""

    concept = "adjustment"

    proposed_at = DateTime(required=True)
    updates = Part(PlanUpdates, required=True)
    reason = Text()


class Determination(Judged):
    """Whether a service is medically needed; `self_funded`: the client pays for it."""

    concept = "determination"

    determination = _word(PlannedService, "medical_necessity.determination", required=True)
    rationale = Text(required=True)
    self_funded = Flag()


class ServiceStatus(Judged):
    """The status that a service goes to; a reason where a rule yields to one."""

    concept = "service_status"

    status = _word(PlannedService, "status", required=True)
    reason = Text()


class Sessions(Judged):
    """When the sessions of a service begin in its first period, and how long each is."""

    concept = "sessions"

    first = Items(Moment(), required=True)
    minutes = Whole(1, 1440, required=True)
    reason = Text()


class Eligibility(Judged):
    """The coverage that is asked about, where not the first one in force; a reason where a rule yields to one."""

    concept = "eligibility"

    coverage = Ref("Coverage")
    reason = Text()


class EligibilityAnswer(Judged):
    """What an insurer answered: whether the coverage is in force, what it pays for and what of it must be authorised; `as_of` is when."""

    concept = "eligibility_answer"

    outcome = _word(EligibilityResponse, "outcome", required=True)
    as_of = DateTime()
    in_force = Flag()
    benefits = parts(Benefit, ("category", "code", "name", "network"))
    disposition = Text()
    number = Text()


class AuthorisationRequest(Judged):
    """The coverage and provider, where not the first one in force and the service's first performer; how soon an answer is needed."""

    concept = "authorisation_request"

    coverage = Ref("Coverage")
    provider = Ref("Practitioner", "PractitionerRole", "Organization")
    priority = Choice(*PRIORITIES)
    reason = Text()


class AuthorisationAnswer(Judged):
    """What an insurer decided; `requested` where it has not yet. What is approved has its number, what is denied the reason."""

    concept = "authorisation_answer"

    status = Choice(*DECIDED, "requested", required=True)
    number = Text()
    validity = Part(Period)
    denial_reason = Text()
    decided_at = DateTime()


class Appeal(Judged):
    """What is at stake, what is done about it, and by when; a reason where a rule yields to one."""

    concept = "appeal"

    issue = Text(required=True)
    action = Text(required=True)
    due = Date(required=True)
    reason = Text()


class Referring(Judged):
    """Who is to do a service: an entry of the directory. `due` is until when an answer is waited for, where not the policy's day."""

    concept = "referral"

    to = Ref("Organization", "HealthcareService", "PractitionerRole", "Practitioner", required=True)
    priority = _word(Task, "priority")
    due = DateTime()
    note = Text()


class ReferralResult(Value):
    """What came of a referral: a resource such as a Procedure or DocumentReference, the code of what was done, or words."""

    ONE_OF = frozenset(("reference", "code", "text"))

    reference = Ref()
    code = Part(Code)
    text = Text()


class ReferralAnswer(Judged):
    """A provider's answer; the reason is needed where it is not done, and kept."""

    concept = "referral_answer"

    status = Choice(*referrals.ANSWERS, required=True)
    reason = Text()
    results = parts(ReferralResult)


class Withdrawal(Judged):
    """Why a referral is taken back."""

    concept = "withdrawal"

    reason = Text(required=True)


class Handover(Judged):
    """Until when the receiver's word is waited for, where not until the day of the transition."""

    concept = "handover"

    due = DateTime()


class HandoverAnswer(Judged):
    """A receiver's word; why they do not take over is needed."""

    concept = "handover_answer"

    status = Choice(*transitions.ANSWERS, required=True)
    reason = Text()


class MeasureQuery(Judged):
    """From the start of one day to the end of another; divided `by`; of one client; with the members of each numerator; as JSON or CSV."""

    concept = "query"

    start = Date(required=True)
    end = Date(required=True)
    by = Choice(*BY)
    subject = Ref("Patient")
    members = Flag()
    format = Choice("json", "csv")


class DirectoryQuery(Judged):
    """What is looked for: a specialty as code, system|code or the start of its text; near is the start of a part of an address."""

    concept = "query"

    kind = Choice(*KINDS, required=True)
    specialty = Text()
    near = Text()


class TraceQuery(Judged):
    """What of the case is asked about."""

    concept = "query"

    element = Ref(required=True)


@cache
def list_query(concept: str) -> type[Judged]:
    """The parameters of a concept's list: its filters and the page."""
    kind = RECORDS[concept]
    members = {name: _like(kind.field(name)) for name in listing.filters(concept)}
    page = {"updated_since": DateTime(), "cursor": Text(), "limit": Whole(1, listing.MOST)}
    described = f"Filters of a list of the concept {concept}, and the page."
    return type(f"{kind.__name__}List", (Judged,), {"concept": "query", "__doc__": described, **members, **page})


def _like(field: Choice | Ref) -> Choice | Ref:
    return Choice(*(field.choices or field.words)) if isinstance(field, Choice) else Ref(*field.types)
