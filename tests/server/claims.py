"""Claims of a CapabilityStatement and their proofs: what the tests that walk it share."""

import json
from pathlib import Path

LINES = (Path(__file__).parents[2] / "fixtures" / "fhir" / "minimal.ndjson").read_text("utf-8").splitlines()
MINIMAL = {raw["resourceType"]: raw for raw in map(json.loads, LINES)}
"""A resource of each type of R4 with what must be there and no more."""
JSON_PATCH = "application/json-patch+json"


def prove(proofs, fhir, claims):
    """Carry out the proof of each claim. A claim without one fails."""
    unproven = claims.keys() - proofs.keys()
    assert not unproven
    for name, value in claims.items():
        proofs[name](fhir, claims, value)


def done(answer, status=200):
    """The answer, which has this status."""
    assert answer.status_code == status, answer.text
    return answer


def found(fhir, path):
    """What a search finds; that it understood each parameter is told by its self link."""
    body = done(fhir.send("GET", path, Prefer="handling=strict")).json
    [self] = [link["url"] for link in body["link"] if link["relation"] == "self"]
    assert self == f"http://localhost/fhir/{path}"
    return [each["resource"] for each in body.get("entry", ())]
