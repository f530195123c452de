"""What the case API is asked beside records: the bodies of steps, and the parameters of lists and views."""

from copy import copy
from functools import cache
from typing import Any

from adapter.care.proposal import PROPOSED
from adapter.cases.case import STEPS, Model
from adapter.cases.fields import Choice, Date, DateTime, Flag, Items, Moment, Part, Ref, Text, Whole, parts
from adapter.cases.plan import Change, Plan
from adapter.cases.planned_service import PlannedService
from adapter.cases.record import Judged
from adapter.cases.registry import RECORDS
from adapter.cases.values import Answer, Value
from adapter.cases.workflow import TRANSITIONS
from adapter.casework import listing
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
