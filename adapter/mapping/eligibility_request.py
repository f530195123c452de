"""Eligibility request ↔ CoverageEligibilityRequest: http://hl7.org/fhir/R4/coverageeligibilityrequest.html"""

from adapter.mapping.choices import OneOf
from adapter.mapping.codecs import moment, texts
from adapter.mapping.codes import table
from adapter.mapping.lists import Each, One, refs
from adapter.mapping.rules import Codeable, Field, Ref, coded, period
from adapter.mapping.shapes import IDENTIFIERS, OWN_CASE
from adapter.mapping.table import Mapping
from adapter.mapping.words import Words

FM_STATUS = table("fm-status", "active cancelled draft entered-in-error")
PURPOSE = table("eligibility-purpose", "auth-requirements benefits discovery validation")


def purposes() -> Words:
    """What is asked for: benefits, what must be authorised, which coverages there are, whether one is in force."""
    return Words("purpose", "purposes", texts, "", PURPOSE)


ELIGIBILITY_REQUEST = Mapping(
    "eligibility_request",
    "CoverageEligibilityRequest",
    (
        IDENTIFIERS,
        coded("status", "status", FM_STATUS),
        Codeable("priority", "priority"),
        purposes(),
        Ref("patient", "client"),
        OWN_CASE,
        OneOf("serviced", period("servicedPeriod", "serviced")),
        Field("created", "created_at", moment),
        Ref("enterer", "enterer"),
        Ref("provider", "provider"),
        Ref("insurer", "insurer"),
        One("insurance", "coverage", (Ref("coverage", "value"),), new={"focal": True}),
        Each(
            "item",
            "items",
            (Codeable("category", "category"), Codeable("productOrService", "code"), refs("detail", "services")),
            key=("category", "code", "services"),
            partial=True,
        ),
    ),
)

MAPPINGS = (ELIGIBILITY_REQUEST,)
