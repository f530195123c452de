"""Transition plan ↔ QuestionnaireResponse to our readiness questionnaire: http://hl7.org/fhir/R4/questionnaireresponse.html

The stay's end and where it led to stand in its Encounter, too, once they are so; who acknowledged the package, in the Task for it.
"""

from adapter.config import BASE
from adapter.fhir.resource import Raw
from adapter.mapping.answers import STATUS, Item, chosen, in_order, section
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.rules import Field, Group, Ref, Rule, coded
from adapter.mapping.shapes import CASE
from adapter.mapping.table import Mapping

TRANSITION_READINESS = f"{BASE}/Questionnaire/transition-readiness"

READY = table("readiness", "done open not-applicable")
SETTING = table("transition-setting", "home rehab snf home-health long-term hospice psych other-hospital other")
CHECKLIST = (
    "clinical_stability",
    "education_lifestyle",
    "education_medication",
    "education_return",
    "medication_reconciliation",
    "followup_booked",
    "equipment",
    "transport",
    "caregiver_ready",
    "authorisation",
    "summary_sent",
)


def _is_transition_plan(raw: Raw) -> bool:
    return str(raw.get("questionnaire", "")).partition("|")[0] == TRANSITION_READINESS


def _checked(name: str) -> Group:
    link_id = f"readiness/{name.replace('_', '-')}"
    return section(link_id, name, chosen("status", "status", READY), Item("reason", Field("valueString", "reason")))


_RULES: tuple[Rule, ...] = (
    Ref("subject", "client"),
    CASE,
    Ref("encounter", "encounter"),
    coded("status", "status", STATUS),
    Field("authored", "authored_at", moment),
    Ref("author", "author"),
    Item("from-setting", Field("valueString", "from_setting")),
    chosen("to-setting", "to_setting", SETTING),
    Item("target-date", Field("valueDateTime", "target_date", moment)),
    Item("actual-date", Field("valueDateTime", "actual_date", moment)),
    Group("item[linkId=readiness]", "readiness", tuple(map(_checked, CHECKLIST))),
    Item("delay-reason", Field("valueString", "delay_reason")),
    Item("receiver", Ref("valueReference", "receiver")),
    Item("package", Ref("valueReference", "package")),
    Item("acknowledged-at", Field("valueDateTime", "acknowledged_at", moment)),
    Item("first-follow-up-due-at", Field("valueDateTime", "first_follow_up_due_at", moment)),
)

TRANSITION_PLAN = Mapping(
    "transition_plan",
    "QuestionnaireResponse",
    _RULES,
    const={"questionnaire": TRANSITION_READINESS},
    when=_is_transition_plan,
    arrange=in_order(_RULES),
)

MAPPINGS = (TRANSITION_PLAN,)
