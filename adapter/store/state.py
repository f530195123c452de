"""The sync's own state: small documents by kind and id. Records and resources are the repository's."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from adapter.store.documents import CODEC, Document

# The kinds, one collection each: what a remote is, how far it was read, who works on it, and what waits for a person; of who is who, the
# questions and the ledger; of imports, which are under way, how far each stretch of their files is, and what was bad in it; the jobs of
# workers, and what these have to know; of exports, which is under way, how far each of its files was read, and when the last one was; how
# far each is written that others asked for; the days on which a case is looked at again;
# what the account of accesses came to (anchors); who may ask (clients, users), what they were given (launches, codes, tokens, sessions),
# what was tried (assertions, attempts, sign_ins); glasses that were broken, and who registered whom (intakes).
KINDS = (
    *("remotes", "cursors", "leases", "conflicts", "dead_letters", "certificates", "claims", "state"),
    *("questions", "unions", "union_of", "repointed"),
    *("imports", "import_stretches", "import_faults", "jobs", "parts"),
    *("exports", "export_places", "last_exports", "served_exports", "timers"),
    *("anchors", "clients", "users", "launches", "codes", "tokens", "sessions", "assertions", "attempts", "sign_ins"),
    *("glass", "intakes"),
)


Fence = Callable[[ClientSession], None]
"""Called in a transaction: raises where nothing more is to be written."""


class State:
    """Reads and writes of the small documents."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database.with_options(codec_options=CODEC)

    def get(self, kind: str, id: str, session: ClientSession | None = None) -> Document | None:
        """One document without its _id, None where there is none."""
        found = self._database[kind].find_one({"_id": id}, session=session)
        return {name: value for name, value in found.items() if name != "_id"} if found else None

    def put(self, kind: str, id: str, body: Document, session: ClientSession | None = None) -> None:
        """Set a document, new or not."""
        self._database[kind].replace_one({"_id": id}, {"_id": id, **body}, upsert=True, session=session)

    def put_all(self, kind: str, bodies: dict[str, Document], session: ClientSession, fence: Fence = lambda _: None) -> None:
        """Set several documents, new or not, all or none. On the embedded store each write of its own waits 3 ms for the disk.

        In the caller's session, so that who takes over from a process that died can end its transaction with it. `fence` is part of that.
        """

        def put(session: ClientSession) -> None:
            fence(session)
            self.put_some(kind, bodies, session)

        if bodies:
            session.with_transaction(put)

    def put_some(self, kind: str, bodies: dict[str, Document], session: ClientSession) -> None:
        """Set several documents, new or not, in a transaction that the caller began."""
        if bodies:
            self._database[kind].delete_many({"_id": {"$in": [*bodies]}}, session=session)
            self._database[kind].insert_many([{"_id": id, **body} for id, body in bodies.items()], session=session)

    def add(self, kind: str, id: str, body: Document) -> bool:
        """Set a document that must not exist yet; False where it does. Race-free: the id is the claim."""
        try:
            self._database[kind].insert_one({"_id": id, **body})
        except DuplicateKeyError:
            return False
        return True

    def swap(self, kind: str, id: str, expect: dict[str, Any], body: Document, session: ClientSession | None = None) -> bool:
        """Replace a document if it still has these values; False where it does not."""
        return self._database[kind].replace_one({"_id": id, **expect}, {"_id": id, **body}, session=session).matched_count == 1

    def drop(self, kind: str, id: str, expect: dict[str, Any] | None = None, session: ClientSession | None = None) -> bool:
        """Remove a document (if it still has these values); False where there was none."""
        return self._database[kind].delete_one({"_id": id, **(expect or {})}, session=session).deleted_count == 1

    def drop_all(self, kind: str, query: dict[str, Any]) -> None:
        """Remove all documents of a kind that match a plain filter."""
        self._database[kind].delete_many(query)

    def now(self) -> datetime:
        """The time by the clock of the store, which is the same for all processes that use it, whatever their own clocks say."""
        moment: datetime = self._database.client.admin.command("hello", codec_options=CODEC)["localTime"]
        return moment

    def session(self) -> ClientSession:
        """A session of our own, to be closed."""
        return self._database.client.start_session()

    def end_session(self, id: Document) -> None:
        """End another's session by its id: MongoDB keeps the open transaction of a process that died, and its locks, for a minute."""
        self._database.client.admin.command("killSessions", [id])

    def all(self, kind: str, query: dict[str, Any] | None = None, session: ClientSession | None = None) -> Iterator[tuple[str, Document]]:
        """All documents of a kind that match a plain filter, with their ids, by id."""
        for found in self._database[kind].find(query or {}, session=session).sort("_id"):
            yield str(found.pop("_id")), found
