"""Education ↔ Procedure: http://hl7.org/fhir/R4/procedure.html"""

from adapter.config import CS
from adapter.fhir.resource import Raw
from adapter.mapping.choices import OneOf
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.lists import One
from adapter.mapping.rules import Field, Ref, coded
from adapter.mapping.shapes import CASE, notes
from adapter.mapping.table import Mapping
from adapter.mapping.words import has_coding, word

SNOMED = "http://snomed.info/sct"
METHOD = "extension[url=http://hl7.org/fhir/StructureDefinition/procedure-method].valueCodeableConcept.text"

STATUS = table("event-status", "preparation in-progress not-done on-hold stopped completed entered-in-error unknown")
TOPIC = table("education-topic", "lifestyle medication-administration when-to-return condition self-care other")
TEACH_BACK = table("teach-back", "understood partly not-understood not-done")


def _is_education(raw: Raw) -> bool:
    return has_coding(raw.get("code"), SNOMED, "311401005")


EDUCATION = Mapping(
    "education",
    "Procedure",
    (
        coded("status", "status", STATUS),
        word("code", "topic", TOPIC, f"{CS}/education-topic", sole=False),
        Ref("subject", "client"),
        CASE,
        Ref("encounter", "encounter"),
        OneOf("performed", Field("performedDateTime", "at", moment)),
        One("performer", "by", (Ref("actor", "value"),)),
        word("outcome", "teach_back", TEACH_BACK, f"{CS}/teach-back"),
        Field(METHOD, "method"),
        One("usedCode", "material", (Field("text", "value"),)),
        notes(),
    ),
    const={"code": {"coding": [{"system": SNOMED, "code": "311401005", "display": "Patient education"}]}},
    when=_is_education,
)

MAPPINGS = (EDUCATION,)
