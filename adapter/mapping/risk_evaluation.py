"""Risk evaluation ↔ RiskAssessment: http://hl7.org/fhir/R4/riskassessment.html"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.config import EXT
from adapter.fhir.resource import Raw
from adapter.mapping.choices import Choice, OneOf
from adapter.mapping.codecs import decimal, integer, moment
from adapter.mapping.codes import table
from adapter.mapping.lists import Each, Values, refs
from adapter.mapping.measurement import STATUS
from adapter.mapping.rules import ABSENT, Codeable, Field, Ref, Row, coded, nested, period
from adapter.mapping.shapes import OWN_CASE, complex_ext, notes, part, value_range
from adapter.mapping.table import Mapping, ext, ext_code, extension
from adapter.mapping.words import word

FACTOR = table("risk-factor", "existing-conditions blood-pressure mental-health finances readmission function-safety")
LEVEL = table("risk-level", "none low moderate high")
TIER = table("stratification-tier", "low rising high complex")
PROBABILITY = table("risk-probability", "negligible low moderate high certain")
URGENT = table("urgent-flag", "suicide-item hypertensive-crisis safety-hits-positive other")

_IN_WORDS = Field(f"{extension('risk-horizon')}.valueString", "text")


@dataclass(frozen=True)
class Horizon(Choice):
    """`when[x]`, which R4 has as a Period or a range of age, or our extension for one in words ⇄ {kind: value}."""

    def write(self, node: Raw, value: Any) -> None:
        _IN_WORDS.write(node, ABSENT)
        super().write(node, value)

    def rows(self) -> Iterator[Row]:
        yield from super().rows()
        yield from nested("", self.attr, (_IN_WORDS,))


RISK_EVALUATION = Mapping(
    "risk_evaluation",
    "RiskAssessment",
    (
        Ref("subject", "client"),
        OWN_CASE,
        Ref("encounter", "encounter"),
        coded("status", "status", STATUS),
        Codeable("method", "method"),
        OneOf("occurrence", Field("occurrenceDateTime", "at", moment)),
        Ref("performer", "performer"),
        refs("basis", "basis"),
        Each(
            "extension",
            "factors",
            (
                coded(f"{part('kind')}.valueCode", "kind", FACTOR),
                coded(f"{part('level')}.valueCode", "level", LEVEL),
                Values("extension", "evidence", (Ref("valueReference", "value"),), where=("url", "evidence")),
                Field(f"{part('method')}.valueString", "method"),
                Field(f"{part('at')}.valueDateTime", "at", moment),
            ),
            key=("kind",),
            where=("url", f"{EXT}/risk-factor"),
        ),
        Each(
            "prediction",
            "ailment_risks",
            (
                Codeable("outcome", "ailment"),
                Horizon("when", "horizon", (period("whenPeriod", "period"), value_range("whenRange", "range"), _IN_WORDS)),
                word(
                    "qualitativeRisk",
                    "qualitative",
                    PROBABILITY,
                    "http://terminology.hl7.org/CodeSystem/risk-probability",
                ),
                OneOf("probability", Field("probabilityDecimal", "probability", decimal, "in percent")),
                Field("rationale", "rationale"),
            ),
            key=("ailment", "horizon"),
            partial=True,
        ),
        ext("severity", "severity", integer),
        complex_ext(
            "potential-for-change",
            "potential_for_change",
            (Field(f"{part('value')}.valueInteger", "value", integer), Field(f"{part('rationale')}.valueString", "rationale")),
        ),
        ext_code("stratification-tier", "tier", TIER),
        complex_ext(
            "tier-override",
            "tier_override",
            (
                coded(f"{part('tier')}.valueCode", "tier", TIER),
                Field(f"{part('reason')}.valueString", "reason"),
                Ref(f"{part('by')}.valueReference", "by"),
            ),
        ),
        ext("priority-score", "priority_score", integer),
        Values("extension", "urgent_flags", (coded("valueCode", "value", URGENT),), where=("url", f"{EXT}/urgent-flag")),
        Field("mitigation", "mitigation"),
        notes(),
    ),
)

MAPPINGS = (RISK_EVALUATION,)
