"""What the case API answers beside records, for its description."""

from adapter.cases.case import STEPS
from adapter.cases.condition import Condition
from adapter.cases.credentials import VERDICTS
from adapter.cases.eligibility_response import Benefit, Limit
from adapter.cases.fields import Choice, Date, DateTime, Exact, Flag, Items, Part, Ref, Text, Whole, parts, refs
from adapter.cases.insurance import STEPS as STEPS_OF_INSURANCE
from adapter.cases.risk_evaluation import LEVELS, TIERS
from adapter.cases.task import Task
from adapter.cases.values import AnyValue, Money, Period, Value
from server.api.asked import WAYS


class Scored(Value):
    """A score as the answers stand: `value` is there once it can be made, `missing` are linkIds."""

    value = Exact()
    band = Text()
    positive = Flag()
    complete = Flag(required=True)
    missing = Items(Text(), required=True)
    unknown = Items(Text(), required=True)
    flags = Items(Text(), required=True)
    advice = Items(Text(), required=True)
    positive_needs = Items(Text(), required=True)


class Instrument(Value):
    """An instrument, and what a screening or response names it by."""

    id = Text(required=True)
    title = Text(required=True)
    instrument = Text(required=True)


class Broken(Value):
    """A glass that was broken: who sees whom until when, and why; or until it was ended, and by whom."""

    id = Text(required=True)
    who = Ref("Practitioner", required=True)
    patient = Ref("Patient", required=True)
    reason = Text(required=True)
    began = DateTime(required=True)
    until = DateTime(required=True)
    ended = DateTime()
    ended_by = Text()


class Way(Value):
    """A transition that the case's step allows, and what must be done first: nothing where the way is free."""

    transition = Choice(*WAYS, required=True)
    trigger = Text(required=True)
    to = Choice(*STEPS, required=True)
    needs_reason = Flag(required=True)
    missing = Items(Text(), required=True)


class TimelineItem(Value):
    """A step of a case, or a record of it."""

    at = DateTime()
    until = DateTime()
    concept = Text(required=True)
    reference = Ref(required=True)
    what = Text()
    status = Text()


class Costs(Value):
    """Amounts, one for each currency."""

    estimated = parts(Money)
    expected = parts(Money)
    actual = parts(Money)
    saving = parts(Money)


class Lens(Value):
    """What a lens shows; where that is nothing, the note says so."""

    items = parts(TimelineItem, required=True)
    costs = Part(Costs)
    note = Text()


class Preferred(Value):
    """What the client wants of care, as an assessment has it: who said it, and when it was found."""

    kind = Choice("care_experience", "treatment_intervention", required=True)
    text = Text(required=True)
    assessment = Ref("ClinicalImpression", required=True)
    source = Ref("Patient", "RelatedPerson", "Practitioner", "PractitionerRole")
    at = DateTime()


class Summary(Value):
    """A case in brief. `phase6` is where it is in the view of six phases, of a step that has one."""

    step = Choice(*STEPS)
    phase6 = Whole(1, 6)
    preferences = parts(Preferred)
    clinical = Part(Lens, required=True)
    advocacy = Part(Lens, required=True)
    financial = Part(Lens, required=True)


class CaseRow(Value):
    """A case of a caseload."""

    case = Ref("EpisodeOfCare", required=True)
    case_number = Text(required=True)
    client = Ref("Patient", required=True)
    step = Choice(*STEPS)
    models = Items(Text())
    tier = Choice(*TIERS)
    priority_score = Whole(0)
    urgent_flags = Items(Text())
    referred_at = DateTime()
    next_due = Date()


class Credentials(Value):
    """The kinds of a case manager's credentials that have lapsed, and the three checks before the exam for Certified Case Manager."""

    lapsed = Items(Text(), required=True)
    work_share = Choice(*VERDICTS, required=True)
    licence = Choice(*VERDICTS, required=True)
    degree = Choice(*VERDICTS, required=True)
    overall = Choice(*VERDICTS, required=True)


class WorkRow(Value):
    """Something to be done: `what` is contact, step, service or task, `reference` the task or else the case."""

    about = Part(CaseRow)
    what = Text(required=True)
    reference = Ref(required=True)
    source = Text()
    due = Date()
    overdue_days = Whole(0)
    urgent = Flag()


class Compared(Value):
    """An option beside the others: what it costs, which goals of the plan none of its services serves, whether all are medically needed."""

    id = Text(required=True)
    title = Text(required=True)
    cost = Part(Money)
    unmet = refs("Goal")
    necessary = Flag(required=True)


class Benefited(Value):
    """What a coverage pays for, and the day on which the insurer said so."""

    as_of = DateTime()
    benefit = Part(Benefit, required=True)


class Paid(Value):
    """A coverage, and what it pays for by the insurer's latest word on each category and service."""

    coverage = Ref("Coverage", required=True)
    status = Text(required=True)
    member_id = Text(required=True)
    payers = refs("Organization", "Patient", "RelatedPerson", required=True)
    period = Part(Period)
    benefits = parts(Benefited)


class Cover(Value):
    """A service as its insurer sees it. `status`, `number` and `until` are of the authorisation in force, else of the latest; `renewal` is
    the status of the latest where another is in force; `next` is what can be done, the nearest first; `eligibility_request` is the
    question that waits for its answer."""

    service = Ref("ServiceRequest", required=True)
    description = Text(required=True)
    kind = Text(required=True)
    required = Choice("yes", "no", "unknown", required=True)
    status = Text()
    next = Items(Choice(*STEPS_OF_INSURANCE))
    authorisation = Ref("ClaimResponse")
    latest = Ref("ClaimResponse")
    renewal = Text()
    number = Text()
    until = DateTime()
    requested_at = DateTime()
    decided_at = DateTime()
    denial_reason = Text()
    eligibility_request = Ref("CoverageEligibilityRequest")
    as_of = DateTime()
    limits = parts(Limit)
    cost = Part(Money)


class Insurance(Value):
    """How the insurance of a case stands."""

    coverages = parts(Paid, required=True)
    services = parts(Cover, required=True)


class Measure(Value):
    """A measure that can be evaluated."""

    id = Text(required=True)
    title = Text(required=True)
    scoring = Text(required=True)


class Found(Value):
    """An entry of the directory. `next_free` is the start of its first free slot; `closed` says that it is not to be had now."""

    kind = Text(required=True)
    reference = Ref(required=True)
    name = Text()
    specialties = Items(Text())
    organization = Ref("Organization")
    next_free = DateTime()
    closed = Flag(required=True)


class ReferralRow(Value):
    """A referral of a case. `by_fhir`: its answer comes by sync; else it is told here. `leads_to` are the statuses that it can go to."""

    reference = Ref("Task", required=True)
    service = Ref("ServiceRequest", required=True)
    description = Text()
    provider = Ref()
    by_fhir = Flag(required=True)
    status = Choice(*Task.field("status").choices, required=True)
    priority = Text()
    authored_at = DateTime()
    due = DateTime()
    overdue = Flag(required=True)
    reason = Text()
    results = Items(Text())
    leads_to = Items(Text())


class Alert(Value):
    """A warning that stops nothing: its stable code, a sentence, and the records that it is about."""

    code = Text(required=True)
    text = Text(required=True)
    about = refs()


class Finding(Value):
    """A condition that a screening shows and on which nobody has spoken yet; `link_ids` are the questions whose answers show it."""

    id = Text(required=True)
    domain = Text(required=True)
    condition = Part(Condition, required=True)
    link_ids = Items(Text(), required=True)


class Proposed(Value):
    """Answers to a question that follow from what is known, and the records that say so."""

    link_id = Text(required=True)
    values = parts(AnyValue, required=True)
    evidence = refs(required=True)


class Proposal(Value):
    """What an instrument's answers would be; `open` are the questions that what was imported leaves open."""

    instrument = Text(required=True)
    items = parts(Proposed, ("link_id",), required=True)
    open = Items(Text(), required=True)


class Weighed(Value):
    """A factor's proposed level, the records that it rests on, and from what it follows."""

    kind = Text(required=True)
    level = Choice(*LEVELS, required=True)
    evidence = refs()
    method = Text()


class RiskProposal(Value):
    """The factors of which something is known, and the urgent flags that are raised."""

    factors = parts(Weighed, ("kind",), required=True)
    urgent_flags = Items(Text(), required=True)
