"""Response ↔ QuestionnaireResponse, of any instrument and from anybody: http://hl7.org/fhir/R4/questionnaireresponse.html"""

from adapter.mapping.answers import STATUS, Answers
from adapter.mapping.codecs import moment
from adapter.mapping.rules import Field, Ref, coded
from adapter.mapping.shapes import CASE
from adapter.mapping.table import Mapping

RESPONSE = Mapping(
    "response",
    "QuestionnaireResponse",
    (
        Ref("subject", "client"),
        CASE,
        Ref("encounter", "encounter"),
        Field("questionnaire", "instrument", note="canonical, with its version"),
        coded("status", "status", STATUS),
        Field("authored", "authored_at", moment),
        Ref("author", "author"),
        Ref("source", "source"),
        Answers(),
    ),
)

MAPPINGS = (RESPONSE,)
