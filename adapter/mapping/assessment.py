"""Assessment ↔ ClinicalImpression: http://hl7.org/fhir/R4/clinicalimpression.html"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.config import EXT
from adapter.fhir.resource import Raw
from adapter.mapping.choices import OneOf
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.lists import Each, RefsTo, Values, refs
from adapter.mapping.rules import ABSENT, UNREADABLE, Codeable, Field, Group, Problem, Ref, Row, coded, period
from adapter.mapping.shapes import CASE, complex_ext, part
from adapter.mapping.table import Mapping, ext, ext_code
from adapter.mapping.words import Refined

STATUS = table("clinical-impression-status", "in-progress completed entered-in-error")
AMENDED = table("assessment-status", "amended")
ADEQUACY = table("support-adequacy", "adequate partial inadequate none")
RESPONSE = table("treatment-response", "good partial none adverse unknown")
PREFERENCE = table("client-preference", "care-experience treatment-intervention")


def _supporting(attr: str, *types: str) -> RefsTo:
    return RefsTo("supportingInfo", attr, (Ref("", "value"),), types=types)


@dataclass(frozen=True)
class Meetings:
    """`encounter`, of which R4 has one, is the first meeting; further ones are supporting information."""

    attr: str
    first = Ref("encounter", "value")
    further = _supporting("value", "Encounter")

    def read(self, node: Raw, report: list[Problem]) -> Any:
        first, further = self.first.read(node, report), self.further.read(node, report)
        if first is UNREADABLE:
            return UNREADABLE
        rest = [] if further is ABSENT else further
        return rest or ABSENT if first is ABSENT else [first, *(target for target in rest if target != first)]

    def write(self, node: Raw, value: Any) -> None:
        meetings = [] if value is ABSENT else value
        first, rest = (meetings[0], meetings[1:]) if meetings else (ABSENT, [])
        if self.first.read(node, []) != first:
            self.first.write(node, first)
        self.further.write(node, rest or ABSENT)

    def rows(self) -> Iterator[Row]:
        for row in (*self.first.rows(), *self.further.rows()):
            yield Row(row.path, f"{self.attr}[]", row.kind, "the first" if row.path == self.first.path else "further ones")


ASSESSMENT = Mapping(
    "assessment",
    "ClinicalImpression",
    (
        Ref("subject", "client"),
        CASE,
        Refined(coded("status", "status", STATUS), ext_code("assessment-status", "status", AMENDED), over="completed"),
        OneOf("effective", Field("effectiveDateTime", "effective_at", moment)),
        Ref("assessor", "assessor"),
        Meetings("meetings"),
        Group("", "medical_condition", (refs("problem", "problems"), ext("medical-condition-summary", "summary"))),
        complex_ext(
            "circumstances",
            "circumstances",
            (
                Field(f"{part('living')}.valueString", "living"),
                Field(f"{part('social')}.valueString", "social"),
                Field(f"{part('summary')}.valueString", "summary"),
            ),
        ),
        Group("", "insurance", (_supporting("coverages", "Coverage"), ext("insurance-not-available", "not_available_reason"))),
        Group(
            "",
            "support_systems",
            (
                _supporting("persons", "RelatedPerson"),
                ext_code("support-adequacy", "adequacy", ADEQUACY),
                ext("support-notes", "notes"),
                ext("support-not-available", "not_available_reason"),
            ),
        ),
        Group(
            "",
            "treatment_history",
            (
                Each(
                    "extension",
                    "items",
                    (
                        Codeable(f"{part('treatment')}.valueCodeableConcept", "treatment"),
                        period(f"{part('period')}.valuePeriod", "period"),
                        coded(f"{part('response')}.valueCode", "response", RESPONSE),
                        Field(f"{part('notes')}.valueString", "notes"),
                    ),
                    key=("treatment",),
                    where=("url", f"{EXT}/treatment-response"),
                ),
                ext("treatment-history-not-available", "not_available_reason"),
            ),
        ),
        Values("finding", "findings", (Codeable("itemCodeableConcept", "value"),)),
        refs("investigation[code.text=Assessment].item", "investigations"),
        _supporting("strengths", "Observation"),
        Each(
            "extension",
            "client_preferences",
            (
                coded(f"{part('kind')}.valueCode", "kind", PREFERENCE),
                Field(f"{part('text')}.valueString", "text"),
                Ref(f"{part('source')}.valueReference", "source"),
            ),
            key=("kind", "text"),
            where=("url", f"{EXT}/client-preference"),
        ),
        ext("research-notes", "research_notes"),
        Field("summary", "summary"),
    ),
)

MAPPINGS = (ASSESSMENT,)
