"""The first load of a server: transactions of a hundred resources under their own ids, one after the other."""

import time
from collections.abc import Sequence

import requests

from adapter.fhir.resource import Raw, dumps, parse
from tests.bench.figures import Broken

ENTRIES = 100
_HEADERS = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json", "Prefer": "return=minimal"}
_PATIENCE = 600


def transactions(resources: Sequence[Raw]) -> list[bytes]:
    """The Bundles, as they go over the wire."""
    return [_bundle(resources[start : start + ENTRIES]) for start in range(0, len(resources), ENTRIES)]


def load(url: str, bodies: Sequence[bytes]) -> float:
    """The seconds it took. Raises Broken where one is refused."""
    began = time.perf_counter()
    with requests.Session() as session:
        for number, body in enumerate(bodies):
            answer = session.post(url, data=body, headers=_HEADERS, timeout=_PATIENCE)
            if answer.status_code != 200:
                issues = parse(answer.content).get("issue", ()) if answer.content else ()
                codes = [issue.get("code") for issue in issues]
                raise Broken(f"transaction {number} was answered {answer.status_code} ({codes}), so nothing can be compared")
    return time.perf_counter() - began


def _bundle(resources: Sequence[Raw]) -> bytes:
    entries = [{"resource": raw, "request": {"method": "PUT", "url": f"{raw['resourceType']}/{raw['id']}"}} for raw in resources]
    return dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()
