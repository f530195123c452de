"""Client ↔ Patient: http://hl7.org/fhir/R4/patient.html"""

from adapter.mapping.choices import Choice
from adapter.mapping.codecs import boolean, date, moment
from adapter.mapping.codes import table
from adapter.mapping.lists import Each
from adapter.mapping.rules import Codeable, Field, Ref, coded
from adapter.mapping.shapes import ADDRESSES, GENDER, IDENTIFIERS, NAMES, TELECOMS
from adapter.mapping.table import Mapping, ext, ext_code, extension

CAPACITY = table("capacity", "intact impaired unknown")

# R4's Patient has no pronouns; HL7's extension pack has: http://hl7.org/fhir/StructureDefinition/individual-pronouns
PRONOUNS = "extension[url=http://hl7.org/fhir/StructureDefinition/individual-pronouns].extension[url=value].valueCodeableConcept"

CLIENT = Mapping(
    "client",
    "Patient",
    (
        IDENTIFIERS,
        Field("active", "active", boolean),
        NAMES,
        Field("birthDate", "birth_date", date),
        coded("gender", "administrative_gender", GENDER, "administrative; never inferred"),
        Codeable(PRONOUNS, "pronouns"),
        Each(
            "communication",
            "languages",
            (Codeable("language", "language"), Field("preferred", "preferred", boolean)),
            key=("language",),
        ),
        TELECOMS,
        ADDRESSES,
        Choice("deceased", "deceased", (Field("deceasedBoolean", "boolean", boolean), Field("deceasedDateTime", "date_time", moment))),
        ext_code("capacity", "capacity", CAPACITY),
        ext("literacy-note", "literacy_note"),
        Ref(f"{extension('decision-maker')}.valueReference", "decision_maker"),
    ),
)

MAPPINGS = (CLIENT,)
