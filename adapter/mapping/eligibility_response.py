"""Eligibility response ↔ CoverageEligibilityResponse: http://hl7.org/fhir/R4/coverageeligibilityresponse.html"""

from adapter.mapping.choices import Choice, OneOf
from adapter.mapping.codecs import boolean, integer, moment
from adapter.mapping.codes import table
from adapter.mapping.eligibility_request import FM_STATUS, purposes
from adapter.mapping.lists import Each, Values, codes
from adapter.mapping.rules import Codeable, Field, Ref, coded, money, period
from adapter.mapping.shapes import IDENTIFIERS, OWN_CASE
from adapter.mapping.table import Mapping

OUTCOME = table("remittance-outcome", "queued complete error partial")


def _amount(base: str) -> Choice:
    return Choice(
        base, base, (Field(f"{base}UnsignedInt", "units", integer), money(f"{base}Money", "money"), Field(f"{base}String", "text"))
    )


_BENEFIT = (
    Codeable("category", "category"),
    Codeable("productOrService", "code"),
    Field("name", "name"),
    Field("description", "description"),
    Field("excluded", "excluded", boolean),
    Codeable("network", "network"),
    Codeable("unit", "unit"),
    Codeable("term", "term"),
    Each("benefit", "limits", (Codeable("type", "type"), _amount("allowed"), _amount("used")), key=("type",)),
    Field("authorizationRequired", "authorization_required", boolean),
    codes("authorizationSupporting", "authorization_supporting"),
    Field("authorizationUrl", "authorization_url"),
)

ELIGIBILITY_RESPONSE = Mapping(
    "eligibility_response",
    "CoverageEligibilityResponse",
    (
        IDENTIFIERS,
        coded("status", "status", FM_STATUS),
        purposes(),
        Ref("patient", "client"),
        OWN_CASE,
        OneOf("serviced", period("servicedPeriod", "serviced")),
        Field("created", "as_of", moment),
        Ref("requestor", "requestor"),
        Ref("request", "request"),
        coded("outcome", "outcome", OUTCOME),
        Field("disposition", "disposition"),
        Ref("insurer", "insurer"),
        Each(
            "insurance",
            "insurance",
            (
                Ref("coverage", "coverage"),
                Field("inforce", "in_force", boolean),
                period("benefitPeriod", "period"),
                Each("item", "benefits", _BENEFIT, key=("category", "code", "name", "network"), partial=True),
            ),
            key=("coverage",),
        ),
        Field("preAuthRef", "number"),
        Values("error", "errors", (Codeable("code", "value"),)),
    ),
    owners=dict.fromkeys(("status", "outcome", "disposition", "insurance", "preAuthRef", "error"), "theirs"),
)

MAPPINGS = (ELIGIBILITY_RESPONSE,)
