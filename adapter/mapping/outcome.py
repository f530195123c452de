"""Outcome ↔ QuestionnaireResponse to our closing questionnaire: http://hl7.org/fhir/R4/questionnaireresponse.html"""

from adapter.config import BASE
from adapter.fhir.resource import Raw
from adapter.mapping.answers import STATUS, Item, chosen, in_order, section
from adapter.mapping.codecs import boolean, date, decimal, integer, moment
from adapter.mapping.codes import table
from adapter.mapping.rules import Field, Group, Ref, Rule, coded, money
from adapter.mapping.shapes import CASE, complex_ext, part
from adapter.mapping.table import Mapping

CASE_CLOSING = f"{BASE}/Questionnaire/case-closing"

CHANGE = table("outcome-change", "improved same worse unknown")
RATING = table("care-appropriateness", "appropriate partly not-appropriate")
RECOVERY = table("recovery-status", "full partial none worse not-applicable")
READMITTED = table("readmission", "yes no pending not-applicable")
TRANSITION = table("transition", "done open not-applicable")
CHECKLIST = ("right_care", "right_time", "right_setting", "medically_necessary", "client_goals_respected")


def _is_outcome(raw: Raw) -> bool:
    return str(raw.get("questionnaire", "")).partition("|")[0] == CASE_CLOSING


_RULES: tuple[Rule, ...] = (
    Ref("subject", "client"),
    CASE,
    coded("status", "status", STATUS),
    Field("authored", "reviewed_at", moment),
    Ref("author", "reviewed_by"),
    section(
        "well-being",
        "well_being",
        Item("baseline", Field("valueString", "baseline")),
        Item("final", Field("valueString", "final")),
        Item("scale", Field("valueString", "scale")),
        chosen("change", "change", CHANGE),
        Item("client-reported", Field("valueBoolean", "client_reported", boolean)),
    ),
    section(
        "finances",
        "finances",
        Item("baseline", Field("valueString", "baseline")),
        Item("final", Field("valueString", "final")),
        chosen("change", "change", CHANGE),
        Item("notes", Field("valueString", "notes")),
    ),
    Group(
        "item[linkId=care-appropriateness]",
        "care_appropriateness",
        (
            chosen("care-appropriateness/rating", "rating", RATING),
            section(
                "care-appropriateness/checklist",
                "checklist",
                *(Item(name.replace("_", "-"), Field("valueBoolean", name, boolean)) for name in CHECKLIST),
            ),
            Item("care-appropriateness/justification", Field("valueString", "justification")),
        ),
    ),
    section(
        "clinical-recovery",
        "clinical_recovery",
        chosen("status", "status", RECOVERY),
        Item("goal-attainment", Field("valueDecimal", "goal_attainment", decimal)),
    ),
    # An answer cannot be Money, and an Observation's value cannot either.
    complex_ext(
        "cost-outcome",
        "cost",
        (
            money(f"{part('expected')}.valueMoney", "expected"),
            money(f"{part('actual')}.valueMoney", "actual"),
            money(f"{part('saving')}.valueMoney", "saving"),
            Field(f"{part('method')}.valueString", "method"),
        ),
    ),
    section(
        "readmission",
        "readmission",
        Item("index-discharge-at", Field("valueDateTime", "index_discharge_at", moment)),
        chosen("within-30-days", "within_30_days", READMITTED),
        Item("encounter", Ref("valueReference", "encounter")),
        Item("planned", Field("valueBoolean", "planned", boolean)),
        Item("computed-on", Field("valueDate", "computed_on", date)),
    ),
    Item("length-of-stay-days", Field("valueInteger", "length_of_stay_days", integer)),
    Item("plan-adherence", Field("valueDecimal", "plan_adherence", decimal)),
    Item("experience", Field("valueString", "experience")),
    section(
        "utilisation",
        "utilisation",
        Item("ed-visits", Field("valueInteger", "ed_visits", integer)),
        Item("avoidable-ed", Field("valueInteger", "avoidable_ed", integer)),
    ),
    chosen("transition", "transition", TRANSITION),
    Item("lessons", Field("valueString", "lessons")),
)

OUTCOME = Mapping(
    "outcome",
    "QuestionnaireResponse",
    _RULES,
    const={"questionnaire": CASE_CLOSING},
    when=_is_outcome,
    arrange=in_order(_RULES),
)

MAPPINGS = (OUTCOME,)
