"""`Patient/$member-match` of HRex: http://hl7.org/fhir/us/davinci-hrex/OperationDefinition-member-match.html

The Consent that comes along is not kept; one that is not in force, or denies, is refused. What its sender may then see is decided as ever.
"""

from datetime import datetime

from adapter.config import OWN_ID
from adapter.errors import NotApplicable
from adapter.fhir.dates import covers
from adapter.fhir.resource import Raw, check_structure
from adapter.sync.people.member import member
from server.fhir.messages import Answer
from server.fhir.operations.call import Call, parameters

_UMB = {"system": "http://hl7.org/fhir/us/davinci-hrex/CodeSystem/hrex-temp", "code": "UMB"}


def run(call: Call) -> Answer:
    """Who the member is here, by an identifier and a reference.

    Raises Invalid for a resource that is malformed, and NotApplicable (422) where it is nobody, or several fit.
    """
    patient, coverage, consent = (call.inputs.one(name) for name in ("MemberPatient", "CoverageToMatch", "Consent"))
    for given in filter(None, (patient, coverage, consent)):
        check_structure(given)
    if consent and not allows(consent, call.repository.clock()):
        raise NotApplicable("The consent that came along allows nothing.", expression=["Consent"])
    id = member(call.repository, patient, coverage)
    identifier = {"type": {"coding": [_UMB]}, "system": OWN_ID, "value": id}
    return parameters(
        ("MemberIdentifier", "valueIdentifier", identifier),
        ("MemberId", "valueReference", {"reference": f"Patient/{id}"}),
    )


def allows(consent: Raw, now: datetime) -> bool:
    """Whether a Consent that comes along is in force and does not deny as a whole."""
    provision = consent.get("provision") or {}
    return consent.get("status") == "active" and provision.get("type") != "deny" and covers(provision.get("period"), now)
