"""Client ↔ Patient: http://hl7.org/fhir/R4/patient.html"""

from adapter.mapping.codecs import boolean, date
from adapter.mapping.codes import table
from adapter.mapping.lists import Each
from adapter.mapping.rules import Codeable, Field, coded
from adapter.mapping.shapes import ADDRESSES, GENDER, IDENTIFIERS, NAMES, TELECOMS
from adapter.mapping.table import Mapping, ext_code

CAPACITY = table("capacity", "intact impaired unknown")

CLIENT = Mapping(
    "client",
    "Patient",
    (
        IDENTIFIERS,
        Field("active", "active", boolean),
        NAMES,
        Field("birthDate", "birth_date", date),
        coded("gender", "administrative_gender", GENDER, "administrative; never inferred"),
        Each(
            "communication",
            "languages",
            (Codeable("language", "language"), Field("preferred", "preferred", boolean)),
            key=("language",),
        ),
        TELECOMS,
        ADDRESSES,
        ext_code("capacity", "capacity", CAPACITY),
    ),
)

MAPPINGS = (CLIENT,)
