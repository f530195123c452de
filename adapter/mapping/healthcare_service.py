"""Healthcare service ↔ HealthcareService: http://hl7.org/fhir/R4/healthcareservice.html"""

from adapter.mapping.codecs import boolean
from adapter.mapping.lists import Each, codes, refs
from adapter.mapping.rules import Field, Ref, period
from adapter.mapping.shapes import HOURS, IDENTIFIERS, TELECOMS
from adapter.mapping.table import Mapping

HEALTHCARE_SERVICE = Mapping(
    "healthcare_service",
    "HealthcareService",
    (
        IDENTIFIERS,
        Field("active", "active", boolean),
        Ref("providedBy", "organization"),
        codes("category", "categories"),
        codes("type", "types"),
        codes("specialty", "specialties"),
        refs("location", "locations"),
        Field("name", "name"),
        Field("comment", "comment"),
        Field("extraDetails", "details"),
        TELECOMS,
        refs("coverageArea", "coverage_areas"),
        codes("serviceProvisionCode", "provisions"),
        codes("program", "programmes"),
        codes("communication", "languages"),
        codes("referralMethod", "referral_methods"),
        Field("appointmentRequired", "appointment_required", boolean),
        HOURS,
        Each("notAvailable", "absences", (Field("description", "description"), period("during", "during")), key=("description",)),
        Field("availabilityExceptions", "availability"),
        refs("endpoint", "endpoints"),
    ),
)

MAPPINGS = (HEALTHCARE_SERVICE,)
