"""Coverage ↔ Coverage: http://hl7.org/fhir/R4/coverage.html"""

from adapter.mapping.codecs import integer
from adapter.mapping.codes import table
from adapter.mapping.lists import Each, refs
from adapter.mapping.rules import Codeable, Field, Ref, coded, period
from adapter.mapping.shapes import IDENTIFIERS
from adapter.mapping.table import Mapping

COVERAGE_STATUS = table("fm-status", "active cancelled draft entered-in-error")

COVERAGE = Mapping(
    "coverage",
    "Coverage",
    (
        Ref("beneficiary", "client"),
        IDENTIFIERS,
        coded("status", "status", COVERAGE_STATUS),
        Codeable("type", "type"),
        refs("payor", "payers"),
        # US Core takes this or an identifier of type MB for the member's number (us-core-15); the identifiers keep theirs.
        Field("subscriberId", "member_id"),
        Ref("subscriber", "subscriber"),
        Codeable("relationship", "relationship"),
        period("period"),
        Each("class", "classes", (Codeable("type", "kind"), Field("value", "value"), Field("name", "name")), key=("kind", "value")),
        Field("network", "network"),
        Field("order", "order", integer),
    ),
    owners=dict.fromkeys(("status", "type", "payor", "subscriberId", "period", "class", "network", "order"), "theirs"),
)

MAPPINGS = (COVERAGE,)
