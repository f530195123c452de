"""Preauthorisation ↔ Claim of the use preauthorization: http://hl7.org/fhir/R4/claim.html"""

from adapter.fhir.resource import Raw
from adapter.mapping.choices import OneOf
from adapter.mapping.codecs import integer, moment
from adapter.mapping.eligibility_request import FM_STATUS
from adapter.mapping.lists import Each, One
from adapter.mapping.rules import Codeable, Field, Ref, coded, money, period, quantity
from adapter.mapping.shapes import IDENTIFIERS, OWN_CASE
from adapter.mapping.table import Mapping, extension

_RELATION = "http://terminology.hl7.org/CodeSystem/ex-relatedclaimrelationship"


def _is_preauthorisation(raw: Raw) -> bool:
    return raw.get("use") == "preauthorization"


PREAUTHORISATION = Mapping(
    "preauthorisation",
    "Claim",
    (
        IDENTIFIERS,
        coded("status", "status", FM_STATUS),
        Codeable("type", "type"),
        Ref("patient", "client"),
        OWN_CASE,
        Field("created", "created_at", moment),
        Ref("enterer", "enterer"),
        Ref("insurer", "insurer"),
        Ref("provider", "provider"),
        Codeable("priority", "priority"),
        One(
            "related",
            "appeals",
            (Ref("claim", "value"),),
            where=("relationship.coding.code", "prior"),
            new={"relationship": {"coding": [{"system": _RELATION, "code": "prior", "display": "Prior Claim"}]}},
        ),
        Ref("referral", "referral"),
        One("insurance", "coverage", (Ref("coverage", "value"),), new={"sequence": 1, "focal": True}),
        Each(
            "item",
            "lines",
            (
                Field("sequence", "sequence", integer),
                Ref(f"{extension('authorised-service')}.valueReference", "service"),
                Codeable("productOrService", "code"),
                OneOf("serviced", period("servicedPeriod", "serviced")),
                quantity("quantity", "quantity"),
                money("unitPrice", "unit_price"),
                money("net", "net"),
            ),
            key=("sequence",),
        ),
        money("total", "total"),
    ),
    const={"use": "preauthorization"},
    when=_is_preauthorisation,
)

MAPPINGS = (PREAUTHORISATION,)
