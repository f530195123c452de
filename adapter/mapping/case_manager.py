"""Case manager ↔ Practitioner and PractitionerRole, one id: http://hl7.org/fhir/R4/practitioner.html, …/practitionerrole.html"""

from adapter.config import CS, EXT
from adapter.fhir.elements import find, parse_path
from adapter.fhir.resource import Raw
from adapter.mapping.codecs import boolean, decimal, integer
from adapter.mapping.codes import table
from adapter.mapping.lists import Each, One, Values
from adapter.mapping.rules import Codeable, Field, Implied, Ref, coded, period
from adapter.mapping.shapes import GENDER, HOURS, IDENTIFIERS, NAMES, TELECOMS
from adapter.mapping.table import Mapping, ext, ext_code, extension
from adapter.mapping.words import RECORD_KIND, has_coding

CREDENTIALS = f"{CS}/credential-kind"
DISCIPLINES = f"{CS}/discipline"
ROLES = f"{CS}/case-manager-role"
NUCC = "http://nucc.org/provider-taxonomy"

CREDENTIAL = table("credential-kind", "RN LCSW CCM other-license degree")
DEGREE_LEVEL = table("degree-level", "bachelor graduate")
DISCIPLINE = table("discipline", "nurse social-worker healthcare-administrator therapist counselor physician other-clinical other")
COMPETENCY = table("competency", "medical-knowledge system-knowledge project-management communication empathy collaboration")
ROLE = table("case-manager-role", "case-manager nurse-case-manager supervisor director")

# The disciplines of which the Health Care Provider Taxonomy has a code that says neither more nor less.
TAXONOMY = {"nurse": "163W00000X", "social_worker": "104100000X", "counselor": "101Y00000X"}

_KIND = parse_path(f"{extension('professional-kind')}.valueCode")


def _is_person(raw: Raw) -> bool:
    return bool(find(raw, _KIND) == "case-manager")


def _is_role(raw: Raw) -> bool:
    return has_coding(raw.get("code"), RECORD_KIND, "case-manager")


PERSON = Mapping(
    "case_manager",
    "Practitioner",
    (
        IDENTIFIERS,
        Field("active", "active", boolean),
        NAMES,
        TELECOMS,
        coded("gender", "administrative_gender", GENDER),
        Each(
            "qualification",
            "credentials",
            (
                coded(f"code.coding[system={CREDENTIALS}].code", "kind", CREDENTIAL),
                # Of the kinds, only the registered nurse stands in HL7's table of degrees, licences and certificates.
                Implied("code.coding[system=http://terminology.hl7.org/CodeSystem/v2-0360].code", "kind", {"RN": "RN"}.get),
                Field("code.text", "field", note="a degree's field of study"),
                Field("identifier[use=official||usual].value", "number"),
                Ref("issuer", "issuer"),
                period("period"),
                Field(f"{extension('license-status')}.extension[url=active].valueBoolean", "active", boolean),
                Field(f"{extension('license-status')}.extension[url=unrestricted].valueBoolean", "unrestricted", boolean),
                ext_code("degree-level", "degree_level", DEGREE_LEVEL),
            ),
            key=("kind", "number"),
            where=("code.coding.system", CREDENTIALS),
            partial=True,
            note="a qualification of no kind of ours stays and is not in the record",
        ),
    ),
    const={"extension": [{"url": f"{EXT}/professional-kind", "valueCode": "case-manager"}]},
    when=_is_person,
)

AS_WHAT = Mapping(
    "case_manager",
    "PractitionerRole",
    (
        Ref("practitioner", "practitioner"),
        One(
            "specialty",
            "discipline",
            (
                coded(f"coding[system={DISCIPLINES}].code", "value", DISCIPLINE),
                Implied(f"coding[system={NUCC}].code", "value", TAXONOMY.get),
            ),
            where=("coding.system", DISCIPLINES),
        ),
        One("code", "role", (coded(f"coding[system={ROLES}].code", "value", ROLE),), where=("coding.system", ROLES)),
        Values("specialty", "specialties", (Codeable("", "value"),), unless=("coding.system", DISCIPLINES)),
        Ref("organization", "organization"),
        period("period"),
        ext("ccm-work-share", "case_management_work_share", decimal),
        ext("caseload-limit", "caseload_limit", integer, "absent is 20"),
        Ref(f"{extension('mentor')}.valueReference", "mentor"),
        Values("extension", "competencies", (coded("valueCode", "value", COMPETENCY),), where=("url", f"{EXT}/competency")),
        HOURS,
        Field("availabilityExceptions", "availability"),
    ),
    const={
        "code": [
            {
                "coding": [
                    {"system": RECORD_KIND, "code": "case-manager", "display": "Case manager"},
                    {"system": NUCC, "code": "171M00000X", "display": "Case Manager/Care Coordinator"},
                ]
            }
        ]
    },
    when=_is_role,
)

MAPPINGS = (PERSON, AS_WHAT)
