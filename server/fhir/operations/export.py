"""`$export` of everything, of all patients, of the members of a Group: begun here, written by a job. http://hl7.org/fhir/uv/bulkdata/STU2/

What is not known or not done is refused, or, under `Prefer: handling=lenient`, told in an error file of the export.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from adapter.errors import Invalid, Throttled
from adapter.fhir import references
from adapter.fhir.dates import BEGIN, END, span
from adapter.store.cost import Costs
from adapter.store.syntax import plain
from adapter.sync.exporting.asked import PATIENTS, SYSTEM, Asked
from adapter.sync.exporting.cohort import cohort
from adapter.sync.exporting.exports import Exports
from adapter.sync.exporting.eyes import Eyes
from server.fhir import headers
from server.fhir.exports import STATUS
from server.fhir.messages import Answer, Request
from server.fhir.operations.call import Call

MOST = 10
"""Exports that wait or run, of one who asks."""
KEPT = 50
"""Exports that there are, of one who asks: those that are done take up room on the disk for a day."""
_RETRY_SECONDS = 60
_FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
_ASSOCIATED = "RelevantProvenanceResources"
_QUERY = re.compile(r"[A-Z][A-Za-z]*\?")


def run(call: Call) -> Answer:
    """202, and where to ask how far the export is. Raises Invalid, NotFound, and Throttled where this asker has too many."""
    return begin(call, asked(call))


def begin(call: Call, asked: Asked) -> Answer:
    """The answer to who asks for this export. Raises as `run` does."""
    request = call.request
    if headers.prefer(request, "respond-async") is None:
        raise Invalid("An export takes its time, so it is asked for with the header Prefer: respond-async.")
    asked.check(request.costs or Costs(call.repository.database), call.repository.clock)
    # As the job will see it: what is seen by a broken glass alone would be accepted here and not be done.
    eyes = _eyes(request)
    cohort(asked, eyes.on(call.repository.whole) if eyes else call.repository)
    exports = Exports(call.repository)
    if exports.waiting(request.owner) >= MOST:
        raise Throttled(f"{MOST} exports are not done yet; ask again when one of them is.", retry_after=_RETRY_SECONDS)
    if exports.kept(request.owner) >= KEPT:
        raise Throttled(
            f"{KEPT} exports are kept; DELETE those that are read, at the addresses of their status.", retry_after=_RETRY_SECONDS
        )
    return Answer(202, location=f"{STATUS}/{exports.begin(asked, request.owner, eyes).id}")


def _eyes(request: Request) -> Eyes | None:
    # The glass is broken for an hour, and an export may take longer.
    return Eyes(replace(request.sight.viewer, glass=frozenset()), request.sight.site) if request.sight else None


def asked(call: Call) -> Asked:
    """What is asked for. Raises Invalid."""
    inputs, request = call.inputs, call.request
    lenient = (headers.prefer(request, "handling") or request.handling) == "lenient"
    format = str(inputs.one("_outputFormat") or "ndjson").replace(" ", "+")
    if format not in _FORMATS:
        raise Invalid("An export's _outputFormat is application/fhir+ndjson.", expression=["_outputFormat"])
    if inputs.all("patient") and request.method != "POST":
        raise Invalid("Patients are named in a body, by POST: an address may be written down anywhere.", expression=["patient"])
    associated = inputs.all("includeAssociatedData")
    undone = [f"includeAssociatedData={plain(value)}" for value in associated if value != _ASSOCIATED]
    if undone and not lenient:
        raise Invalid(f"Of associated data {_ASSOCIATED} are exported, and no other.", expression=["includeAssociatedData"])
    address = f"{request.base}/{request.path.strip('/')}"
    return Asked(
        level=_level(call),
        request=f"{address}?{urlencode(request.params)}" if request.params else address,
        types=tuple(dict.fromkeys(inputs.all("_type"))),
        since=_moment(inputs.one("_since"), 0, BEGIN),
        until=_moment(inputs.one("_until"), 1, END),
        filters=tuple(_queries(inputs.all("_typeFilter"))),
        elements=",".join(inputs.all("_elements")),
        patients=tuple(_patient(reference) for reference in inputs.all("patient")),
        provenance=_ASSOCIATED in associated,
        notes=tuple(f"This was left out: {name}." for name in dict.fromkeys([*inputs.ignored, *undone])),
    )


def _level(call: Call) -> str:
    return f"{call.type}/{call.id}" if call.id else PATIENTS if call.type else SYSTEM


def _moment(text: Any, end: int, default: Any) -> Any:
    found = span(text) if text else None
    return found[end] if found else default


def _queries(parts: Iterable[str]) -> list[str]:
    """The searches, whole again where a comma inside of one was taken for one between two."""
    found: list[str] = []
    for part in parts:
        if _QUERY.match(part):
            found.append(part)
        elif found:
            found[-1] += f",{part}"
        else:
            raise Invalid("A _typeFilter is a search, such as Observation?status=final.", expression=["_typeFilter"])
    return found


def _patient(reference: dict[str, Any]) -> str:
    found = references.split(str(reference.get("reference")))
    if found is None or found[0] != "Patient":
        raise Invalid("Each patient is a reference to one, such as Patient/1.", expression=["patient"])
    return found[1]
