"""Stakeholder ↔ Organization or, for a person, Practitioner: http://hl7.org/fhir/R4/organization.html, …/practitioner.html

Foreign organisations and practitioners are stakeholders too, without a kind: nothing in them says ours.
"""

from adapter.cases.stakeholder import ORGANISATIONS, PERSONS
from adapter.config import CS
from adapter.mapping.codecs import boolean, date
from adapter.mapping.codes import table
from adapter.mapping.lists import One, Values, refs
from adapter.mapping.rules import Codeable, Field, Fields, Implied, Ref, coded
from adapter.mapping.shapes import ADDRESSES, GENDER, IDENTIFIERS, NAMES, TELECOMS
from adapter.mapping.table import Mapping, ext_code

KINDS = f"{CS}/stakeholder-kind"
HL7_TYPES = "http://terminology.hl7.org/CodeSystem/organization-type"

ORGANISATION_KIND = table("stakeholder-kind", " ".join((*ORGANISATIONS, "other")).replace("_", "-"))
PERSON_KIND = table("professional-kind", " ".join((*PERSONS, "other")).replace("_", "-"))

# HL7's word for a kind where it has one; its "other" is deprecated.
HL7_TYPE = {
    "home_health_provider": "prov",
    "rehab_facility": "prov",
    "insurer": "ins",
    "hospital": "prov",
    "outpatient_provider": "prov",
    "primary_care": "prov",
    "community_org": "cg",
    "managed_care": "pay",
}


def is_person(fields: Fields) -> bool:
    """Whether a stakeholder is a person: its kind says so, or, where the kind leaves it open, its `names`."""
    kind = fields.get("kind")
    return kind in PERSONS or (kind not in ORGANISATIONS and "names" in fields)


def is_organisation(fields: Fields) -> bool:
    """Whether a stakeholder is an organisation: what is no person."""
    return not is_person(fields)


ORGANISATION = Mapping(
    "stakeholder",
    "Organization",
    (
        IDENTIFIERS,
        Field("active", "active", boolean),
        Field("name", "name"),
        One(
            "type",
            "kind",
            (
                coded(f"coding[system={KINDS}].code", "value", ORGANISATION_KIND),
                Implied(f"coding[system={HL7_TYPES}].code", "value", HL7_TYPE.get),
            ),
            where=("coding.system", KINDS),
        ),
        Values("type", "types", (Codeable("", "value"),), unless=("coding.system", KINDS)),
        Ref("partOf", "part_of"),
        refs("endpoint", "endpoints"),
        TELECOMS,
        ADDRESSES,
    ),
    applies=is_organisation,
)

PROFESSIONAL = Mapping(
    "stakeholder",
    "Practitioner",
    (
        IDENTIFIERS,
        Field("active", "active", boolean),
        NAMES,
        coded("gender", "administrative_gender", GENDER),
        Field("birthDate", "birth_date", date),
        ext_code("professional-kind", "kind", PERSON_KIND),
        Values("qualification", "qualifications", (Codeable("code", "value"),)),
        TELECOMS,
        ADDRESSES,
    ),
    applies=is_person,
)

MAPPINGS = (ORGANISATION, PROFESSIONAL)
