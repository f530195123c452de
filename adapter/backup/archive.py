"""What is in a backup: BSON documents, packed by zstandard, in a sealed file.

A collection is `{collection, indexes}` and then `{documents}`, some at a time, as the store had them. The last document is the manifest:
of each collection how many documents there are, and a sum of their SHA-256, which is the same in whatever order they are read.
"""

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import bson
import zstandard
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument

from adapter.backup.seal import CHUNK, Sealing, Unsealed
from adapter.errors import Invalid
from adapter.store.documents import TRANSACTION_BYTES, Document
from adapter.store.whole import RAW

_MOST = 500
_LEVEL = 6
_MODULUS = 2**256


@dataclass(frozen=True)
class Content:
    """How many documents a collection has, and the sum of their SHA-256 modulo 2^256, in hexadecimal digits."""

    count: int
    sum: str


class Tally:
    """The content of collections, added up."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = defaultdict(int)
        self._sums: dict[str, int] = defaultdict(int)

    def add(self, name: str, document: RawBSONDocument) -> None:
        """Count a document of a collection."""
        self._counts[name] += 1
        self._sums[name] = (self._sums[name] + int.from_bytes(hashlib.sha256(document.raw).digest(), "big")) % _MODULUS

    def contents(self) -> dict[str, Content]:
        """By name, those that are not empty."""
        return {name: Content(count, f"{self._sums[name]:064x}") for name, count in sorted(self._counts.items())}


@dataclass(frozen=True)
class Manifest:
    """What a backup is of."""

    id: str
    moment: str
    """As of when it is: an instant by the store's clock."""
    database: str
    made_by: str
    """The version of casebridge."""
    collections: dict[str, Content]

    @property
    def count(self) -> int:
        """How many documents it holds."""
        return sum(content.count for content in self.collections.values())

    @staticmethod
    def of(body: Document) -> "Manifest":
        return Manifest(**{**body, "collections": {name: Content(**each) for name, each in body["collections"].items()}})


@dataclass(frozen=True)
class Begun:
    """That what follows is of this collection."""

    name: str
    indexes: list[Document]


@dataclass(frozen=True)
class Batch:
    """Some documents of a collection: no more than one transaction takes."""

    name: str
    documents: list[RawBSONDocument]


class Writer:
    """Writes a backup into a file."""

    def __init__(self, file: BinaryIO, key: bytes | None) -> None:
        self._sealing = Sealing(file, key)
        packed: Any = zstandard.ZstdCompressor(level=_LEVEL)
        self._packed = packed.stream_writer(self._sealing, closefd=False)
        self._tally = Tally()

    def begin(self, name: str, indexes: Sequence[Document]) -> None:
        """Go on with this collection."""
        self._write({"collection": name, "indexes": list(indexes)})

    def add(self, name: str, documents: Iterator[RawBSONDocument]) -> Iterator[int]:
        """Write the documents of a collection; after each batch, how many they are by then."""
        batch: list[RawBSONDocument] = []
        done, size = 0, 0
        for document in documents:
            if batch and (size + len(document.raw) > TRANSACTION_BYTES or len(batch) == _MOST):
                self._write({"documents": batch})
                yield done
                batch, size = [], 0
            self._tally.add(name, document)
            batch.append(document)
            size, done = size + len(document.raw), done + 1
        if batch:
            self._write({"documents": batch})
        yield done

    def end(self, **facts: str) -> Manifest:
        """Write the manifest, and close what was begun."""
        manifest = Manifest(**facts, collections=self._tally.contents())
        self._write({"manifest": asdict(manifest)})
        self._packed.close()
        self._sealing.close()
        return manifest

    def _write(self, body: Document) -> None:
        self._packed.write(bson.encode(body))


def read(file: BinaryIO, key: bytes | None) -> Iterator[Begun | Batch | Manifest]:
    """What a backup holds, in order, from its start. Raises Invalid where the file is not one, is damaged, or the key is another."""
    file.seek(0)
    name = ""
    for body in _bodies(Unsealed(file, key)):
        if "documents" in body:
            yield Batch(name, list(body["documents"]))
        elif "collection" in body:
            name = str(body["collection"])
            yield Begun(name, bson.decode(body.raw)["indexes"])
        else:
            yield Manifest.of(bson.decode(body.raw)["manifest"])


def _bodies(unsealed: Unsealed) -> Iterator[RawBSONDocument]:
    unpacking: Any = zstandard.ZstdDecompressor()
    unpacked = unpacking.stream_reader(unsealed, read_size=CHUNK, closefd=False)
    try:
        yield from bson.decode_file_iter(io.BufferedReader(unpacked), RAW)
    except (InvalidBSON, zstandard.ZstdError):
        raise Invalid("This backup cannot be read, though it is as it was written.") from None


def checked(file: BinaryIO, key: bytes | None) -> Manifest:
    """The manifest of a backup whose every byte was read and found to be as it says. Raises Invalid."""
    tally, manifest = Tally(), None
    for each in read(file, key):
        if manifest:
            raise Invalid("This backup goes on behind its end.")
        if isinstance(each, Manifest):
            manifest = each
        elif isinstance(each, Batch):
            for document in each.documents:
                tally.add(each.name, document)
    if manifest is None or manifest.collections != tally.contents():
        raise Invalid("This backup does not hold what it says.")
    return manifest
