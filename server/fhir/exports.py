"""An export that was asked for: how far it is, what it came to, its files, its end.

http://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-status-request; `operations/export.py` begins one.
"""

import re
import time
from pathlib import Path

from adapter.errors import NotFound, Throttled, WorkFailed
from adapter.fhir.manifest import NDJSON, File, written
from adapter.fhir.resource import dumps
from adapter.store.repository import Repository
from adapter.sync.exporting import files
from adapter.sync.exporting.exports import LIFE, Export, Exports
from server.fhir.headers import http_date
from server.fhir.messages import Answer, Request
from server.reply import Stream

STATUS, FILE = "$export-status", "$export-file"
"""The first segments of the addresses."""
# Seconds after which a caller is to look again: a tenth of the time so far, within these.
_SOONEST, _LATEST = 1, 30
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})", re.ASCII)


class Served:
    """The exports whose files are below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._due: dict[str, float] = {}
        """When each may be asked about again, by this process' clock."""

    def status(self, request: Request, repository: Repository, export: str) -> Answer:
        """How far an export is (202), or what it came to (200). Raises NotFound, Throttled, and WorkFailed for one that cannot be done."""
        exports = Exports(repository)
        found = exports.find(export, request.owner)
        if found.finished is None:
            if failure := exports.failure(found):
                raise WorkFailed(f"The export was not done: {failure}")
            return self._running(found, repository)
        self._due.pop(export, None)
        listed = [(made.kind, File(made.type, f"{request.base}/{FILE}/{export}/{made.name}", made.count)) for made in found.files]
        told = written(found.time, found.asked.request, listed, token=found.owner is not None)
        expires = http_date(found.finished + LIFE)
        return Answer(200, dumps(told), headers={"Content-Type": "application/json", "Expires": expires})

    def _running(self, export: Export, repository: Repository) -> Answer:
        now = time.monotonic()
        if now < self._due.get(export.id, now):
            raise Throttled("The export was asked about sooner than it said.", retry_after=int(self._due[export.id] - now) + 1)
        elapsed = (repository.clock() - export.begun).total_seconds()
        wait = min(_LATEST, max(_SOONEST, int(elapsed / 10)))
        self._due[export.id] = now + wait
        percent = 100 * export.done // export.total if export.total else 0
        progress = f"{percent} % ({export.done} of {export.total} resources looked at)" if export.steps else "waiting to begin"
        return Answer(202, headers={"X-Progress": progress, "Retry-After": str(wait)})

    def cancel(self, request: Request, repository: Repository, export: str) -> Answer:
        """End an export, done or not; its files can be read no more. Raises NotFound."""
        exports = Exports(repository)
        exports.end(exports.find(export, request.owner))
        self._due.pop(export, None)
        return Answer(202)

    def file(self, request: Request, repository: Repository, export: str, name: str) -> Answer:
        """A file of an export that is done, or the part of it that a Range of bytes asks for. Raises NotFound."""
        found = Exports(repository).find(export, request.owner)
        made = next((made for made in found.files if made.name == name and found.finished), None)
        if made is None:
            raise NotFound("There is no such file of this export.")
        headers = {"Content-Type": NDJSON, "Accept-Ranges": "bytes"}
        # A file never changes and has no ETag, so an If-Range can be about no file of ours.
        part = _part(request.header("range"), made.bytes) if request.header("if-range") is None else None
        if part is None:
            return Answer(200, headers=headers, stream=Stream(files.read(self._root, found, made), made.bytes))
        start, end = part
        if start >= end:
            return Answer(416, headers={"Content-Range": f"bytes */{made.bytes}"})
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{made.bytes}"
        pieces = files.read(self._root, found, made, start, end)
        around = files.around(self._root, found, made, start, end)
        return Answer(206, headers=headers, stream=Stream(pieces, end - start, around))


def _part(asked: str | None, size: int) -> tuple[int, int] | None:
    """From which byte, up to and without which other, a Range asks; None where it asks for all, or in a way that may be left unheeded.

    https://www.rfc-editor.org/rfc/rfc9110#section-14.1.2
    """
    found = _RANGE.fullmatch(asked.strip()) if asked else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size
