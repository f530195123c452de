"""The manifest of a bulk export, in both directions. http://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from adapter.clock import instant
from adapter.errors import Invalid, RemoteFatal
from adapter.fhir.resource import Raw, resource_type

NDJSON = "application/fhir+ndjson"
OUTPUT, DELETED, ERROR = KINDS = ("output", "deleted", "error")
"""The lists of files that a manifest has."""


@dataclass(frozen=True)
class File:
    """One file of an export. `count` is how many lines it is said to have, None where that is not said."""

    type: str
    url: str
    count: int | None


@dataclass(frozen=True)
class Manifest:
    """What an export came to: what the remote had at `time`, by its own clock. `raw` is the manifest as received."""

    time: datetime
    token: bool
    """Whether the files are to be asked for with our credentials."""
    output: tuple[File, ...]
    deleted: tuple[File, ...]
    errors: tuple[File, ...]
    raw: Raw


def manifest(raw: Raw) -> Manifest:
    """The manifest of an export that is done. Raises RemoteFatal for what is none."""
    try:
        time = datetime.fromisoformat(raw["transactionTime"]).astimezone(UTC)
        output, deleted, errors = (tuple(map(_file, raw.get(kind) or ())) for kind in KINDS)
        links = [link["relation"] for link in raw.get("link") or ()]
    except (Invalid, KeyError, TypeError, ValueError, AttributeError):
        raise RemoteFatal("The remote's export ended without a manifest that can be read.") from None
    if "next" in links:
        raise RemoteFatal("The remote gives its export's manifest in parts, which we did not ask for and do not read.")
    return Manifest(time, raw.get("requiresAccessToken") is not False, output, deleted, errors, raw)


def _file(raw: Raw) -> File:
    count = raw.get("count")
    return File(resource_type({"resourceType": raw["type"]}), str(raw["url"]), count if type(count) is int else None)


def written(time: datetime, request: str, files: Iterable[tuple[str, File]], *, token: bool) -> Raw:
    """The manifest of an export made here, which `request` asked for; its files come with their kinds, one of KINDS."""
    listed: dict[str, list[Raw]] = {kind: [] for kind in KINDS}
    for kind, file in files:
        counted = {} if file.count is None else {"count": file.count}
        listed[kind].append({"type": file.type, "url": file.url, **counted})
    return {"transactionTime": instant(time), "request": request, "requiresAccessToken": token, **listed}
