"""Plan ↔ CarePlan: http://hl7.org/fhir/R4/careplan.html"""

from dataclasses import dataclass
from typing import Any

from adapter.config import EXT
from adapter.errors import Invalid
from adapter.fhir.resource import Raw
from adapter.mapping.codecs import boolean, integer, moment, reference, texts
from adapter.mapping.codes import table
from adapter.mapping.lists import Each, RefsTo, Values, refs
from adapter.mapping.rules import ABSENT, Field, Ref, coded, money, period
from adapter.mapping.shapes import CASE, complex_ext, notes, part
from adapter.mapping.table import Mapping, ext, ext_code, extension

STATUS = table("request-status", "draft active on-hold revoked completed entered-in-error unknown")
INTENT = table("care-plan-intent", "proposal plan order option")
RESOURCE = table(
    "plan-resource", "community-programme financial-aid education-material support-group equipment transport housing food other"
)
ACCEPTANCE = table("plan-acceptance", "pending accepted declined")
REASON = table("plan-adjustment-reason", "not-working barrier new-condition goal-met client-request coverage-change readmission other")
SEVERITY = table("plan-adjustment-severity", "minor major")
OPERATION = table("plan-change", "add update remove")


@dataclass(frozen=True)
class Titled(Ref):
    """A Reference whose display is a field of its own, so that another target does not drop it; there may be no target at all."""

    def write(self, node: Raw, value: Any) -> None:
        if value is not ABSENT and not reference.check(value):
            raise Invalid(f"{self.attr}: not a reference of the form Type/id.", expression=[self.attr])
        for name in ("reference", "type", "identifier"):
            node.pop(name, None)
        if value is not ABSENT:
            node["reference"] = value


PLAN = Mapping(
    "plan",
    "CarePlan",
    (
        Ref("subject", "client"),
        CASE,
        coded("status", "status", STATUS),
        coded("intent", "intent", INTENT),
        Field("instantiatesCanonical", "templates", texts),
        Field("title", "title"),
        Field("description", "description"),
        period("period"),
        Field("created", "created_at", moment),
        Ref("author", "author"),
        refs("careTeam", "team"),
        refs("addresses", "problems"),
        refs("goal", "goals"),
        RefsTo("activity", "services", (Ref("reference", "value"),), types=("ServiceRequest",)),
        RefsTo("activity", "schedule", (Ref("reference", "value"),), types=("Appointment", "Task", "CommunicationRequest")),
        Each(
            "supportingInfo",
            "resources",
            (
                ext_code("resource-kind", "kind", RESOURCE),
                Field("display", "title"),
                Titled("", "reference"),
                Field(f"{extension('resource-url')}.valueUrl", "url"),
                ext("resource-given", "given", boolean),
            ),
            key=("kind", "title"),
            note="one without our kind stays and is not in the record",
        ),
        ext("no-resource-applicable", "no_resource_applicable", boolean),
        complex_ext(
            "medical-necessity",
            "medical_necessity",
            (
                Field(f"{part('summary')}.valueString", "summary"),
                Field(f"{part('servicesDetermined')}.valueBoolean", "services_determined", boolean),
            ),
        ),
        complex_ext(
            "social-situation",
            "social_situation",
            (
                Field(f"{part('summary')}.valueString", "summary"),
                Values("extension", "sdoh_needs", (Ref("valueReference", "value"),), where=("url", "sdohNeed")),
                Field(f"{part('noneIdentified')}.valueBoolean", "none_identified", boolean),
            ),
        ),
        Each(
            "extension",
            "options",
            (
                Field(f"{part('id')}.valueString", "id"),
                Field(f"{part('title')}.valueString", "title"),
                Field(f"{part('plainText')}.valueString", "plain_text"),
                Values("extension", "services", (Ref("valueReference", "value"),), where=("url", "service")),
                money(f"{part('estimatedCost')}.valueMoney", "estimated_cost"),
                Field(f"{part('presentedAt')}.valueDateTime", "presented_at", moment),
                Field(f"{part('chosen')}.valueBoolean", "chosen", boolean),
                Field(f"{part('chosenAt')}.valueDateTime", "chosen_at", moment),
            ),
            key=("id",),
            where=("url", f"{EXT}/option-choice"),
        ),
        complex_ext(
            "plan-acceptance",
            "acceptance",
            (
                coded(f"{part('status')}.valueCode", "status", ACCEPTANCE),
                Ref(f"{part('by')}.valueReference", "by"),
                Field(f"{part('at')}.valueDateTime", "at", moment),
            ),
        ),
        refs("replaces", "replaces"),
        Each(
            "extension",
            "adjustments",
            (
                Field(f"{part('proposedAt')}.valueDateTime", "proposed_at", moment),
                Ref(f"{part('proposedBy')}.valueReference", "proposed_by"),
                coded(f"{part('reason')}.valueCode", "reason", REASON),
                coded(f"{part('severity')}.valueCode", "severity", SEVERITY),
                Each(
                    "extension",
                    "changes",
                    (
                        coded(f"{part('op')}.valueCode", "op", OPERATION),
                        Field(f"{part('path')}.valueString", "path"),
                        Field(f"{part('from')}.valueString", "from"),
                        Field(f"{part('to')}.valueString", "to"),
                    ),
                    key=("op", "path"),
                    where=("url", "change"),
                ),
                Field(f"{part('acceptedByClient')}.valueBoolean", "accepted_by_client", boolean),
                Field(f"{part('appliedAt')}.valueDateTime", "applied_at", moment),
                Field(f"{part('resultingPlanVersion')}.valueInteger", "resulting_plan_version", integer),
            ),
            key=("proposed_at",),
            where=("url", f"{EXT}/plan-adjustment"),
        ),
        notes(),
    ),
    const={
        "category": [
            {"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}]},
            {"coding": [{"system": "http://snomed.info/sct", "code": "734163000", "display": "Care plan"}]},
        ]
    },
)

MAPPINGS = (PLAN,)
