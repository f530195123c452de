"""Screening ↔ QuestionnaireResponse: http://hl7.org/fhir/R4/questionnaireresponse.html

The instrument's answers stand as they would without us; the record review, the domains and the disposition's reason are items beside them.
"""

from dataclasses import dataclass
from typing import Any

from adapter.config import BASE, EXT
from adapter.fhir.elements import find, parse_path
from adapter.fhir.resource import Raw
from adapter.mapping.answers import STATUS, Answers, Item, chosen, section
from adapter.mapping.codecs import date, moment
from adapter.mapping.codes import table
from adapter.mapping.rules import Field, Group, Ref, coded
from adapter.mapping.shapes import CASE
from adapter.mapping.table import Mapping, ext_code

MODE = table("screening-mode", "interview self chart-review proxy")
SOURCE = table("record-source", "medical-records medical-history claims ehr-import other")
REVIEWED = table("domain-status", "reviewed not-available")
DISPOSITION = table("screening-disposition", "proceed monitor not-eligible")
DOMAINS = ("medical", "financial", "living", "social")

_STEP = f"{EXT}/cm-process-step"
_STEP_PATH = parse_path(f"extension[url={_STEP}].valueCode")

_OURS, _WITHIN = f"{BASE}/Questionnaire/", f"{BASE}/Questionnaire/screening-"


def within(instrument: str) -> str:
    """The canonical url of a screening's questionnaire around an instrument of ours; one of others' stays what it is."""
    return instrument.replace(_OURS, _WITHIN, 1) if instrument.startswith(_OURS) else instrument


@dataclass(frozen=True)
class Instrument(Field):
    """The canonical url of the instrument, which a response names by the questionnaire that has a screening's further items around it."""

    def decode(self, value: Any) -> Any:
        named = super().decode(value)
        return named.replace(_WITHIN, _OURS, 1) if named.startswith(_WITHIN) else named

    def encode(self, value: Any) -> Any:
        return within(super().decode(value))


def _is_screening(raw: Raw) -> bool:
    """A QuestionnaireResponse has no category, and an instrument is an instrument in any step: the step of the case tells them apart."""
    return bool(find(raw, _STEP_PATH) == "screening")


SCREENING = Mapping(
    "screening",
    "QuestionnaireResponse",
    (
        Ref("subject", "client"),
        CASE,
        Instrument("questionnaire", "instrument", note="canonical, with its version; ours with `screening-` before its name"),
        coded("status", "status", STATUS),
        ext_code("screening-mode", "mode", MODE),
        Field("authored", "completed_at", moment),
        Ref("author", "completed_by"),
        section(
            "record-review",
            "record_review",
            chosen("sources", "sources", SOURCE, many=True),
            Item("reviewed-at", Field("valueDateTime", "reviewed_at", moment)),
            Item("summary", Field("valueString", "summary")),
        ),
        Group(
            "item[linkId=domain]",
            "domains",
            tuple(
                section(f"domain/{name}", name, chosen("status", "status", REVIEWED), Item("notes", Field("valueString", "notes")))
                for name in DOMAINS
            ),
        ),
        ext_code("screening-disposition", "disposition", DISPOSITION),
        Item("disposition/reason", Field("valueString", "disposition_reason")),
        Item("disposition/rescreen-on", Field("valueDate", "rescreen_on", date)),
        Answers(unless=("record-review", "domain", "disposition/reason", "disposition/rescreen-on")),
    ),
    const={"extension": [{"url": _STEP, "valueCode": "screening"}]},
    when=_is_screening,
)

MAPPINGS = (SCREENING,)
