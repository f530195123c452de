"""`$export` as a client asks for it: from the kick-off to the last byte of the last file, the same for every server."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests

from adapter.fhir.manifest import NDJSON
from adapter.fhir.resource import parse
from tests.bench.figures import Broken

_PATIENCE = 600
# Sooner than servers say: the time of an export is to be measured, not that of waiting. Either says "not yet" by 202 or 429.
_LOOK_SECONDS = 0.1
# HAPI gives an equal export that is under way to who asks again, unless told not to.
_KICK_OFF = {"Accept": "application/fhir+json", "Prefer": "respond-async", "Cache-Control": "no-cache"}


@dataclass(frozen=True)
class Exported:
    """An export. Seconds from the kick-off: `written` until the manifest was there, `seconds` until all was read."""

    written: float
    seconds: float
    bytes: int
    resources: int
    doubled: int
    """How many of the lines tell of a resource that another line tells of too."""


def export(url: str, types: Sequence[str]) -> Exported:
    """Everything of these types, exported and read, file by file. Raises Broken where it does not come to its end."""
    began = time.perf_counter()
    with requests.Session() as session:
        params = {"_type": ",".join(types), "_outputFormat": NDJSON}
        answer = session.get(f"{url}/$export", params=params, headers=_KICK_OFF, timeout=_PATIENCE)
        status = answer.headers.get("Content-Location")
        if answer.status_code != 202 or not status:
            raise Broken(f"$export was answered {answer.status_code}")
        manifest = _manifest(session, status)
        written = time.perf_counter() - began
        files = [_read(session, file["url"]) for file in manifest.get("output", ())]
        seconds = time.perf_counter() - began
        session.delete(status, timeout=_PATIENCE)
    found = [parse(line) for file in files for line in file.splitlines() if line]
    several = {(raw["resourceType"], raw["id"]) for raw in found}
    return Exported(written, seconds, sum(map(len, files)), len(several), len(found) - len(several))


def _manifest(session: requests.Session, status: str) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        answer = session.get(status, headers={"Accept": "application/json"}, timeout=_PATIENCE)
        if answer.status_code == 200:
            return dict(answer.json())
        if answer.status_code not in (202, 429):
            raise Broken(f"the status of an export was answered {answer.status_code}")
        time.sleep(_LOOK_SECONDS)
    raise Broken(f"an export was not done within {_PATIENCE} s")


def _read(session: requests.Session, url: str) -> bytes:
    answer = session.get(url, headers={"Accept": NDJSON, "Accept-Encoding": "identity"}, timeout=_PATIENCE)
    if answer.status_code != 200:
        raise Broken(f"a file of an export was answered {answer.status_code}")
    return answer.content
