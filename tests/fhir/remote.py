"""A made-up remote for one test: what it answers, without a server. Faults only; how a real server answers is in the recordings."""

import json
from typing import Any

import responses

from adapter.fhir.resource import Raw

Remote = responses.RequestsMock

BASE = "https://ehr.example/fhir"
FHIR = "application/fhir+json"
PATIENT: Raw = {"resourceType": "Patient", "id": "1", "meta": {"versionId": "3"}, "name": [{"family": "Kanarifugl"}]}
OUTCOME: Raw = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "invalid", "diagnostics": "Kanarifugl is no name", "expression": ["Patient.name[0].family"]}],
}


def searchset(*resources: Raw, next: str | None = None, **more: Any) -> Raw:
    """A page of matches, with a next link if asked."""
    link = [{"relation": "next", "url": next}] if next else []
    entry = [{"fullUrl": f"{BASE}/{r['resourceType']}/{r.get('id')}", "resource": r, "search": {"mode": "match"}} for r in resources]
    meta = {"lastUpdated": "2025-04-22T09:00:00-04:00"}
    return {"resourceType": "Bundle", "type": "searchset", "meta": meta, "link": link, "entry": entry, **more}


def add(remote: Remote, method: str, path: str, body: Raw | str | Exception, status: int = 200, **more: Any) -> responses.BaseResponse:
    """Let the remote answer a request to a path below the base URL, or to a whole URL."""
    text = json.dumps(body) if isinstance(body, dict) else body
    more.setdefault("content_type", FHIR)
    return remote.add(method, path if path.startswith("http") else f"{BASE}/{path}", body=text, status=status, **more)
