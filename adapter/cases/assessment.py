"""Step 2: the client met, and their condition, circumstances, insurance, support and treatment history understood."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, Text, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Period, Value


class MedicalCondition(Value):
    """The problems found."""

    problems = refs("Condition")
    summary = Text()


class Circumstances(Value):
    """How the client lives."""

    living = Text()
    social = Text()
    summary = Text()


class Insurance(Value):
    """What covers the client, or why that is not known."""

    coverages = refs("Coverage")
    not_available_reason = Text()


class SupportSystems(Value):
    """Who supports the client and whether that is enough, or why that is not known."""

    persons = refs("RelatedPerson")
    adequacy = Choice("adequate", "partial", "inadequate", "none")
    notes = Text()
    not_available_reason = Text()


class Treatment(Value):
    """An earlier treatment and how the client responded."""

    treatment = Part(Code, required=True)
    period = Part(Period)
    response = Choice("good", "partial", "none", "adverse", "unknown")
    notes = Text()


class TreatmentHistory(Value):
    """The earlier treatments, or why they are not known."""

    items = parts(Treatment, ("treatment",))
    not_available_reason = Text()


class Preference(Value):
    """What the client wants of care."""

    kind = Choice("care_experience", "treatment_intervention", required=True)
    text = Text(required=True)
    source = Ref("Patient", "RelatedPerson", "Practitioner", "PractitionerRole")


class Assessment(Record):
    """Keys: treatment_history.items by treatment, client_preferences by kind and text, findings by system, code and text.

    A meeting is an encounter: its mode, time and participants stand there.
    """

    concept = "assessment"

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    status = Choice("in_progress", "completed", "amended", "entered_in_error", required=True)
    effective_at = DateTime()
    assessor = Ref("Practitioner", "PractitionerRole")
    meetings = refs("Encounter", required=True)
    medical_condition = Part(MedicalCondition, required=True)
    circumstances = Part(Circumstances, required=True)
    insurance = Part(Insurance, required=True)
    support_systems = Part(SupportSystems, required=True)
    treatment_history = Part(TreatmentHistory, required=True)
    findings = parts(Code, ("system", "code", "text"))
    investigations = refs("QuestionnaireResponse", "Observation", "DiagnosticReport", "RiskAssessment")
    strengths = refs("Observation")
    client_preferences = parts(Preference, ("kind", "text"))
    research_notes = Text()
    summary = Text(required=True)
