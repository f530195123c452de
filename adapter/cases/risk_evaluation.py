"""Step 3: what threatens the client, how severe the case is and how much it can change."""

from adapter.cases.fields import Choice, DateTime, Exact, Items, Part, Ref, Text, Whole, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import AnyValue, Code, Note, Value

SEED_FACTORS = ("existing_conditions", "blood_pressure", "mental_health", "finances")
LEVELS = ("none", "low", "moderate", "high")
TIERS = ("low", "rising", "high", "complex")


class Factor(Value):
    """The level of one risk factor and what it rests on."""

    kind = Choice(*SEED_FACTORS, "readmission", "function_safety", required=True)
    level = Choice(*LEVELS, required=True)
    evidence = refs()
    method = Text()
    at = DateTime()


class AilmentRisk(Value):
    """How probable an ailment is within a time; the probability is in percent."""

    ailment = Part(Code, required=True)
    horizon = Part(AnyValue)
    qualitative = Choice("negligible", "low", "moderate", "high", "certain")
    probability = Exact(0, 100)
    rationale = Text()


class Input(Value):
    """One input of a score."""

    name = Text(required=True)
    value = Part(AnyValue, required=True)


class InstrumentResult(Value):
    """A score with its inputs."""

    instrument = Text(required=True)
    version = Text()
    inputs = parts(Input, ("name",))
    score = Exact()
    band = Text()
    computed_at = DateTime()


class Potential(Value):
    """How much the case can change for the better: 0 none, 1 some, 2 substantial."""

    value = Whole(0, 2, required=True)
    rationale = Text()


class Override(Value):
    """Why somebody set another tier than the policy's."""

    tier = Choice(*TIERS, required=True)
    reason = Text(required=True)
    by = Ref("Practitioner", "PractitionerRole")


class RiskEvaluation(Record):
    """Keys: factors by kind, ailment_risks by ailment and horizon, instrument_results by instrument and version (inputs by name).

    Instrument results are kept only here; derived Observations carry them outward.
    """

    concept = "risk_evaluation"
    LOCAL = frozenset({"instrument_results"})
    ELSEWHERE = {"blood_pressure": "is a measurement, among the evidence of its factor"}

    client = Ref("Patient", required=True)
    case = Ref("EpisodeOfCare")
    encounter = Ref("Encounter")
    status = Choice(
        "registered",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "cancelled",
        "entered_in_error",
        "unknown",
        required=True,
    )
    method = Part(Code)
    at = DateTime()
    performer = Ref("Practitioner", "PractitionerRole", "Device")
    basis = refs()
    factors = parts(Factor, ("kind",))
    ailment_risks = parts(AilmentRisk, ("ailment", "horizon"))
    severity = Whole(0, 18)
    potential_for_change = Part(Potential)
    tier = Choice(*TIERS)
    tier_override = Part(Override)
    priority_score = Whole(0, 54)
    urgent_flags = Items(Choice("suicide_item", "hypertensive_crisis", "safety_hits_positive", "other"))
    mitigation = Text()
    notes = parts(Note, ("text",))
    instrument_results = parts(InstrumentResult, ("instrument", "version"))
