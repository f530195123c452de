"""The files of exports: a folder each, of this user alone, in one that all processes of the site share."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from adapter.errors import NotFound
from adapter.sync.exporting.exports import Export, Made

FILE_BYTES = 64 * 2**20
"""After which a file is ended, give or take a piece, so that several can be read at once."""
_CHUNK = 256 * 1024
_IS_ID = re.compile(r"[0-9a-f]{32}")


class Written:
    """What one turn at an export writes. Its files bear the turn's name, so nobody else writes into them."""

    def __init__(self, root: Path, export: Export) -> None:
        self._folder, self._turn = root / export.id, export.turn[:8]
        self._open: dict[tuple[str, str], tuple[Made, BinaryIO]] = {}
        self._number = len(export.files)

    def __enter__(self) -> Self:
        self._folder.parent.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self._folder.parent, self._folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        return self

    def __exit__(self, *problem: object) -> None:
        for _, file in self._open.values():
            file.close()

    def add(self, kind: str, type: str, lines: Iterable[str]) -> None:
        """Put some lines behind those of the kind and type."""
        for line in lines:
            made, file = self._open.get((kind, type)) or self._begun(kind, type)
            text = line.encode() + b"\n"
            file.write(text)
            self._open[kind, type] = Made(kind, type, made.name, made.bytes + len(text), made.count + 1), file

    def whole(self, files: tuple[Made, ...]) -> tuple[Made, ...]:
        """The files with all that was added, which is on the disk now; those that are large enough are ended."""
        known = {made.name: made for made in files}
        for key, (made, file) in [*self._open.items()]:
            if known.get(made.name) != made:
                file.flush()
                os.fsync(file.fileno())
                known[made.name] = made
            if made.bytes >= FILE_BYTES:
                file.close()
                del self._open[key]
        return tuple(known.values())

    def _begun(self, kind: str, type: str) -> tuple[Made, BinaryIO]:
        self._number += 1
        made = Made(kind, type, f"{type}-{self._number}-{self._turn}.ndjson", 0, 0)
        file = os.fdopen(os.open(self._folder / made.name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
        # The name is to last as long as the content.
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        self._open[kind, type] = made, file
        return made, file


def read(root: Path, export: Export, made: Made, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes of a file from one up to, and without, another; never what was written behind its end. Raises NotFound, at once."""
    pieces = _pieces(root / export.id / made.name, made.bytes, start, made.bytes if end is None else end)
    # Has the file opened; it is closed with the iterator, however few of the pieces are read.
    next(pieces)
    return pieces


def around(root: Path, export: Export, made: Made, start: int, end: int) -> tuple[bytes, bytes]:
    """What stands before and behind a part of a file, in the lines that it cuts. Raises NotFound."""
    try:
        file = (root / export.id / made.name).open("rb")
    except FileNotFoundError:
        raise _elsewhere() from None
    with file:
        before, at = b"", start
        while at and b"\n" not in before:
            step = min(_CHUNK, at)
            at -= step
            file.seek(at)
            before = file.read(step) + before
        file.seek(max(0, end - 1))
        # The line that the part's last byte is of, from that byte on: nothing where that ends it.
        behind = file.readline(made.bytes - end + 1)[1:]
        return before[before.rfind(b"\n") + 1 :], behind


def _pieces(path: Path, size: int, start: int, end: int) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise _elsewhere() from None
    with file:
        if os.fstat(file.fileno()).st_size < size:
            raise _elsewhere()
        yield b""
        file.seek(start)
        while start < end and (chunk := file.read(min(_CHUNK, end - start))):
            start += len(chunk)
            yield chunk


def _elsewhere() -> NotFound:
    return NotFound("This file of the export is not here in full: do all that write and serve exports share one folder?")


def lines(root: Path, export: Export, made: Made) -> Iterator[str]:
    """The lines of a file that are whole."""
    rest = b""
    for chunk in read(root, export, made):
        *several, rest = (rest + chunk).split(b"\n")
        yield from (line.decode() for line in several)


def sweep(root: Path, wanted: Iterable[str]) -> None:
    """Remove the folders of all exports but those with these ids, which are asked for when it is known what folders there are.

    What no export can be called is not ours.
    """
    folders = [folder for folder in root.iterdir() if _IS_ID.fullmatch(folder.name)] if root.exists() else []
    kept = frozenset(wanted) if folders else ()
    for folder in folders:
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)
