"""Case ↔ EpisodeOfCare: http://hl7.org/fhir/R4/episodeofcare.html"""

from collections.abc import Iterator
from collections.abc import Mapping as Pairs

from adapter.care import model
from adapter.config import BASE, CS, EXT
from adapter.mapping.codecs import boolean, integer, moment
from adapter.mapping.codes import CodeTable, table
from adapter.mapping.lists import Each, Values, refs
from adapter.mapping.rules import Codeable, Field, Ref, coded, period
from adapter.mapping.shapes import part
from adapter.mapping.table import Mapping, ext, ext_code, extension
from adapter.mapping.words import word

CASE_NUMBER = f"{BASE}/NamingSystem/case-number"


class Models(Pairs[str, str]):
    """By code, the models of case management that are known here: the site's too, so they are looked up when they are needed."""

    def __getitem__(self, code: str) -> str:
        return {name.replace("_", "-"): name for name in model.names()}[code]

    def __iter__(self) -> Iterator[str]:
        return iter([name.replace("_", "-") for name in model.names()])

    def __len__(self) -> int:
        return len(model.names())


STATUS = table("episode-of-care-status", "planned waitlist active onhold finished cancelled entered-in-error")
STEP = table(
    "process-step",
    "referred screening assessment risk-evaluation planning implementation follow-up outcome-evaluation "
    "closed on-hold not-eligible declined cancelled entered-in-error",
)
CASE_TYPE = table("case-type", "general targeted focused hospital")
SETTING_TYPE = table(
    "setting-type",
    "hospital primary-care home-health managed-care rehabilitation outpatient behavioral-health community insurer",
)
MODEL = CodeTable("cm-model", Models())
CLOSE_REASON = table("close-reason", "goals-met client-declined transferred lost-contact deceased not-eligible coverage-ended other")
MARKER = table("eligibility-marker", "complex chronic multi-chronic elderly transitioning high-risk")

CASE = Mapping(
    "case",
    "EpisodeOfCare",
    (
        Field(f"identifier[system={CASE_NUMBER}].value", "case_number"),
        coded("status", "status", STATUS),
        ext_code("cm-process-step", "step", STEP, "absent in a case that another system opened"),
        Each(
            "statusHistory",
            "status_history",
            (
                coded("status", "status", STATUS),
                ext_code("cm-process-step", "step", STEP),
                period("period"),
                ext("status-reason", "reason"),
            ),
            key=("period.start",),
        ),
        word(f"type[coding.system={CS}/case-type]", "case_type", CASE_TYPE, f"{CS}/case-type"),
        word(f"type[coding.system={CS}/setting-type]", "setting_type", SETTING_TYPE, f"{CS}/setting-type"),
        Each(
            "extension",
            "models",
            (
                coded(f"{part('model')}.valueCode", "model", MODEL),
                Field(f"{part('primary')}.valueBoolean", "primary", boolean),
                period(f"{part('period')}.valuePeriod"),
                Ref(f"{part('assignedBy')}.valueReference", "assigned_by"),
            ),
            key=("model", "period.start"),
            where=("url", f"{EXT}/cm-model"),
            partial=True,
        ),
        Ref("patient", "client"),
        Ref("managingOrganization", "managing_organization"),
        Ref("careManager", "case_manager"),
        refs("referralRequest", "referrals"),
        refs("team", "team"),
        Each(
            "diagnosis",
            "diagnoses",
            (Ref("condition", "condition"), Codeable("role", "role"), Field("rank", "rank", integer)),
            key=("condition", "role"),
            partial=True,
        ),
        Field("period.start", "opened_at", moment),
        Field("period.end", "closed_at", moment),
        ext_code("close-reason", "close_reason", CLOSE_REASON),
        Ref(f"{extension('target-group')}.valueReference", "target_group"),
        Values(
            "extension",
            "eligibility_markers",
            (coded("valueCode", "value", MARKER),),
            where=("url", f"{EXT}/eligibility-marker"),
        ),
    ),
)

MAPPINGS = (CASE,)
