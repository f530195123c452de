"""Screening ↔ QuestionnaireResponse: http://hl7.org/fhir/R4/questionnaireresponse.html

The instrument's answers stand as they would without us; the record review, the domains and the disposition's reason are items beside them.
"""

from adapter.config import EXT
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


def _is_screening(raw: Raw) -> bool:
    """A QuestionnaireResponse has no category, and an instrument is an instrument in any step: the step of the case tells them apart."""
    return bool(find(raw, _STEP_PATH) == "screening")


SCREENING = Mapping(
    "screening",
    "QuestionnaireResponse",
    (
        Ref("subject", "client"),
        CASE,
        Field("questionnaire", "instrument", note="canonical, with its version"),
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
