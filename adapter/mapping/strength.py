"""Strength ↔ Observation: http://hl7.org/fhir/R4/observation.html"""

from adapter.config import CS
from adapter.fhir.resource import Raw
from adapter.mapping.choices import OneOf
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.lists import One
from adapter.mapping.rules import Field, Ref
from adapter.mapping.shapes import CASE
from adapter.mapping.table import Mapping, ext
from adapter.mapping.words import RECORD_KIND, has_coding, word

DOMAIN = table("strength-domain", "personal relational community skill environmental spiritual financial")


def _is_strength(raw: Raw) -> bool:
    return has_coding(raw.get("category"), RECORD_KIND, "strength")


STRENGTH = Mapping(
    "strength",
    "Observation",
    (
        Ref("subject", "client"),
        CASE,
        word("code", "domain", DOMAIN, f"{CS}/strength-domain"),
        OneOf("value", Field("valueString", "description")),
        OneOf("effective", Field("effectiveDateTime", "recorded_at", moment)),
        One("performer", "source", (Ref("", "value"),)),
        ext("strength-potential-use", "potential_use"),
        ext("strength-evidence", "evidence"),
    ),
    const={
        "status": "final",
        "category": [
            {"coding": [{"system": RECORD_KIND, "code": "strength", "display": "Strength"}]},
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "social-history"}]},
        ],
    },
    when=_is_strength,
)

MAPPINGS = (STRENGTH,)
