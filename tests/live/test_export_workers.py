"""An export that the server is asked for is written by workers; one is killed in the midst, and another goes on behind its last piece."""

import json
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests

from adapter.clock import utc_now
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.exporting.exports import Export, Exports

from .test_workers import PATIENCE, holders, redis_url, start, until  # noqa: F401

SIZE = 6000
ASYNC = {"Prefer": "respond-async"}


def filled(repository: Repository) -> set[tuple[str, str]]:
    """Much about a few people, made an hour ago, so that it is told in order of change."""
    kept = [("Patient", f"p-{number}") for number in range(100)] + [("Observation", f"o-{number}") for number in range(SIZE)]
    for at in range(0, len(kept), 200):
        repository.commit([Change(type, id, resource(type, id), 0) for type, id in kept[at : at + 200]])
    return set(kept)


def resource(type: str, id: str) -> dict[str, Any]:
    if type == "Patient":
        return {"resourceType": type, "name": [{"family": "Kanarifugl"}]}
    subject = {"reference": f"Patient/p-{int(id[2:]) % 100}"}
    return {"resourceType": type, "status": "final", "code": {"text": "Kanarifugl"}, "subject": subject}


def test_an_export_is_written_by_workers_of_whom_one_is_killed(
    database: Any,
    start: Callable[..., subprocess.Popen[str]],  # noqa: F811
    tmp_path: Path,
) -> None:
    kept = filled(Repository(database, lambda: utc_now() - timedelta(hours=1)))
    repository, shared = Repository(database), {"CASEBRIDGE_EXPORTS": str(tmp_path / "exports")}
    crowd = [start("worker", **shared) for _ in range(2)]
    for worker in crowd:
        assert worker.stderr
        assert worker.stderr.readline() == "Working. Ctrl-C stops it.\n"
    server = start("serve", "--no-auth", "--port", "0", **shared)
    assert server.stderr
    address = next(found for line in iter(server.stderr.readline, "") if (found := re.search(r"http://127\.0\.0\.1:\d+/fhir", line)))
    begun = requests.get(f"{address[0]}/$export", headers=ASYNC, timeout=PATIENCE)
    assert begun.status_code == 202

    def export() -> Export:
        [only] = Exports(repository).all()
        return only

    until(lambda: 0 < export().done < export().total)
    by = {worker.pid: worker for worker in crowd}
    killed = by.pop(holders(repository)[export().job])
    killed.kill()
    assert killed.wait(PATIENCE) == -signal.SIGKILL
    left = export()
    assert left.finished is None
    until(lambda: export().turn != left.turn)
    assert holders(repository).get(left.job) in {*by, None}, "who goes on is the other worker, never the server"
    until(lambda: export().finished)
    assert export().done >= left.done > 0
    status = requests.get(begun.headers["Content-Location"], timeout=PATIENCE)
    assert status.status_code == 200
    texts = [requests.get(file["url"], timeout=PATIENCE).text for file in status.json()["output"]]
    held = Counter((raw["resourceType"], raw["id"]) for text in texts for raw in map(json.loads, text.splitlines()))
    assert {key: held[key] for key in kept} == dict.fromkeys(kept, 1)
    assert len({made.name.rpartition("-")[2] for made in export().files}) == 2, "each wrote into files of its own"
