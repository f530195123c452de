"""Step 4: what is to be reached, by which services, when."""

from adapter.cases.fields import Choice, DateTime, Flag, Items, Part, Ref, Text, Whole, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Money, Note, Period, Value


class Resource(Value):
    """Something beside the services that helps."""

    kind = Choice(
        "community_programme",
        "financial_aid",
        "education_material",
        "support_group",
        "equipment",
        "transport",
        "housing",
        "food",
        "other",
        required=True,
    )
    title = Text(required=True)
    reference = Ref("HealthcareService", "DocumentReference", "Organization")
    url = Text()
    given = Flag()


class Necessity(Value):
    """That the services of the plan are medically needed."""

    summary = Text(required=True)
    services_determined = Flag(required=True)


class SocialSituation(Value):
    """How the client lives, with the needs that follow, or the statement that there are none."""

    summary = Text(required=True)
    sdoh_needs = refs("Condition")
    none_identified = Flag()


class Option(Value):
    """A choice that the client was shown."""

    id = Text(required=True)
    title = Text(required=True)
    plain_text = Text()
    services = refs("ServiceRequest")
    estimated_cost = Part(Money)
    presented_at = DateTime()
    chosen = Flag()
    chosen_at = DateTime()


class Acceptance(Value):
    """Whether the client accepted the plan."""

    status = Choice("pending", "accepted", "declined", required=True)
    by = Ref("Patient", "RelatedPerson")
    at = DateTime()


class Change(Value):
    """One difference between the plan before and after. `to` and `from` are texts."""

    op = Choice("add", "update", "remove", required=True)
    path = Text(required=True)
    from_ = Text(db_field="from")
    to = Text()


class Adjustment(Value):
    """A change of the plan: minor makes a new version, major a new plan."""

    proposed_at = DateTime(required=True)
    proposed_by = Ref("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
    reason = Choice(
        "not_working",
        "barrier",
        "new_condition",
        "goal_met",
        "client_request",
        "coverage_change",
        "readmission",
        "other",
        required=True,
    )
    severity = Choice("minor", "major", required=True)
    changes = parts(Change, ("op", "path"))
    accepted_by_client = Flag()
    applied_at = DateTime()
    resulting_plan_version = Whole(1)


class AdjustmentStep(Value):
    """A step of an adjustment that was taken, by the id of its request: the same request again changes nothing."""

    id = Text(required=True)
    step = Choice("proposed", "answered", "applied", required=True)
    at = DateTime(required=True)
    by = Ref()


class Plan(Record):
    """Keys: resources by kind and title, options by id, adjustments by proposed_at, their changes by op and path, requests by id.

    `services` are the planned services, `schedule` the appointments and tasks of the plan, `templates` the canonical urls of what it was
    made from.
    """

    concept = "plan"
    LOCAL = frozenset({"requests"})
    ELSEWHERE = {
        "narrative": "is generated from the record",
        "personal_goals": "are the goals expressed by the client",
    }

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    status = Choice("draft", "active", "on_hold", "revoked", "completed", "entered_in_error", "unknown", required=True)
    intent = Choice("proposal", "plan", "order", "option", required=True)
    title = Text()
    description = Text()
    period = Part(Period)
    created_at = DateTime()
    author = Ref("Patient", "Practitioner", "PractitionerRole", "Device", "RelatedPerson", "Organization", "CareTeam")
    team = refs("CareTeam")
    templates = Items(Text())
    problem_list = refs("Condition", db_field="problems")
    goals = refs("Goal")
    services = refs("ServiceRequest")
    schedule = refs("Appointment", "Task", "CommunicationRequest")
    resources = parts(Resource, ("kind", "title"))
    no_resource_applicable = Flag()
    medical_necessity = Part(Necessity)
    social_situation = Part(SocialSituation)
    options = parts(Option, ("id",))
    acceptance = Part(Acceptance)
    replaces = refs("CarePlan")
    adjustments = parts(Adjustment, ("proposed_at",))
    requests = parts(AdjustmentStep, ("id",))
    notes = parts(Note, ("text",))
