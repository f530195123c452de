"""Endpoint ↔ Endpoint: http://hl7.org/fhir/R4/endpoint.html"""

from adapter.mapping.codes import table
from adapter.mapping.lists import Each, codes
from adapter.mapping.rules import Field, Ref, coded, coding, period
from adapter.mapping.shapes import IDENTIFIERS, TELECOMS
from adapter.mapping.table import Mapping

STATUS = table("endpoint-status", "active suspended error off entered-in-error test")

ENDPOINT = Mapping(
    "endpoint",
    "Endpoint",
    (
        IDENTIFIERS,
        coded("status", "status", STATUS),
        coding("connectionType", "connection"),
        Field("name", "name"),
        Ref("managingOrganization", "managing_organization"),
        Each("contact", "telecoms", TELECOMS.rules, key=TELECOMS.key),
        period("period"),
        codes("payloadType", "payload_types"),
        Field("address", "address"),
    ),
)

MAPPINGS = (ENDPOINT,)
