"""`Patient/$member-match` of HRex: http://hl7.org/fhir/us/davinci-hrex/OperationDefinition-member-match.html

The Consent that comes along is not kept; one that is not in force, or denies, is refused. What its sender may then see is decided as ever.
"""

from adapter.config import OWN_ID
from adapter.errors import NotApplicable
from adapter.sync.people.member import member
from server.fhir.messages import Answer
from server.fhir.operations.call import Call, parameters

_UMB = {"system": "http://hl7.org/fhir/us/davinci-hrex/CodeSystem/hrex-temp", "code": "UMB"}


def run(call: Call) -> Answer:
    """Who the member is here, by an identifier and a reference. Raises NotApplicable (422) where it is nobody, or several fit."""
    consent = call.inputs.one("Consent") or {}
    if consent and (consent.get("status") != "active" or (consent.get("provision") or {}).get("type") == "deny"):
        raise NotApplicable("The consent that came along allows nothing.", expression=["Consent"])
    id = member(call.repository, call.inputs.one("MemberPatient"), call.inputs.one("CoverageToMatch"))
    identifier = {"type": {"coding": [_UMB]}, "system": OWN_ID, "value": id}
    return parameters(
        ("MemberIdentifier", "valueIdentifier", identifier),
        ("MemberId", "valueReference", {"reference": f"Patient/{id}"}),
    )
