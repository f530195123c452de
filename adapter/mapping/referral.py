"""Referral ↔ ServiceRequest: http://hl7.org/fhir/R4/servicerequest.html"""

from adapter.fhir.resource import Raw
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.lists import codes, refs
from adapter.mapping.rules import Codeable, Field, Ref, coded
from adapter.mapping.shapes import CASE, IDENTIFIERS, notes
from adapter.mapping.table import Mapping, ext_code
from adapter.mapping.words import RECORD_KIND, has_coding

STATUS = table("request-status", "draft active on-hold revoked completed entered-in-error unknown")
PRIORITY = table("request-priority", "routine urgent asap stat")
SOURCE = table("referral-source", "insurer hospital outpatient self family community other")


def _is_referral(raw: Raw) -> bool:
    return has_coding(raw.get("category"), RECORD_KIND, "referral")


REFERRAL = Mapping(
    "referral",
    "ServiceRequest",
    (
        IDENTIFIERS,
        coded("status", "status", STATUS),
        coded("priority", "priority", PRIORITY),
        Codeable("code", "code"),
        ext_code("referral-source", "source", SOURCE),
        Ref("subject", "client"),
        CASE,
        Field("authoredOn", "received_at", moment, "when the case management got it"),
        Ref("requester", "requester"),
        refs("performer", "performers"),
        codes("reasonCode", "reasons"),
        refs("supportingInfo", "documents"),
        notes(),
    ),
    const={
        "category": [{"coding": [{"system": RECORD_KIND, "code": "referral", "display": "Referral to case management"}]}],
        "intent": "order",
    },
    when=_is_referral,
)

MAPPINGS = (REFERRAL,)
