"""FHIR resources in files, one by one with their places.

Read are `.json` (a resource, or a Bundle of any kind), `.ndjson` (one JSON object a line), both also `.gz` and `.zst`, and folders of them.
What is held in memory is one line, or the text of one .json file; a line over the limit is passed over without being held.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

import msgspec

from adapter.errors import Invalid
from adapter.fhir.references import rewrite
from adapter.fhir.resource import Raw, decode, parse, resource_type
from adapter.sync.loading.stretches import DAMAGED, MB, Stretch, kind_of, unpacked

LIMIT = 64 * MB
"""The longest JSON text that is read: a line of NDJSON, or a whole .json file. MongoDB keeps 16 MB of it per resource."""

_UUID = re.compile(r"urn:uuid:([0-9a-fA-F-]{36})")


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
    size: int = 0
    """Bytes of its text."""


def files(paths: Iterable[Path]) -> list[Path]:
    """The files that the paths mean, folders looked through. Raises Invalid for a path that does not exist, or a folder without any."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise Invalid(f"There is no file or folder {path}.")
        inside = sorted(inner for inner in path.rglob("*") if kind_of(inner)) if path.is_dir() else [path]
        if not inside:
            raise Invalid(f"The folder {path} has no .json or .ndjson file (also .gz, .zst).")
        found += inside
    return found


def resources(path: Path, stretch: Stretch | None = None, *, limit: int = LIMIT) -> Iterator[Item]:
    """The resources of one file, or of a stretch of it, in its order; those of a Bundle one by one with their references resolved.

    Never raises on content.
    """
    kind = kind_of(path)
    if kind is None:
        yield Item(Place(str(path)), fault="is neither .json nor .ndjson (also .gz, .zst)")
        return
    try:
        with path.open("rb") as file:
            if stretch:
                file.seek(stretch.start)
            stream = unpacked(file, kind.packing, stretch.size if stretch else None)
            texts = _lines(path, stream, limit, stretch.line if stretch else 1) if kind.lines else _whole(path, stream, limit)
            for text in texts:
                yield from [text] if isinstance(text, Item) else _parsed(*text)
    except DAMAGED:
        yield Item(Place(str(path)), fault="the compressed file is damaged or cut off; what comes before was read")
    except OSError as error:
        yield Item(Place(str(path)), fault=f"cannot be read: {error.strerror}")


def _whole(path: Path, stream: IO[bytes], limit: int) -> Iterator[Item | tuple[Place, bytes]]:
    # Asked for at once, a buffer of the limit would be made for the smallest file.
    text = b"".join(takewhile(bool, (stream.read(MB) for _ in range(limit // MB + 1))))
    if len(text) > limit:
        fault = f"is over {limit // MB} MB, the limit for one JSON text; as .ndjson, one resource a line, a file may have any size"
        yield Item(Place(str(path)), fault=fault)
    else:
        yield Place(str(path)), text.removeprefix(b"\xef\xbb\xbf")


def _lines(path: Path, stream: IO[bytes], limit: int, first: int) -> Iterator[Item | tuple[Place, bytes]]:
    number = first - 1
    while line := stream.readline(limit + 1):
        number += 1
        place = Place(str(path), number)
        if len(line) > limit and not line.endswith(b"\n"):
            while (rest := stream.readline(MB)) and not rest.endswith(b"\n"):
                pass
            yield Item(place, fault=f"the line is over the limit of {limit // MB} MB")
        elif line.strip(b"\xef\xbb\xbf \t\r\n"):
            yield place, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


class _Head(msgspec.Struct):
    """What of a JSON object says whether it is a Bundle; the rest of the text is passed over."""

    resourceType: Any = None  # noqa: N815 - FHIR's name
    entry: msgspec.Raw = msgspec.Raw(b"[]")


class _Resource(msgspec.Struct):
    resourceType: str  # noqa: N815 - FHIR's name
    id: str | None = None


class _Entry(msgspec.Struct):
    """By what others refer to an entry of a Bundle."""

    fullUrl: str  # noqa: N815 - FHIR's name
    resource: _Resource


_head = msgspec.json.Decoder(_Head)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_entry = msgspec.json.Decoder(_Entry)


def _parsed(place: Place, text: bytes) -> Iterator[Item]:
    # Most lines are no Bundle, and need not be read twice to know.
    if b'"Bundle"' in text:
        with suppress(msgspec.DecodeError):
            head = _head.decode(text)
            if head.resourceType == "Bundle":
                yield from _entries(place, head.entry)
                return
    try:
        raw = parse(text)
        resource_type(raw)
    except Invalid as error:
        yield Item(place, fault=error.text)
        return
    yield Item(place, raw, size=len(text))


def _entries(place: Place, listed: msgspec.Raw) -> Iterator[Item]:
    """The resources in a Bundle, one at a time; references to a fullUrl of it become Type/id."""
    try:
        texts = _list.decode(listed)
    except msgspec.ValidationError:
        yield Item(replace(place, path="Bundle.entry"), fault="is not a list")
        return
    named = dict(filter(None, map(_name, texts)))
    for position, text in enumerate(texts):
        here = replace(place, path=f"Bundle.entry[{position}]")
        try:
            entry = decode(bytes(text))
        except Invalid as error:
            yield Item(here, fault=error.text)
            continue
        raw = _resource(entry)
        if raw is None:
            if fault := _without_resource(entry):
                yield Item(here, fault=fault)
        elif raw.get("resourceType") != "OperationOutcome" or (entry.get("search") or {}).get("mode") != "outcome":
            yield Item(here, rewrite(raw, lambda reference: named.get(reference, reference)), size=len(bytes(text)))


def _name(text: msgspec.Raw) -> tuple[str, str] | None:
    """An entry's fullUrl and the Type/id that it stands for."""
    try:
        entry = _entry.decode(text)
    except msgspec.DecodeError:
        return None
    id = entry.resource.id or _made_id(entry.fullUrl)
    return (entry.fullUrl, f"{entry.resource.resourceType}/{id}") if id else None


def _resource(entry: Any) -> Raw | None:
    """An entry's resource. One without an id that is known by a urn:uuid gets that for its id."""
    raw = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(raw, dict):
        return None
    made = _made_id(entry.get("fullUrl")) if "id" not in raw else None
    return {**raw, "id": made} if made else raw


def _made_id(url: Any) -> str | None:
    found = _UUID.fullmatch(url) if isinstance(url, str) else None
    return found[1].lower() if found else None


def _without_resource(entry: Any) -> str:
    """Why an entry without a resource is bad; empty for one that only answers a request."""
    if not isinstance(entry, dict):
        return "is not an object"
    if isinstance(entry.get("request"), dict) and entry["request"].get("method") == "DELETE":
        return "asks for a deletion; an import deletes nothing"
    return "" if "response" in entry else "has no resource"
