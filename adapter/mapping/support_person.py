"""Support person ↔ RelatedPerson: http://hl7.org/fhir/R4/relatedperson.html"""

from adapter.config import EXT
from adapter.mapping.codecs import boolean, date
from adapter.mapping.codes import table
from adapter.mapping.lists import Values, codes
from adapter.mapping.rules import Field, Ref, coded, period
from adapter.mapping.shapes import ADDRESSES, GENDER, IDENTIFIERS, NAMES, TELECOMS
from adapter.mapping.table import Mapping, ext, ext_code

SUPPORT_KIND = table("support-kind", "housing transport personal-care emotional financial medication meals decision-making")
CAREGIVER_STRAIN = table("caregiver-strain", "none some severe")

SUPPORT_PERSON = Mapping(
    "support_person",
    "RelatedPerson",
    (
        Ref("patient", "client"),
        IDENTIFIERS,
        Field("active", "active", boolean),
        NAMES,
        codes("relationship", "relationships"),
        coded("gender", "administrative_gender", GENDER),
        Field("birthDate", "birth_date", date),
        TELECOMS,
        ADDRESSES,
        period("period"),
        Values("extension", "supports", (coded("valueCode", "value", SUPPORT_KIND),), where=("url", f"{EXT}/support-kind")),
        ext("lives-with-client", "lives_with_client", boolean),
        ext("support-availability", "availability"),
        ext_code("caregiver-strain", "caregiver_strain", CAREGIVER_STRAIN),
        ext("may-receive-information", "may_receive_information", boolean, "absent is no"),
        ext("is-decision-maker", "is_decision_maker", boolean, "absent is no"),
    ),
)

MAPPINGS = (SUPPORT_PERSON,)
