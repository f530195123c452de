"""Goal ↔ Goal: http://hl7.org/fhir/R4/goal.html"""

from adapter.config import CS
from adapter.mapping.choices import Choice, OneOf
from adapter.mapping.codecs import date
from adapter.mapping.codes import table
from adapter.mapping.lists import Each, refs
from adapter.mapping.rules import Codeable, Field, Ref, coded
from adapter.mapping.shapes import OWN_CASE, any_value, notes
from adapter.mapping.table import Mapping
from adapter.mapping.words import word

LIFECYCLE = table("goal-status", "proposed planned accepted active on-hold completed cancelled entered-in-error rejected")
ACHIEVEMENTS = table(
    "goal-achievement",
    "in-progress improving worsening no-change achieved sustaining not-achieved no-progress not-attainable",
)
KIND = table("goal-kind", "health-objective self-care personal financial social strengths")
PRIORITY = table("goal-priority", "", high="high-priority", medium="medium-priority", low="low-priority")

# The types that Goal.target.detail[x] may have, by the names they have in a record.
_DETAILS = ("quantity", "range", "code", "text", "boolean", "integer")
_DETAIL = Choice("detail", "value", tuple(rule for rule in any_value("detail", "value").options if rule.attr in _DETAILS))

GOAL = Mapping(
    "goal",
    "Goal",
    (
        coded("lifecycleStatus", "lifecycle", LIFECYCLE),
        word("achievementStatus", "achievement", ACHIEVEMENTS, "http://terminology.hl7.org/CodeSystem/goal-achievement"),
        Field("statusDate", "achievement_at", date),
        Field("statusReason", "achievement_reason"),
        word(f"category[coding.system={CS}/goal-kind]", "kind", KIND, f"{CS}/goal-kind"),
        word("priority", "priority", PRIORITY, "http://terminology.hl7.org/CodeSystem/goal-priority"),
        Field("description.text", "description"),
        Ref("subject", "client"),
        OWN_CASE,
        OneOf("start", Field("startDate", "start_date", date)),
        Each(
            "target",
            "targets",
            (Codeable("measure", "measure"), _DETAIL, OneOf("due", Field("dueDate", "due", date))),
            key=("measure",),
            partial=True,
        ),
        Ref("expressedBy", "expressed_by"),
        refs("addresses", "addresses"),
        notes(),
    ),
)

MAPPINGS = (GOAL,)
