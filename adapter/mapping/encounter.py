"""Encounter ↔ Encounter: http://hl7.org/fhir/R4/encounter.html"""

from adapter.mapping.codes import table
from adapter.mapping.lists import Each, One, Values, codes, refs
from adapter.mapping.rules import Codeable, Ref, coded, coding, period, quantity
from adapter.mapping.shapes import IDENTIFIERS
from adapter.mapping.table import Mapping

STATUS = table("encounter-status", "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown")

# An encounter may count for several episodes; a record of ours belongs to one case.
EPISODE = One("episodeOfCare", "case", (Ref("", "value"),))

ENCOUNTER = Mapping(
    "encounter",
    "Encounter",
    (
        IDENTIFIERS,
        coded("status", "status", STATUS),
        coding("class", "encounter_class"),
        codes("type", "types"),
        Codeable("serviceType", "service_type"),
        Codeable("priority", "priority"),
        Ref("subject", "client"),
        EPISODE,
        Each(
            "participant",
            "participants",
            (Ref("individual", "individual"), One("type", "role", (Codeable("", "value"),)), period("period")),
            key=("individual", "role"),
            partial=True,
        ),
        refs("appointment", "appointments"),
        period("period"),
        quantity("length", "length"),
        codes("reasonCode", "reasons"),
        refs("reasonReference", "conditions"),
        Codeable("hospitalization.admitSource", "admit_source"),
        Codeable("hospitalization.reAdmission", "readmission"),
        Ref("hospitalization.destination", "destination"),
        Codeable("hospitalization.dischargeDisposition", "discharge_disposition"),
        Values("location", "locations", (Ref("location", "value"),)),
        Ref("serviceProvider", "service_provider"),
        Ref("partOf", "part_of"),
    ),
)

MAPPINGS = (ENCOUNTER,)
