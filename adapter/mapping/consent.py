"""Consent ↔ Consent: http://hl7.org/fhir/R4/consent.html

What is decided stands in `provision.type`, for whom in its actor with the role IRCP, as Da Vinci HRex has it for payers.
"""

from adapter.mapping.choices import OneOf
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.lists import One, refs
from adapter.mapping.rules import Field, Ref, coded, period
from adapter.mapping.table import Mapping, ext_code
from adapter.mapping.words import Refined, word

CONSENT_STATUS = table("consent-state-codes", "draft proposed active rejected inactive entered-in-error")
DECISION = table("consent-provision-type", "permit deny")
# R4's "patient-privacy" does not say towards whom, which is what case management must know.
SCOPE = table("consentscope", "treatment research", sharing="patient-privacy")
SHARING = table("consent-scope", "sharing-payer sharing-support")

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"

CONSENT = Mapping(
    "consent",
    "Consent",
    (
        Ref("patient", "client"),
        coded("status", "status", CONSENT_STATUS),
        Refined(
            word("scope", "scope", SCOPE, "http://terminology.hl7.org/CodeSystem/consentscope"),
            ext_code("consent-scope", "scope", SHARING),
            over="sharing",
        ),
        coded("provision.type", "decision", DECISION),
        Field("dateTime", "agreed_at", moment),
        refs("performer", "performers"),
        One(
            "provision.actor",
            "actor",
            (Ref("reference", "value"),),
            where=("role.coding.code", "IRCP"),
            new={"role": {"coding": [{"system": PARTICIPATION, "code": "IRCP", "display": "information recipient"}]}},
        ),
        period("provision.period"),
        OneOf("source", Ref("sourceReference", "source")),
    ),
    const={
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0", "display": "Consent Document"}]}],
        # R4 demands a base policy (ppc-1), to which the provision is an exception. Who reads the base alone must not disclose too much.
        "policyRule": {"coding": [{"system": ACT_CODE, "code": "OPTOUT"}]},
    },
)

MAPPINGS = (CONSENT,)
