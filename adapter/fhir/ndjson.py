"""Newline-delimited JSON out of a streamed answer: line by line in bounded memory, unpacked, with places from which to read on.

http://hl7.org/fhir/R4/nd-json.html
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from io import BufferedReader, RawIOBase
from itertools import chain
from typing import Any

from adapter.errors import Invalid
from adapter.fhir.exchange import Stream
from adapter.fhir.resource import Raw, parse, resource_type

# What reading raises where a packed text ends too soon or is damaged.
DAMAGED = (EOFError, zlib.error)

_PART = 1024 * 1024
_GZIP = b"\x1f\x8b"
_BLANK = b"\xef\xbb\xbf \t\r\n"


@dataclass(frozen=True)
class Place:
    """A place behind a line of a file, from which reading goes on, and by which the file is known to be the same still."""

    lines: int = 0
    bytes: int = 0
    """Of the unpacked text, up to the end of the line."""
    length: int = 0
    """Of the line, in bytes."""
    last: str = ""
    """A hash of the line."""
    digest: str = ""
    """A hash of all lines up to it."""
    packed: bool = False
    """Whether the file itself is packed, so that a part of it cannot be unpacked alone."""


@dataclass(frozen=True)
class Line:
    """A line that is not blank, and the place behind it. `raw` is its resource; where there is none, `fault` says why, never a value."""

    place: Place
    raw: Raw | None = None
    fault: str = ""


class Text(BufferedReader):
    """The unpacked text of an answer; reading raises what `DAMAGED` names. `packed`: the file itself was packed, not only its transfer."""

    def __init__(self, stream: Stream) -> None:
        headers = stream.headers
        encoded = headers.get("Content-Encoding", "").lower() in ("gzip", "x-gzip")
        sent = _unpacked(stream.pieces) if encoded else stream.pieces
        first = next(sent, b"")
        self.packed = first.startswith(_GZIP)
        pieces = chain([first], sent)
        super().__init__(_Pieces(_unpacked(pieces) if self.packed else pieces), _PART)
        self.framed = encoded or self.packed or "Content-Length" in headers or headers.get("Transfer-Encoding", "").lower() == "chunked"
        """Whether a text that ends too soon is noticed as such; where not, it just ends."""


class _Pieces(RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Gzip's content, of any number of members, never more than a part of it at once: a small piece can unpack to a large one."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for piece in pieces:
        while piece:
            if unpacker.eof:
                unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            yield unpacker.decompress(piece, _PART)
            piece = unpacker.unused_data or unpacker.unconsumed_tail
    yield unpacker.flush()
    if not unpacker.eof:
        raise EOFError


def first_line(text: Text, limit: int) -> tuple[str, int]:
    """The hash and the length of the line that comes next."""
    return next(((hash, length) for _, hash, length in _cut(text, limit)), ("", 0))


def lines(text: Text, place: Place, *, limit: int, skip: int = 0) -> Iterator[Line]:
    """The lines of a text that begins at the place; those up to number `skip` are passed over without a resource."""
    count, end, digest = place.lines, place.bytes, place.digest
    for line, hash, length in _cut(text, limit):
        end += length
        if line is not None and not line.strip(_BLANK):
            continue
        count += 1
        digest = blake2b(f"{digest}{hash}".encode(), digest_size=16).hexdigest()
        behind = Place(count, end, length, hash, digest, text.packed)
        if count <= skip:
            yield Line(behind)
        elif line is None:
            yield Line(behind, None, "a line is over the limit")
        else:
            found = _parsed(behind, line.strip(_BLANK))
            if found.fault and not text.framed and not line.endswith(b"\n"):
                raise EOFError
            yield found


def _parsed(place: Place, line: bytes) -> Line:
    try:
        raw = parse(line)
        resource_type(raw)
    except Invalid:
        return Line(place, None, "a line is not a resource")
    return Line(place, raw)


def _cut(text: Text, limit: int) -> Iterator[tuple[bytes | None, str, int]]:
    """(line, hash, length) of each line; None instead of a line over the limit, which is passed over without being held."""
    while line := text.readline(limit + 1):
        hash, length = blake2b(line, digest_size=16), len(line)
        long = length > limit and not line.endswith(b"\n")
        rest = line if long else b""
        while rest and not rest.endswith(b"\n"):
            rest = text.readline(_PART)
            hash.update(rest)
            length += len(rest)
        yield None if long else line, hash.hexdigest(), length
