"""What an access leaves behind: an AuditEvent, made of facts alone. http://hl7.org/fhir/R4/auditevent.html

Its codes are R4's (CC0) and those of DICOM PS3.16 (http://dicom.nema.org/resources/ontology/DCM); the name of the interaction, as logs have
it, is a code of ours beside them.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from adapter.config import BASE, CS
from adapter.fhir.resource import Raw

TYPE = "AuditEvent"
INTERACTION = f"{CS}/interaction"
CLIENT, USER = f"{BASE}/NamingSystem/client", f"{BASE}/NamingSystem/user"
"""What a program and a person are known by here, where they are nobody in the record."""
POLICY = f"{BASE}/policy"
DONE, REFUSED, FAILED = "0", "4", "8"
"""Outcomes: http://hl7.org/fhir/R4/valueset-audit-event-outcome.html"""
CREATED, UPDATED, DELETED = "C", "U", "D"
"""Actions that change the record: http://hl7.org/fhir/R4/valueset-audit-event-action.html"""
TOLD, COUNT, RULE, FIRST = "told", "count", "rule", "first"
"""Details of what was told: the resources, as `Type/id` with space between; how many; the rule by which; and where one AuditEvent cannot
name all whom an access is about, in the others the first, which has the query and the resources."""
BREAK_THE_GLASS = "BTG"
"""The purpose of who looks where they have no tie, in an emergency: a code of v3-ActReason."""

_SITE = {"system": f"{BASE}/NamingSystem/site", "value": "casebridge"}
_HL7 = "http://terminology.hl7.org/CodeSystem"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_REST = "http://hl7.org/fhir/restful-interaction"
_SERVER = {"system": f"{_HL7}/security-source-type", "code": "4", "display": "Application Server"}
_PROGRAM = {"coding": [{"system": _DICOM, "code": "110150", "display": "Application"}]}
_PERSON = {"coding": [{"system": f"{_HL7}/extra-security-role-type", "code": "humanuser", "display": "human user"}]}
_RECIPIENT = {"coding": [{"system": f"{_HL7}/v3-ParticipationType", "code": "IRCP", "display": "information recipient"}]}
_IP_ADDRESS = "2"

# Type and subtype by interaction, where it is none of REST; then what is done: http://hl7.org/fhir/R4/valueset-audit-event-action.html
_LOGIN, _EXPORT = ("110114", "User Authentication"), ("110106", "Export")
_OTHERS: Mapping[str, tuple[tuple[str, str], tuple[str, str] | None]] = MappingProxyType(
    {
        "login": (_LOGIN, ("110122", "Login")),
        "logout": (_LOGIN, ("110123", "Logout")),
        **dict.fromkeys(("token", "introspect", "revoke"), (_LOGIN, None)),
        "export-file": (_EXPORT, None),
        "export-written": (_EXPORT, None),
        "notification": (_EXPORT, None),
        "backup": (_EXPORT, None),
        "restore": (("110107", "Import"), None),
        "break-glass": (("110113", "Security Alert"), ("110127", "Emergency Override Started")),
        "mend-glass": (("110113", "Security Alert"), ("110138", "Emergency Override Stopped")),
    }
)
_READ = "R"
_ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("read", "vread", "history-instance", "history-type", "history-system", "export-file", "notification"), _READ),
        **dict.fromkeys(("create", "export-written"), CREATED),
        **dict.fromkeys(("update", "patch"), UPDATED),
        "delete": DELETED,
    }
)
_OF_REST = frozenset({"read", "vread", "update", "patch", "delete", "history-instance", "history-type", "history-system", "create"}) | {
    "search-type",
    "search-system",
    "transaction",
}


@dataclass(frozen=True)
class Asker:
    """Who asks. References are local, such as `Organization/north`."""

    client: str | None = None
    """The id of the program."""
    user: str | None = None
    """The name by which a person is let in."""
    reference: str | None = None
    """Whom the person is in the record."""
    organisation: str | None = None
    """On whose behalf."""
    role: str | None = None
    address: str | None = None
    """From where: of the network."""
    purpose: str | None = None
    """Why they ask: a code of v3-ActReason."""


@dataclass(frozen=True)
class Told:
    """What an answer told: the resources as `Type/id`, how many there are, the part of a query that was answered by them."""

    resources: Sequence[str] = ()
    count: int | None = None
    rule: str | None = None
    """By which rule they may be seen, such as `insurer-reader: payor, opt-in`."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else is worth knowing, by name."""


_NOTHING = Told()


def audit_event(
    interaction: str,
    by: Asker,
    at: str,
    *,
    outcome: str = DONE,
    said: str | None = None,
    patients: Sequence[str] = (),
    targets: Sequence[str] = (),
    query: str | None = None,
    told: Told = _NOTHING,
    purpose: str | None = None,
    reads: bool = False,
    writes: str | None = None,
) -> Raw:
    """The AuditEvent of an interaction: one of REST, an operation such as `$everything`, or one of the site's own, such as `login`.

    `at` is an instant. `said` says why it was refused and holds no patient data; `patients` are whom it is about, `targets` what it asks
    for or writes, all as `Type/id`, with `/_history/version` where known; `query` is what was asked. `purpose` is another than the asker's,
    such as BREAK_THE_GLASS. `reads`: whatever it is called, it wrote nothing, and told what is there; `writes`: it tells of
    nothing but changes, which are CREATED, UPDATED or DELETED.
    """
    type, subtypes = _kind(interaction)
    reason = purpose or by.purpose
    entities = [
        *({"what": {"reference": each}, "type": _of_type("1", "Person"), "role": _in_role("1", "Patient")} for each in patients),
        *({"what": {"reference": each}, **_OBJECT, "role": _in_role("4", "Domain Resource")} for each in targets),
        *([{**_OBJECT, "role": _in_role("24", "Query"), "query": base64.b64encode(query.encode()).decode()}] if query else []),
        *([{**_OBJECT, "detail": details}] if (details := _details(told)) else []),
    ]
    return {
        "resourceType": TYPE,
        "type": type,
        "subtype": subtypes,
        "action": writes or (_READ if reads and _ACTIONS.get(interaction) in (CREATED, UPDATED) else _ACTIONS.get(interaction, "E")),
        "recorded": at,
        "outcome": outcome,
        **({"outcomeDesc": said} if said else {}),
        **({"purposeOfEvent": [{"coding": [{"system": f"{_HL7}/v3-ActReason", "code": reason}]}]} if reason else {}),
        "agent": _agents(by),
        "source": {"observer": {"identifier": dict(_SITE)}, "type": [_SERVER]},
        **({"entity": entities} if entities else {}),
    }


def _of_type(code: str, display: str) -> Raw:
    return {"system": f"{_HL7}/audit-entity-type", "code": code, "display": display}


def _in_role(code: str, display: str) -> Raw:
    return {"system": f"{_HL7}/object-role", "code": code, "display": display}


_OBJECT = {"type": _of_type("2", "System Object")}


def _kind(interaction: str) -> tuple[Raw, list[Raw]]:
    own = {"system": INTERACTION, "code": interaction}
    if interaction in _OTHERS:
        (code, display), inner = _OTHERS[interaction]
        further = [{"system": _DICOM, "code": inner[0], "display": inner[1]}] if inner else []
        return {"system": _DICOM, "code": code, "display": display}, [*further, own]
    rest = {"system": f"{_HL7}/audit-event-type", "code": "rest", "display": "RESTful Operation"}
    if interaction in _OF_REST:
        return rest, [{"system": _REST, "code": interaction}]
    return rest, [*([{"system": _REST, "code": "operation"}] if interaction.startswith("$") else []), own]


def _agents(by: Asker) -> list[Raw]:
    """Who asks first: the person, else the program; then the program that the person uses, and on whose behalf they ask."""
    person = {"type": _PERSON, **_who(by.reference, USER, by.user), **({"altId": by.user} if by.user else {})}
    program = {"type": _PROGRAM, **_who(None, CLIENT, by.client)}
    first = {**(person if by.user or by.reference else program), "requestor": True, **_standing(by)}
    behind = [{**program, "requestor": False}] if by.client and (by.user or by.reference) else []
    if by.organisation:
        behind.append({"type": _RECIPIENT, "who": {"reference": by.organisation}, "requestor": False})
    return [first, *behind]


def _who(reference: str | None, system: str, name: str | None) -> Raw:
    if reference:
        return {"who": {"reference": reference}}
    return {"who": {"identifier": {"system": system, "value": name}}} if name else {}


def _standing(by: Asker) -> Raw:
    """By which policy somebody asks, and from where."""
    role = {"role": [{"coding": [{"system": f"{CS}/role", "code": by.role}]}], "policy": [f"{POLICY}/{by.role}"]} if by.role else {}
    return {**role, **({"network": {"address": by.address, "type": _IP_ADDRESS}} if by.address else {})}


def _details(told: Told) -> list[Raw]:
    said = {RULE: told.rule, COUNT: None if told.count is None else str(told.count), TOLD: " ".join(told.resources), **told.facts}
    return [{"type": name, "valueString": text} for name, text in said.items() if text]
