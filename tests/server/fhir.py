"""Requests and resources for the server's tests."""

import json
import os
from typing import Any

import hypothesis
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

SYSTEM = "https://hospital.example/mrn"


def fuzzed(examples: int) -> hypothesis.settings:
    """How often what is fuzzed is tried: `examples` times, or as often as CASEBRIDGE_LAW_EXAMPLES says."""
    number = int(os.environ.get("CASEBRIDGE_LAW_EXAMPLES", examples))
    return hypothesis.settings(max_examples=number, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])


class Fhir:
    """Speaks FHIR to the server under test."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def send(self, method: str, path: str = "", body: Any = None, **headers: str) -> TestResponse:
        """The answer; header names are written with underscores."""
        data = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named.setdefault("Content-Type", "application/fhir+json")
        return self.client.open(f"/fhir/{path}", method=method, data=data, headers=named)

    def create(self, body: Any, **headers: str) -> Any:
        answer = self.send("POST", body["resourceType"], body, **headers)
        assert answer.status_code in (200, 201), answer.text
        return answer.json

    def put(self, body: Any, **headers: str) -> TestResponse:
        return self.send("PUT", f"{body['resourceType']}/{body['id']}", body, **headers)

    def ids(self, query: str) -> set[str]:
        """The ids that a search finds, on all its pages."""
        found: list[str] = []
        path: str | None = query
        while path:
            page = self.send("GET", path).json
            assert page["resourceType"] == "Bundle", page
            found += [entry["resource"]["id"] for entry in page.get("entry", []) if entry["search"]["mode"] == "match"]
            path = next((link["url"].partition("/fhir/")[2] for link in page["link"] if link["relation"] == "next"), None)
        assert len(found) == len(set(found))
        return set(found)


def patient(number: str = "1", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": number}],
        "name": [{"family": "Kanarifugl", "given": ["River"]}],
        **more,
    }


def transaction(*entries: dict[str, Any], type: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": type, "entry": list(entries)}


def entry(method: str, url: str, resource: Any = None, *, full_url: str | None = None, **request: str) -> dict[str, Any]:
    found: dict[str, Any] = {"request": {"method": method, "url": url, **request}}
    return found | ({"resource": resource} if resource else {}) | ({"fullUrl": full_url} if full_url else {})


def assert_outcome(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The one issue of an OperationOutcome, which says nothing of what was sent."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/fhir+json"
    body = answer.json
    assert body["resourceType"] == "OperationOutcome"
    [issue] = body["issue"]
    assert (issue["severity"], issue["code"]) == ("error", code)
    assert "kanarifugl" not in answer.text.casefold()
    return issue
