"""Client ↔ Patient: http://hl7.org/fhir/R4/patient.html"""

from adapter.config import OWN_ID
from adapter.mapping.choices import Choice
from adapter.mapping.codecs import boolean, date, integer, moment, texts
from adapter.mapping.codes import table
from adapter.mapping.lists import Each
from adapter.mapping.rules import Codeable, Field, Group, coded, period
from adapter.mapping.table import Mapping, ext, ext_code

GENDER = table("administrative-gender", "male female other unknown")
CAPACITY = table("capacity", "intact impaired unknown")
TELECOM = table("contact-point-system", "phone fax email pager url sms other")

IDENTIFIERS = Each(
    "identifier",
    "identifiers",
    (
        Field("system", "system"),
        Field("value", "value"),
        Field("type.coding[system=http://terminology.hl7.org/CodeSystem/v2-0203].code", "type"),
    ),
    key=("system", "value"),
    unless=("system", OWN_ID),
    note="one without a system is kept as it is and is not in the record",
)

# The name in use: an official one, else one without a use. Old, maiden and nicknames stay as they are.
NAME = Group(
    "name[use=official|]",
    "name",
    (Field("family", "family"), Field("given", "given", texts), Field("text", "text")),
)
TELECOMS = Each(
    "telecom",
    "telecom",
    (coded("system", "system", TELECOM), Field("value", "value"), Field("use", "use"), Field("rank", "rank", integer)),
    key=("system", "value"),
    note="the preferred channel has rank 1",
)
ADDRESS = Group(
    "address[use=home||work]",
    "address",
    (
        Field("line", "line", texts),
        Field("city", "city"),
        Field("district", "district"),
        Field("state", "state"),
        Field("postalCode", "postal_code"),
        Field("country", "country"),
        period("period"),
    ),
)

CLIENT = Mapping(
    "client",
    "Patient",
    (
        IDENTIFIERS,
        NAME,
        Field("name[use=usual].given", "usual_name", texts, "the name to call the client by"),
        Field("birthDate", "birth_date", date),
        coded("gender", "gender", GENDER, "administrative; never inferred"),
        ext("pronouns", "pronouns"),
        Each(
            "communication",
            "languages",
            (Codeable("language", "language"), Field("preferred", "preferred", boolean)),
            key=("language",),
        ),
        TELECOMS,
        ADDRESS,
        Choice(
            "deceased",
            "deceased",
            (("boolean", Field("deceasedBoolean", "value", boolean)), ("dateTime", Field("deceasedDateTime", "value", moment))),
        ),
        ext_code("capacity", "capacity", CAPACITY),
    ),
)

MAPPINGS = (CLIENT,)
