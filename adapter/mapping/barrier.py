"""Barrier ↔ Condition: http://hl7.org/fhir/R4/condition.html"""

from adapter.config import CS
from adapter.fhir.resource import Raw
from adapter.mapping.choices import OneOf
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.condition import CLINICAL
from adapter.mapping.rules import Field, Ref
from adapter.mapping.shapes import CASE
from adapter.mapping.table import Mapping, ext, ext_code
from adapter.mapping.words import RECORD_KIND, Refined, has_coding, word

KIND = table(
    "barrier-kind",
    "transport cost housing food caregiver cognition language literacy motivation symptom access technology other",
)
STATUS = table(
    "barrier-clinical",
    "resolved",
    open="active",
    also={"recurrence": "open", "relapse": "open", "inactive": "resolved", "remission": "resolved"},
)
MITIGATION = table("barrier-status", "mitigating")


def _is_barrier(raw: Raw) -> bool:
    return has_coding(raw.get("category"), RECORD_KIND, "barrier")


BARRIER = Mapping(
    "barrier",
    "Condition",
    (
        Refined(word("clinicalStatus", "status", STATUS, CLINICAL), ext_code("barrier-status", "status", MITIGATION), over="open"),
        word("code", "kind", KIND, f"{CS}/barrier-kind", sole=False),
        Field("code.text", "description"),
        Ref("subject", "client"),
        CASE,
        Ref("encounter", "encounter"),
        OneOf("onset", Field("onsetDateTime", "opened_at", moment)),
        OneOf("abatement", Field("abatementDateTime", "resolved_at", moment)),
        ext("accepted-reason", "accepted_reason"),
    ),
    const={
        "category": [
            {
                "coding": [
                    {"system": RECORD_KIND, "code": "barrier", "display": "Barrier to the plan"},
                    {
                        "system": "http://hl7.org/fhir/us/core/CodeSystem/condition-category",
                        "code": "health-concern",
                        "display": "Health Concern",
                    },
                ]
            }
        ]
    },
    when=_is_barrier,
)

MAPPINGS = (BARRIER,)
