"""FHIR resources from files, one by one with their places, and into the store: valid ones kept whole, bad ones named.

Read are `.json` (a resource, or a Bundle of any kind), `.ndjson` (one JSON object a line), both also `.gz` and `.zst`, and folders of them.
NDJSON of any size is read in bounded memory: a line at a time, and a line over the limit is passed over without being held.
"""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import IO, Any

import zstandard

from adapter.errors import Invalid, NotFound, TooLarge, VersionConflict
from adapter.fhir.references import rewrite
from adapter.fhir.resource import Raw, check_structure, content_hash, parse, resource_type
from adapter.mapping.registry import mapping_for
from adapter.store.documents import Change, Stored
from adapter.store.repository import Repository
from adapter.store.search_parameters import parameters

MB = 1024 * 1024
LIMIT = 64 * MB
"""The longest JSON text that is read: a line of NDJSON, or a whole .json file. MongoDB keeps 16 MB of it per resource."""
BATCH = 200
"""Resources per transaction."""
ATOMIC_LIMIT = 5000
"""Resources that one transaction may hold: MongoDB gives a transaction 60 s, and all of them are in memory until then."""

_ENDINGS = re.compile(r"\.(json|ndjson|jsonl)(\.gz|\.zst)?", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_UUID = re.compile(r"urn:uuid:([0-9a-fA-F-]{36})")
# A code element's table is total, so what is not in it is not FHIR; other problems are only ours (a form that the record has no room for).
_UNKNOWN_CODE = "A code is not in the table"
# What reading a damaged or cut-off compressed file raises.
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
_ATTEMPTS = 6

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Place:
    """Where something stands: a file, its line (of NDJSON, from 1), and the path within a Bundle."""

    file: str
    line: int | None = None
    path: str = ""

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}{f' {self.path}' if self.path else ''}"


@dataclass(frozen=True)
class Item:
    """A resource of a file, or why there is none: exactly one of `raw` and `fault` is set."""

    place: Place
    raw: Raw | None = None
    fault: str = ""


@dataclass(frozen=True)
class Bad:
    """What was not imported: where, and the reason, never a value."""

    place: Place
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"file": self.place.file, "line": self.place.line, "path": self.place.path, "reason": self.reason}


@dataclass
class Loaded:
    """What became of the resources of an import, by type, and those that were refused."""

    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    bad: list[Bad] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON data."""
        counts = {name: dict(sorted(getattr(self, name).items())) for name in ("created", "updated", "unchanged")}
        return {**counts, "bad": [bad.to_json() for bad in self.bad]}


def files(paths: Iterable[Path]) -> list[Path]:
    """The files that the paths mean, folders looked through. Raises Invalid for a path that does not exist, or a folder without any."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise Invalid(f"There is no file or folder {path}.")
        inside = sorted(inner for inner in path.rglob("*") if _ending(inner)) if path.is_dir() else [path]
        if not inside:
            raise Invalid(f"The folder {path} has no .json or .ndjson file (also .gz, .zst).")
        found += inside
    return found


def _ending(path: Path) -> tuple[str, str] | None:
    found = _ENDINGS.fullmatch("".join(path.suffixes[-2:])) or _ENDINGS.fullmatch(path.suffix)
    return (found[1].lower(), (found[2] or "").lower()) if found else None


def resources(path: Path, *, limit: int = LIMIT) -> Iterator[Item]:
    """The resources of one file in its order, those of a Bundle one by one with their references resolved. Never raises on content."""
    ending = _ending(path)
    if ending is None:
        yield Item(Place(str(path)), fault="is neither .json nor .ndjson (also .gz, .zst)")
        return
    try:
        with path.open("rb") as file:
            stream = _unpacked(file, ending[1])
            texts = _whole(path, stream, limit) if ending[0] == "json" else _lines(path, stream, limit)
            for text in texts:
                yield from [text] if isinstance(text, Item) else _parsed(*text)
    except _DAMAGED:
        yield Item(Place(str(path)), fault="the compressed file is damaged or cut off; what comes before was read")
    except OSError as error:
        yield Item(Place(str(path)), fault=f"cannot be read: {error.strerror}")


def _unpacked(file: IO[bytes], packing: str) -> IO[bytes]:
    if packing == ".gz":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if packing == ".zst":
        return BufferedReader(zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True), MB)
    return file


def _whole(path: Path, stream: IO[bytes], limit: int) -> Iterator[Item | tuple[Place, bytes]]:
    text = stream.read(limit + 1)
    if len(text) > limit:
        fault = f"is over {limit // MB} MB, the limit for one JSON text; as .ndjson, one resource a line, a file may have any size"
        yield Item(Place(str(path)), fault=fault)
    else:
        yield Place(str(path)), text.removeprefix(b"\xef\xbb\xbf")


def _lines(path: Path, stream: IO[bytes], limit: int) -> Iterator[Item | tuple[Place, bytes]]:
    number = 0
    while line := stream.readline(limit + 1):
        number += 1
        place = Place(str(path), number)
        if len(line) > limit and not line.endswith(b"\n"):
            while (rest := stream.readline(MB)) and not rest.endswith(b"\n"):
                pass
            yield Item(place, fault=f"the line is over the limit of {limit // MB} MB")
        elif line.strip(b"\xef\xbb\xbf \t\r\n"):
            yield place, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _parsed(place: Place, text: bytes) -> Iterator[Item]:
    try:
        raw = parse(text)
        type = resource_type(raw)
    except Invalid as error:
        yield Item(place, fault=error.text)
        return
    if type == "Bundle":
        yield from _entries(place, raw)
    else:
        yield Item(place, raw)


def _entries(place: Place, bundle: Raw) -> Iterator[Item]:
    """The resources in a Bundle; references to a fullUrl of it become Type/id."""
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        yield Item(replace(place, path="Bundle.entry"), fault="is not a list")
        return
    named = {url: f"{raw.get('resourceType')}/{raw['id']}" for raw, url in map(_identified, entries) if url and raw and "id" in raw}
    for position, entry in enumerate(entries):
        here = replace(place, path=f"Bundle.entry[{position}]")
        raw, _ = _identified(entry)
        if raw is None:
            if fault := _without_resource(entry):
                yield Item(here, fault=fault)
        elif raw.get("resourceType") != "OperationOutcome" or (entry.get("search") or {}).get("mode") != "outcome":
            yield Item(here, rewrite(raw, lambda reference: named.get(reference, reference)))


def _identified(entry: Any) -> tuple[Raw | None, str | None]:
    """An entry's resource and its fullUrl. A resource without an id that is known by a urn:uuid gets that for its id."""
    raw = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(raw, dict):
        return None, None
    url = entry.get("fullUrl")
    made = _UUID.fullmatch(url) if isinstance(url, str) else None
    return ({**raw, "id": made[1].lower()} if made and "id" not in raw else raw), url if isinstance(url, str) else None


def _without_resource(entry: Any) -> str:
    """Why an entry without a resource is bad; empty for one that only answers a request."""
    if not isinstance(entry, dict):
        return "is not an object"
    if isinstance(entry.get("request"), dict) and entry["request"].get("method") == "DELETE":
        return "asks for a deletion; an import deletes nothing"
    return "" if "response" in entry else "has no resource"


def fault_of(raw: Raw) -> str:
    """Why this resource must not be imported: type, id, structure or a code that FHIR does not have there; empty where it may be."""
    try:
        parameters(resource_type(raw))
        check_structure(raw)
    except (Invalid, NotFound) as error:
        return error.text
    if "id" not in raw:
        return "has no id"
    if not isinstance(raw["id"], str) or not _ID.fullmatch(raw["id"]):
        return "its id is not one to 64 letters, digits, - and ."
    if not isinstance(raw.get("meta", {}), dict):
        return "its meta is not an object"
    mapping = mapping_for(raw)
    problems = mapping.extract(raw).problems if mapping else ()
    unknown = (problem for problem in problems if problem.reason.startswith(_UNKNOWN_CODE))
    return "; ".join(f"{raw['resourceType']}.{problem.path}: {problem.reason}" for problem in unknown)


def load(
    repository: Repository, paths: Iterable[Path], *, atomic: bool = False, limit: int = LIMIT, progress: Progress = lambda *_: None
) -> Loaded:
    """Import what the paths hold, under the ids that the resources have; other content under a known id is its new version.

    The valid ones are written in batches, each in one transaction. With `atomic` all are in one, and none where any is bad; raises TooLarge
    where there are more than fit. To find an id that comes twice, about 150 bytes per resource are held.
    """
    report, seen = Loaded(), dict[bytes, str]()
    valid = _valid(files(paths), limit, report, seen)
    if atomic:
        _load_all(repository, valid, report, progress)
        return report
    done = 0
    while batch := list(islice(valid, BATCH)):
        _keep(repository, batch, report)
        done += len(batch)
        progress("import", done, 0)
    return report


def _load_all(repository: Repository, valid: Iterator[Item], report: Loaded, progress: Progress) -> None:
    kept: list[Item] = []
    for item in valid:
        kept.append(item)
        if len(kept) > ATOMIC_LIMIT:
            raise TooLarge(f"Over {ATOMIC_LIMIT} resources do not fit into one transaction. Import them without --atomic, or in parts.")
        if not len(kept) % BATCH:
            progress("check", len(kept), 0)
    if report.bad:
        return
    if kept:
        _count(report, _commit(repository, kept))
        progress("import", len(kept), len(kept))


def _valid(paths: Sequence[Path], limit: int, report: Loaded, seen: dict[bytes, str]) -> Iterator[Item]:
    """The items that may be imported, each id once; the others go into the report."""
    for path in paths:
        for item in resources(path, limit=limit):
            fault = item.fault or fault_of(item.raw or {})
            if not fault and item.raw is not None:
                key = blake2b(f"{item.raw['resourceType']}/{item.raw['id']}".encode(), digest_size=16).digest()
                digest = content_hash(item.raw)
                if key not in seen:
                    seen[key] = digest
                    yield item
                    continue
                if seen[key] == digest:
                    report.unchanged[item.raw["resourceType"]] += 1
                    continue
                fault = "another resource of this type and id, with other content, came before it"
            report.bad.append(Bad(item.place, fault))


def _keep(repository: Repository, items: list[Item], report: Loaded) -> None:
    """Write a batch; one that is too large is halved down to the resource that is."""
    try:
        _count(report, _commit(repository, items))
    except TooLarge as error:
        if len(items) == 1:
            report.bad.append(Bad(items[0].place, error.text))
            return
        half = len(items) // 2
        _keep(repository, items[:half], report)
        _keep(repository, items[half:], report)


def _commit(repository: Repository, items: list[Item], left: int = _ATTEMPTS) -> list[tuple[Stored | None, Stored]]:
    """What was there and what is there now, for each item; planned again where somebody wrote in between."""
    raws = {(raw["resourceType"], raw["id"]): raw for item in items if (raw := item.raw)}
    types = {type for type, _ in raws}
    known = {type: repository.find_many(type, [id for of, id in raws if of == type]) for type in types}
    before = [known[type].get(id) for type, id in raws]
    changes = [Change(*key, raw, old.version if old else 0) for (key, raw), old in zip(raws.items(), before, strict=True)]
    try:
        return list(zip(before, repository.commit(changes), strict=True))
    except VersionConflict:
        if not left:
            raise
        return _commit(repository, items, left - 1)


def _count(report: Loaded, written: list[tuple[Stored | None, Stored]]) -> None:
    for before, after in written:
        became = report.created if before is None else report.unchanged if before.version == after.version else report.updated
        became[after.type] += 1
