"""Step 7: how the client is, whether the care was right, what it cost."""

from adapter.cases.fields import Choice, Date, DateTime, Exact, Flag, Part, Ref, Text, Whole
from adapter.cases.record import Record
from adapter.cases.values import Money, Value


class WellBeing(Value):
    """How the client is, before and after, on `scale`."""

    baseline = Text()
    final = Text(required=True)
    scale = Text(required=True)
    change = Choice("improved", "same", "worse", "unknown", required=True)
    client_reported = Flag()


class Finances(Value):
    """How the client's finances are, before and after."""

    baseline = Text()
    final = Text()
    change = Choice("improved", "same", "worse", "unknown", required=True)
    notes = Text()


class Checklist(Value):
    """What appropriate care consists of."""

    right_care = Flag()
    right_time = Flag()
    right_setting = Flag()
    medically_necessary = Flag()
    client_goals_respected = Flag()


class Appropriateness(Value):
    """Whether the care was right."""

    rating = Choice("appropriate", "partly", "not_appropriate", required=True)
    checklist = Part(Checklist)
    justification = Text()


class Recovery(Value):
    """How far the client recovered; `goal_attainment` is the share of the goals reached."""

    status = Choice("full", "partial", "none", "worse", "not_applicable")
    goal_attainment = Exact(0, 1)


class Cost(Value):
    """What was expected and what it came to."""

    expected = Part(Money)
    actual = Part(Money)
    saving = Part(Money)
    method = Text()


class Readmission(Value):
    """Whether the client came back unplanned within 30 days of the discharge."""

    index_discharge_at = DateTime()
    within_30_days = Choice("yes", "no", "pending", "not_applicable", required=True)
    encounter = Ref("Encounter")
    planned = Flag()
    computed_on = Date()


class Utilisation(Value):
    """Visits to the emergency department."""

    ed_visits = Whole(0)
    avoidable_ed = Whole(0)


class Outcome(Record):
    """One per case. `transition` says whether the handover to the next setting is done, which closing needs."""

    concept = "outcome"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare", required=True)
    status = Choice("in_progress", "completed", "amended", "entered_in_error", "stopped", required=True)
    well_being = Part(WellBeing)
    finances = Part(Finances)
    care_appropriateness = Part(Appropriateness)
    clinical_recovery = Part(Recovery)
    cost = Part(Cost)
    readmission = Part(Readmission)
    length_of_stay_days = Whole(0)
    plan_adherence = Exact(0, 1)
    experience = Text()
    utilisation = Part(Utilisation)
    transition = Choice("done", "open", "not_applicable")
    lessons = Text()
    reviewed_at = DateTime()
    reviewed_by = Ref("Practitioner", "PractitionerRole")
