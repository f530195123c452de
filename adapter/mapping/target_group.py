"""Target group ↔ Group, of persons: http://hl7.org/fhir/R4/group.html"""

from adapter.fhir.resource import Raw
from adapter.mapping.choices import Choice
from adapter.mapping.codecs import boolean
from adapter.mapping.codes import table
from adapter.mapping.lists import Each
from adapter.mapping.rules import Codeable, Field, Ref, period, quantity
from adapter.mapping.shapes import IDENTIFIERS, value_range
from adapter.mapping.table import Mapping, ext_code

AUTHORITY = table("target-group-authority", "cms state local")


def _of_persons(raw: Raw) -> bool:
    return raw.get("type") == "person"


TARGET_GROUP = Mapping(
    "target_group",
    "Group",
    (
        IDENTIFIERS,
        Field("active", "active", boolean),
        Field("actual", "actual", boolean),
        Codeable("code", "code"),
        Field("name", "name"),
        ext_code("target-group-authority", "authority", AUTHORITY),
        Ref("managingEntity", "managing_entity"),
        Each(
            "characteristic",
            "criteria",
            (
                Codeable("code", "code"),
                Choice(
                    "value",
                    "value",
                    (
                        Codeable("valueCodeableConcept", "code"),
                        Field("valueBoolean", "boolean", boolean),
                        quantity("valueQuantity", "quantity"),
                        value_range("valueRange", "range"),
                        Ref("valueReference", "reference"),
                    ),
                ),
                Field("exclude", "exclude", boolean),
                period("period"),
            ),
            key=("code", "value"),
        ),
        Each(
            "member",
            "members",
            (Ref("entity", "client"), period("period"), Field("inactive", "inactive", boolean)),
            key=("client",),
        ),
    ),
    const={"type": "person"},
    when=_of_persons,
)

MAPPINGS = (TARGET_GROUP,)
