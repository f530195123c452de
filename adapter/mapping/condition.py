"""Condition ↔ Condition: http://hl7.org/fhir/R4/condition.html"""

from dataclasses import dataclass
from typing import Any

from adapter.errors import Invalid
from adapter.fhir.elements import ensure, find
from adapter.fhir.resource import Raw
from adapter.mapping.choices import OneOf
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.lists import One, Values, codes
from adapter.mapping.rules import ABSENT, Codeable, Field, Problem, Ref
from adapter.mapping.shapes import CASE, IDENTIFIERS, notes
from adapter.mapping.table import Mapping
from adapter.mapping.words import word

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"

CLINICAL_STATUS = table("condition-clinical", "active recurrence relapse inactive remission resolved")
VERIFICATION_STATUS = table("condition-ver-status", "unconfirmed provisional differential confirmed refuted entered-in-error")

_CODING = ("system", "code", "display")


def _parts(coding: Any) -> dict[str, str]:
    return {name: coding[name] for name in _CODING if isinstance(coding.get(name), str)} if isinstance(coding, dict) else {}


@dataclass(frozen=True)
class Translated(Codeable):
    """A CodeableConcept ⇄ {system, code, display, text, translations}: the codings after the first say the same in other code systems."""

    def _rest(self, node: Raw) -> list[Any]:
        held = find(node, self._steps)
        codings = held.get("coding") if isinstance(held, dict) else None
        return codings[1:] if isinstance(codings, list) else []

    def read(self, node: Raw, report: list[Problem]) -> Any:
        value = super().read(node, report)
        if isinstance(value, dict) and "code" in value:
            translations = [parts for coding in self._rest(node) if "code" in (parts := _parts(coding))]
            if translations:
                value["translations"] = translations
        return value

    def write(self, node: Raw, value: Any) -> None:
        super().write(node, value)
        if value is ABSENT or "code" not in value:
            if value is not ABSENT and "translations" in value:
                raise Invalid(f"{self.attr}: translations of no code.", expression=[self.path])
            return
        held = ensure(node, self._steps)
        known = [(_parts(coding), coding) for coding in self._rest(node)]
        wanted = value.get("translations", [])
        kept = [next((coding for parts, coding in known if parts == each), {**each}) for each in wanted]
        held["coding"][1:] = kept + [coding for parts, coding in known if "code" not in parts]


CONDITION = Mapping(
    "condition",
    "Condition",
    (
        IDENTIFIERS,
        word("clinicalStatus", "clinical_status", CLINICAL_STATUS, CLINICAL),
        word("verificationStatus", "verification_status", VERIFICATION_STATUS, VERIFICATION),
        codes("category", "categories"),
        Codeable("severity", "severity"),
        Translated("code", "code"),
        Ref("subject", "client"),
        CASE,
        Ref("encounter", "encounter"),
        OneOf("onset", Field("onsetDateTime", "onset_at", moment)),
        OneOf("abatement", Field("abatementDateTime", "abatement_at", moment)),
        Field("recordedDate", "recorded_at", moment),
        Ref("recorder", "recorder"),
        Ref("asserter", "asserter"),
        Values("evidence", "evidence", (One("detail", "value", (Ref("", "value"),)),), note="each with one detail"),
        notes(),
    ),
)

MAPPINGS = (CONDITION,)
