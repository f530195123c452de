"""Insurers, what ties people to them, and the answers that one of them gets."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from adapter.access.viewer import Viewer
from adapter.store.sight import sight_of
from adapter.sync.exporting import files
from adapter.sync.exporting.exports import Exports
from server.fhir.messages import Answer, Request
from server.fhir.routes import endpoint

BASE = "http://localhost/fhir"
HL7 = "http://terminology.hl7.org/CodeSystem"
Ask = Callable[..., Answer]


def reader(organisation: str, role: str = "insurer-reader") -> Viewer:
    reference = f"Organization/{organisation}"
    return Viewer(role, frozenset((reference,)), "HPAYMT", reference)


def asks(scene: Any, viewer: Viewer) -> Ask:
    """Asks as this viewer, with what they may see at the moment of asking."""
    answer = endpoint(scene.repository, scene.root)

    def ask(path: str, method: str = "GET", body: Any = None) -> Answer:
        path, _, query = path.removeprefix(f"{BASE}/").partition("?")
        sight = sight_of(scene.repository.database, viewer, scene.repository.clock())
        content = json.dumps(body).encode() if body else b""
        return answer(Request(method, path, BASE, parse_qsl(query), {"prefer": "respond-async"}, content, sight=sight))

    return ask


def named(answer: Answer) -> dict[str, dict[str, Any]]:
    """The resources of a Bundle by Type/id."""
    entries = [entry["resource"] for entry in json.loads(answer.text or "{}").get("entry", ())]
    return {f"{raw['resourceType']}/{raw['id']}": raw for raw in entries}


def exported(scene: Any, begun: Answer) -> dict[str, dict[str, Any]]:
    """The resources of an export by Type/id, when it is written; each is there once."""
    scene.write()
    [export] = [each for each in Exports(scene.repository).all() if each.id in str(begun.location)]
    assert export.finished
    lines = [json.loads(line) for made in export.files if made.kind == "output" for line in files.lines(scene.root, export, made)]
    found = {f"{raw['resourceType']}/{raw['id']}": raw for raw in lines}
    assert len(found) == len(lines)
    return found


def coverage(id: str, payer: str = "ins", status: str = "active", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "id": f"coverage-{id}",
        "status": status,
        "beneficiary": {"reference": f"Patient/{id}"},
        "payor": [{"reference": f"Organization/{payer}"}],
        **more,
    }


def consent(id: str, *recipients: str, status: str = "active", **provision: Any) -> dict[str, Any]:
    """Who agreed that their record is told: to these organisations, or, without any, to whoever asks."""
    role = {"coding": [{"system": f"{HL7}/v3-ParticipationType", "code": "IRCP"}]}
    actors = [{"role": role, "reference": {"reference": f"Organization/{name}"}} for name in recipients]
    opted = {"policyRule": {"coding": [{"system": f"{HL7}/v3-ActCode", "code": "OPTIN"}]}}
    return {
        "resourceType": "Consent",
        "id": f"consent-{id}",
        "status": status,
        "scope": {"coding": [{"system": f"{HL7}/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{id}"},
        **({"provision": {"type": "permit", "actor": actors, **provision}} if recipients else opted),
    }
