"""Which resources came before, and with which content: however many, in bounded memory."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b

from adapter.fhir.resource import Raw, content_hash

# KiB. What is over it goes to a file that has no name and is gone with the connection; in it are hashes only.
_CACHE = 16 * 1024


class Seen:
    """Resources by type and id."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        for words in (f"PRAGMA cache_size = -{_CACHE}", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF"):
            database.execute(words)
        database.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, content BLOB) WITHOUT ROWID")
        database.execute("BEGIN")

    def first(self, raw: Raw) -> bool | None:
        """None where this resource comes for the first time; else whether it had the same content then."""
        key = blake2b(f"{raw['resourceType']}/{raw['id']}".encode(), digest_size=16).digest()
        content = bytes.fromhex(content_hash(raw))
        if self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, content)).rowcount:
            return None
        (first,) = self._database.execute("SELECT content FROM seen WHERE key = ?", (key,)).fetchone()
        return bool(first == content)


@contextmanager
def seen() -> Iterator[Seen]:
    """Nothing seen yet; forgotten at the end."""
    # Without a name it is a file of its own, made when memory does not suffice: https://sqlite.org/inmemorydb.html#temp_db
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        yield Seen(database)
