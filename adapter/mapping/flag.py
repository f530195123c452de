"""Flag ↔ Flag: http://hl7.org/fhir/R4/flag.html"""

from adapter.config import CS
from adapter.mapping.codes import table
from adapter.mapping.lists import codes
from adapter.mapping.rules import Field, Ref, coded, period
from adapter.mapping.shapes import IDENTIFIERS, OWN_CASE
from adapter.mapping.table import Mapping
from adapter.mapping.words import word

STATUS = table("flag-status", "active inactive entered-in-error")
KIND = table("flag", "safety high-risk elder-abuse suicide readmission other")

FLAG = Mapping(
    "flag",
    "Flag",
    (
        IDENTIFIERS,
        coded("status", "status", STATUS),
        codes("category", "categories"),
        word("code", "kind", KIND, f"{CS}/flag", "absent in a flag of another system", sole=False),
        Field("code.text", "description"),
        Ref("subject", "client"),
        OWN_CASE,
        period("period"),
        Ref("encounter", "encounter"),
        Ref("author", "author"),
    ),
)

MAPPINGS = (FLAG,)
