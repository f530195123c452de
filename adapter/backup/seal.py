"""A file whose bytes are as they were written, every one of them, up to the end; encrypted where there is a key.

It is a line of JSON, which says the format and how it is sealed, and then chunks, each with a tag. Without a key the tag is the SHA-256
of the tag before, whether the chunk is the last one, and the chunk: it shows damage, not intent, since anybody can compute it. With a key
it is that of AES-256-GCM, under a key of this file alone (HKDF-SHA256 of the key and a salt), with the number of the chunk and whether it
is the last one as nonce, and the line as associated data. So chunks cannot be changed, exchanged, left out or cut off.
The construction is STREAM: https://eprint.iacr.org/2015/189
"""

import hashlib
import json
import os
import re
import secrets
from pathlib import Path
from typing import BinaryIO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapter.errors import Invalid
from adapter.fhir.secret import read_private

FORMAT, VERSION = "casebridge backup", 1
CHUNK = 64 * 1024
_LONGEST_LINE = 1024
_KEY = re.compile(r"[0-9a-fA-F]{64}")


def read_key(path: Path) -> bytes:
    """The key in a file: 64 hexadecimal digits. Raises Invalid where others can read the file, or it holds something else."""
    try:
        text = read_private(path).decode("ascii", "replace").strip()
    except OSError as error:
        raise Invalid(f"The key file {path} cannot be read ({error.strerror}).") from None
    if not _KEY.fullmatch(text):
        raise Invalid(f"The key file {path} does not hold 64 hexadecimal digits, such as `openssl rand -hex 32` makes.")
    return bytes.fromhex(text)


def name_of(key: bytes) -> str:
    """What a key can be called without telling it."""
    return _derived(key, b"", b"casebridge backup key name")[:4].hex()


class Seal(Protocol):
    """How chunks are sealed, in their order."""

    tag: int
    """Bytes by which a chunk is longer in the file."""

    def close(self, chunk: bytes, *, last: bool) -> bytes:
        """The chunk as it is in the file."""

    def open(self, sealed: bytes, *, last: bool) -> bytes | None:
        """The chunk that is in the file, None where it is not what was written."""


class _Chained:
    tag = 32

    def __init__(self, line: bytes) -> None:
        self._before = hashlib.sha256(line).digest()

    def close(self, chunk: bytes, *, last: bool) -> bytes:
        self._before = hashlib.sha256(self._before + bytes([last]) + chunk).digest()
        return chunk + self._before

    def open(self, sealed: bytes, *, last: bool) -> bytes | None:
        chunk = sealed[: -self.tag]
        return chunk if self.close(chunk, last=last) == sealed else None


class _Encrypted:
    tag = 16

    def __init__(self, key: bytes, salt: bytes, line: bytes) -> None:
        self._cipher, self._line, self._number = AESGCM(_derived(key, salt, b"casebridge backup 1")), line, 0

    def _nonce(self, last: bool) -> bytes:
        self._number += 1
        return self._number.to_bytes(11, "big") + bytes([last])

    def close(self, chunk: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(last), chunk, self._line)

    def open(self, sealed: bytes, *, last: bool) -> bytes | None:
        try:
            return self._cipher.decrypt(self._nonce(last), sealed, self._line)
        except InvalidTag:
            return None


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, purpose).derive(key)


class Sealing:
    """Writes into a file, sealed; what was written is good once it is closed."""

    def __init__(self, file: BinaryIO, key: bytes | None) -> None:
        head: dict[str, str | int] = {"format": FORMAT, "version": VERSION}
        salt = secrets.token_hex(32)
        if key:
            head |= {"cipher": "AES-256-GCM", "key": name_of(key), "salt": salt}
        line = json.dumps(head).encode() + b"\n"
        self._seal: Seal = _Encrypted(key, salt.encode(), line) if key else _Chained(line)
        self._file, self._rest = file, bytearray()
        file.write(line)

    def write(self, data: bytes) -> int:
        """Take some bytes."""
        self._rest += data
        # What is left may be the last chunk, so a whole one waits for what comes after it.
        while len(self._rest) > CHUNK:
            self._file.write(self._seal.close(bytes(self._rest[:CHUNK]), last=False))
            del self._rest[:CHUNK]
        return len(data)

    def flush(self) -> None:
        """Nothing: a chunk is written when it is full."""

    def close(self) -> None:
        """Write the last chunk."""
        self._file.write(self._seal.close(bytes(self._rest), last=True))


class Unsealed:
    """Reads what a sealed file holds. All that it gives is as it was written, and there was nothing behind the end."""

    def __init__(self, file: BinaryIO, key: bytes | None) -> None:
        """Raises Invalid for a file that is no backup, of another format, whose key is another one, or that has none where one is given."""
        self._file, self._size, self._ended = file, os.fstat(file.fileno()).st_size, False
        line = file.readline(_LONGEST_LINE)
        head = _head(line)
        if not head.get("cipher") and key:
            # Whoever can write where backups lie could have put one of their own there: the key is what tells.
            raise Invalid(
                "A key is given, and this backup is not encrypted: nothing shows who wrote it. If it was made without one and is trusted, "
                "give the same command without --key and CASEBRIDGE_BACKUP_KEY."
            )
        if not head.get("cipher"):
            self._seal: Seal = _Chained(line)
        elif not key:
            raise Invalid(f"This backup is encrypted: name the file of its key ({head.get('key')}) by --key or CASEBRIDGE_BACKUP_KEY.")
        elif head.get("key") != name_of(key):
            raise Invalid(f"This is not the backup's key: it was encrypted with {head.get('key')}, and this one is {name_of(key)}.")
        else:
            self._seal = _Encrypted(key, str(head.get("salt")).encode(), line)

    def read(self, size: int) -> bytes:
        """The next chunk, of at most CHUNK bytes, which `size` is not less than; empty at the end. Raises Invalid."""
        if self._ended:
            return b""
        sealed = self._file.read(min(size, CHUNK) + self._seal.tag)
        self._ended = self._file.tell() == self._size
        chunk = self._seal.open(sealed, last=self._ended)
        if chunk is None:
            raise Invalid("This backup is damaged: it was changed or cut off after it was written. Nothing of it is used.")
        return chunk


def _head(line: bytes) -> dict[str, object]:
    try:
        head = json.loads(line)
    except ValueError:
        head = None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise Invalid("This file is no backup of casebridge.")
    if head.get("version") != VERSION:
        raise Invalid(f"This backup is in format {head.get('version')}; this casebridge reads format {VERSION}. Use the one that made it.")
    return head
