"""What it costs that a reader sees some patients only: the same questions with everything in sight, and by the insurer of half of them.

First what is asked of the store alone, then whole requests as a server answers them that asks who its callers are and writes each down.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl
from uuid import uuid4

import psutil

from adapter.access.viewer import Viewer
from adapter.clock import utc_now
from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.fhir.resource import Raw
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.sight import Sight, sight_of
from server import create_app
from server.auth.gate import Gate
from server.auth.principal import Principal
from server.fhir.messages import Request
from server.fhir.routes import endpoint
from tests.bench.figures import Figure, Report
from tests.bench.sides import Store, cpu, store, store_cpu

PATIENTS = int(os.environ.get("CASEBRIDGE_BENCH_PATIENTS", "2000"))
GOAL = 1.3
_ASKED = 150
_BATCH = 250
_NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_READER = Viewer("insurer-reader", frozenset(("Organization/i0",)), "HPAYMT")
_CLIENT = Principal("bench", "insurer-reader", "system/*.rs", organisation="Organization/i0")
Ask = Callable[[str], str]
"""A path below the base, with its query, to the text of the answer."""
_ASKS: dict[str, tuple[Callable[[int], str], int]] = {
    "CarePlan?patient=…&status=active": (lambda number: f"CarePlan?patient=p{2 * number}&status=active", _ASKED),
    "CarePlan/…": (lambda number: f"CarePlan/a{2 * number}", _ASKED),
    "CarePlan?status=active, a page of 50": (lambda number: "CarePlan?status=active", 5),
    "CarePlan?status=active&_summary=count": (lambda number: "CarePlan?status=active&_summary=count", 5),
}


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """Each round asks everything in all ways; CPU time of this process and the store's, so that others on the machine bear on neither."""
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {(way, name): [] for way in ("", "served: ") for name in _ASKS}
    faults: set[str] = set()
    with store() as client, TemporaryDirectory() as folder:
        repository = Repository(client[f"bench_{uuid4().hex}"], lambda: _NOW)
        say(f"sight: {PATIENTS:,} patients are made")
        changes = [Change(raw["resourceType"], raw["id"], raw, 0) for raw in _resources()]
        for start in range(0, len(changes), _BATCH):
            repository.commit(changes[start : start + _BATCH])
        ways = {"": _bare(repository, Path(folder)), "served: ": _served(repository, Path(folder))}
        for turn in range(rounds + 1):
            say(f"sight: round {turn}")
            for (way, name), found in taken.items():
                whole, some = (_asked(client, ask, name, faults) for ask in ways[way])
                if turn:
                    found.append((whole, some))
    figures = []
    for (way, name), found in taken.items():
        figures.append(Figure(f"{way}{name}, everything in sight", "ms", [whole for whole, _ in found]))
        goal = GOAL if not way and name.startswith("CarePlan?patient") else None
        figures.append(Figure("to that, seen by an insurer", "times", [some / whole for whole, some in found], goal))
    what = f"{PATIENTS:,} patients of two insurers, a coverage, a consent and two plans each; CPU time of a question, ours and the store's"
    return [Report("What limited sight costs", what, figures, sorted(faults))]


def _bare(repository: Repository, folder: Path) -> tuple[Ask, Ask]:
    """How everything is asked, and what an insurer sees, of the FHIR endpoint alone."""
    answer = endpoint(repository, folder)

    def asking(sight: Callable[[], Sight | None]) -> Ask:
        def ask(path: str) -> str:
            place, _, query = path.partition("?")
            return answer(Request("GET", place, "http://bench/fhir", parse_qsl(query), sight=sight())).text or ""

        return ask

    return asking(lambda: None), asking(lambda: sight_of(repository.database, _READER, _NOW))


def _served(repository: Repository, folder: Path) -> tuple[Ask, Ask]:
    """The same of a server, by a client's token: one that does not ask whose patients they are, and one that does."""
    keys = Keys(folder / "issuer")
    keys.make("ES384", utc_now())

    def asking(limited: bool) -> Ask:
        gate = Gate(repository, keys, fetch, limited=limited)
        app, token = create_app(repository, exports=folder, gate=gate), gate.registers.tokens.issue(_CLIENT)
        headers = {"Authorization": f"Bearer {token}"}
        return lambda path: app.test_client().get(f"/fhir/{path}", headers=headers).text

    return asking(False), asking(True)


def _asked(client: Store, ask: Ask, name: str, faults: set[str]) -> float:
    """CPU milliseconds of a question."""
    path, times = _ASKS[name]
    own = psutil.Process()
    before = cpu(own) + store_cpu(client)
    for number in range(times):
        told = ask(path(number))
        if '"total":0' in told or '"OperationOutcome"' in told:
            faults.add(f"{name} finds nothing")
    return (cpu(own) + store_cpu(client) - before) * 1000 / times


def _resources() -> Iterator[Raw]:
    for number in range(PATIENTS):
        patient, insurer = {"reference": f"Patient/p{number}"}, {"reference": f"Organization/i{number % 2}"}
        yield {"resourceType": "Patient", "id": f"p{number}"}
        yield {"resourceType": "Coverage", "id": f"c{number}", "status": "active", "beneficiary": patient, "payor": [insurer]}
        scope = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
        role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
        provision = {"type": "permit", "actor": [{"role": role, "reference": insurer}]}
        yield {
            "resourceType": "Consent",
            "id": f"k{number}",
            "status": "active",
            "scope": scope,
            "patient": patient,
            "provision": provision,
        }
        for lead, status in (("a", "active"), ("b", "completed")):
            yield {"resourceType": "CarePlan", "id": f"{lead}{number}", "status": status, "intent": "plan", "subject": patient}
