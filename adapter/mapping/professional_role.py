"""Professional role ↔ PractitionerRole of anybody but a case manager: http://hl7.org/fhir/R4/practitionerrole.html"""

from adapter.mapping.codecs import boolean
from adapter.mapping.lists import codes, refs
from adapter.mapping.rules import Field, Ref, period
from adapter.mapping.shapes import HOURS, IDENTIFIERS, TELECOMS
from adapter.mapping.table import Mapping

PROFESSIONAL_ROLE = Mapping(
    "professional_role",
    "PractitionerRole",
    (
        IDENTIFIERS,
        Field("active", "active", boolean),
        period("period"),
        Ref("practitioner", "practitioner"),
        Ref("organization", "organization"),
        codes("code", "roles"),
        codes("specialty", "specialties"),
        refs("location", "locations"),
        refs("healthcareService", "services"),
        TELECOMS,
        HOURS,
        Field("availabilityExceptions", "availability"),
        refs("endpoint", "endpoints"),
    ),
)

MAPPINGS = (PROFESSIONAL_ROLE,)
