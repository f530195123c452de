"""The stretches of a file: each is read, remembered and known again by itself, so that workers can share one large file.

Plain NDJSON is cut at ends of lines. Nothing else is cut: what is packed can only be read from its beginning, and a .json file is one text.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any

import zstandard

MB = 1024 * 1024
# A stretch has a note in the store and is a job: as few as keep several workers busy to the end, and none so small that the job counts.
_LEAST, _IN_A_FILE = MB, 128

_ENDINGS = re.compile(r"\.(json|ndjson|jsonl)(\.gz|\.zst)?", re.IGNORECASE)
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
"""What reading a damaged or cut-off packed file raises."""


@dataclass(frozen=True)
class Kind:
    """What a file's name says of its content."""

    lines: bool
    """Whether each line is a JSON text, else the whole is."""
    packing: str
    """.gz, .zst or nothing."""


@dataclass(frozen=True)
class Stretch:
    """Where a stretch of a file is, and by what it is known again."""

    size: int
    """Bytes, as they are on the disk."""
    digest: str
    """Of these."""
    lines: int
    """Of NDJSON; 0 for others."""
    start: int = 0
    """The place of its first byte in the file."""
    line: int = 1
    """The number of its first line."""


def kind_of(path: Path) -> Kind | None:
    """None where a file is none that is read."""
    found = _ENDINGS.fullmatch("".join(path.suffixes[-2:])) or _ENDINGS.fullmatch(path.suffix)
    return Kind(found[1].lower() != "json", (found[2] or "").lower()) if found else None


def stretches(path: Path) -> list[Stretch]:
    """The stretches of a file, in their order; none of what can be read only once, such as a pipe. Takes a second for some 500 MB."""
    found = list[Stretch]()
    after = stretch_at(path)
    while after and (after.size or not found):
        found.append(after)
        after = stretch_at(path, after.start + after.size, after.line + after.lines)
    return found


def stretch_at(path: Path, start: int = 0, line: int = 1) -> Stretch | None:
    """The stretch that begins with this byte, which begins this line; None where there is nothing that can be read more than once."""
    if not path.is_file():
        return None
    kind, digest, size = kind_of(path), blake2b(digest_size=16), 0
    try:
        with path.open("rb") as file:
            whole = os.fstat(file.fileno()).st_size
            is_cut = kind is not None and kind.lines and not kind.packing
            file.seek(start)
            for block in _blocks(file, max(_LEAST, -(-whole // _IN_A_FILE)) if is_cut else whole):
                digest.update(block)
                size += len(block)
            file.seek(start)
            lines = _count_lines(unpacked(file, kind.packing, size)) if kind and kind.lines else 0
    except OSError:
        return None
    return Stretch(size, digest.hexdigest(), lines, start, line)


def unpacked(file: IO[bytes], packing: str, size: int | None = None) -> IO[bytes]:
    """What is in the next bytes of a file: so many, or all that there are."""
    packed = file if size is None else BufferedReader(_Next(file, size), MB)
    if packing == ".gz":
        return gzip.GzipFile(fileobj=packed)  # type: ignore[return-value]
    if packing == ".zst":
        return BufferedReader(zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True), MB)
    return packed


def _blocks(file: IO[bytes], size: int) -> Iterator[bytes]:
    """The next bytes of a file: so many, and the rest of the line in which they end."""
    block = b""
    while size > 0 and (block := file.read(min(MB, size))):
        size -= len(block)
        yield block
    while block and not block.endswith(b"\n"):
        block = file.readline(MB)
        yield block


def _count_lines(stream: IO[bytes]) -> int:
    lines, last = 0, b"\n"
    try:
        while block := stream.read(MB):
            lines, last = lines + block.count(b"\n"), block[-1:]
    except DAMAGED:
        pass
    return lines + (last != b"\n")


class _Next(RawIOBase):
    """The next bytes of a file, so many and no more."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._file.read(min(len(buffer), self._left))
        buffer[: len(block)] = block
        self._left -= len(block)
        return len(block)
