"""What a write leaves behind for those who ask later: a Provenance that names its agent, and an AuditEvent. Pure functions.

http://hl7.org/fhir/R4/provenance.html, http://hl7.org/fhir/R4/auditevent.html
"""

from collections.abc import Sequence

from adapter.config import BASE, CS
from adapter.fhir.resource import Raw

_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_EVENT = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_REST = "http://hl7.org/fhir/restful-interaction"
_AUDIT_SOURCE = {"system": f"{BASE}/NamingSystem/site", "value": "casebridge"}
_CODE_OF = {"create": "CREATE", "update": "UPDATE", "delete": "DELETE"}
_ACTION_OF = {"create": "C", "update": "U", "delete": "D"}


def provenance(
    targets: Sequence[tuple[str, int]],
    who: str,
    at: str,
    *,
    operation: str = "update",
    activity: str | None = None,
    reason: str | None = None,
    sources: Sequence[str] = (),
    on_behalf_of: str | None = None,
) -> Raw:
    """Who made these versions (reference, number), when and why.

    `activity` is a code of ours (CodeSystem activity), such as a transition's id or `handover`, beside HL7's of the `operation`: create,
    update, delete. `sources` are what it was made from. `on_behalf_of` is for whom the agent acted. `who` is a reference, or the name of an
    operator, of whom there is no resource.
    """
    coding = [{"system": _OPERATION, "code": _CODE_OF[operation]}]
    own = [{"system": f"{CS}/activity", "code": activity}] if activity else []
    agent: Raw = {
        "type": {"coding": [{"system": _PARTICIPANT, "code": "author"}]},
        "who": {"reference": who} if "/" in who else {"display": who},
    }
    raw: Raw = {
        "resourceType": "Provenance",
        "target": [{"reference": f"{reference}/_history/{version}"} for reference, version in targets],
        "recorded": at,
        "activity": {"coding": [*own, *coding]},
        "agent": [agent | ({"onBehalfOf": {"reference": on_behalf_of}} if on_behalf_of else {})],
    }
    if reason:
        raw["reason"] = [{"text": reason}]
    if sources:
        raw["entity"] = [{"role": "source", "what": {"reference": reference}} for reference in sources]
    return raw


def audit_event(target: str, who: str, at: str, *, operation: str, subtype: str | None = None, text: str | None = None) -> Raw:
    """That somebody did this to `target`; `text` says what, and holds no patient data."""
    kinds = [{"system": _REST, "code": operation}]
    own = [{"system": f"{CS}/activity", "code": subtype}] if subtype else []
    raw: Raw = {
        "resourceType": "AuditEvent",
        "type": {"system": _EVENT, "code": "rest", "display": "RESTful Operation"},
        "subtype": [*own, *kinds],
        "action": _ACTION_OF[operation],
        "recorded": at,
        "outcome": "0",
        "agent": [{"who": {"reference": who}, "requestor": True}],
        "source": {"observer": {"identifier": dict(_AUDIT_SOURCE)}},
        "entity": [{"what": {"reference": target}}],
    }
    return raw | ({"outcomeDesc": text} if text else {})
