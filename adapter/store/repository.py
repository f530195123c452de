"""The one door for writes of records and resources: version-checked, all or nothing, with history, index and outbox."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DocumentTooLarge, DuplicateKeyError, PyMongoError

from adapter.clock import Clock, utc_now
from adapter.errors import CasebridgeError, Gone, NotFound, TooLarge, VersionConflict
from adapter.fhir.resource import same
from adapter.mapping.derived import computed
from adapter.mapping.registry import mapping_for
from adapter.store import index, subscriptions
from adapter.store.documents import CODEC, CURRENT, UNSYNCED, Change, Document, Stored, stamped
from adapter.store.faces import Faces
from adapter.store.gathering import Gathered
from adapter.store.notifications import Notification, Notifications
from adapter.store.rows import Row
from adapter.store.search import ensure_indexes

# MongoDB's codes: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_DUPLICATE, _TOO_LARGE = 11000, 10334
_REGISTER = "subscriptions"
_TYPES = "types"

Also = Callable[[ClientSession], None]
# More changes than these are a transaction of their own, which would keep small ones waiting.
_FEW = 10


@dataclass(frozen=True, eq=False)
class _Wanted:
    """A commit that somebody waits for."""

    changes: tuple[Change, ...]


class Repository:
    """Reads and writes of resources and the records they are faces of."""

    def __init__(self, database: Database[Document], clock: Clock = utc_now) -> None:
        self.database = database.with_options(codec_options=CODEC)
        self.faces = Faces(self.database)
        self._commits = Gathered(self._together)
        self.clock = clock
        self.notifications = Notifications(self.database)
        self.on_queued: Callable[[set[str]], None] | None = None
        """Called after a commit that queued notifications, with the names of the queues."""
        self._ready: set[str] = set()
        self._listed: set[str] = set()
        self._session: ClientSession | None = None

    def collection(self, type: str) -> Collection[Document]:
        """The collection of a resource type, with its indexes."""
        if type not in self._ready:
            # Outside of any transaction: a collection cannot be indexed inside one.
            ensure_indexes(self.database, type)
            if type == subscriptions.TYPE:
                self.notifications.ensure_indexes()
            self._ready.add(type)
        return self.database[type]

    def types(self) -> list[str]:
        """The resource types that have ever been stored."""
        named = self.database["state"].find_one({"_id": _TYPES})
        return sorted(named["names"]) if named else []

    def _list(self, types: set[str]) -> None:
        """Keep that these types are stored, before the first of them is: the names of all collections take ten times as long to ask for."""
        if types - self._listed:
            names = {"$addToSet": {"names": {"$each": sorted(types)}}}
            self.database["state"].update_one({"_id": _TYPES}, names, upsert=True)
            self._listed |= types

    def find(self, type: str, id: str) -> Stored | None:
        """The current version, deleted or not; None for what never was."""
        document = self.collection(type).find_one({"_id": id})
        return Stored.of(document) if document else None

    def find_many(self, type: str, ids: Iterable[str], session: ClientSession | None = None) -> dict[str, Stored]:
        """The current versions of those that exist, by id."""
        wanted = list(ids)
        if len(wanted) == 1:
            found = self.collection(type).find_one({"_id": wanted[0]}, session=session)
            return {wanted[0]: Stored.of(found)} if found else {}
        cursor = self.collection(type).find({"_id": {"$in": wanted}}, session=session) if wanted else ()
        return {document["_id"]: Stored.of(document) for document in cursor}

    def read(self, type: str, id: str) -> Stored:
        """The current version. Raises NotFound or Gone."""
        return _there(type, self.find(type, id))

    def row(self, type: str, id: str) -> Row:
        """What of the current version is answered. Raises NotFound or Gone."""
        found = self.faces.of(type, [id]).get(id)
        return _there(type, Row.of(found) if found else None)

    def rows(self, type: str, ids: Iterable[str]) -> list[Row]:
        """What is answered of those that are there, by id."""
        wanted = sorted(ids)
        found = self.faces.of(type, wanted) if wanted else {}
        return [row for id in wanted if id in found and (row := Row.of(found[id])).text]

    def vread(self, type: str, id: str, version: int) -> Stored:
        """One version. Raises NotFound, or Gone for the version that is a deletion."""
        current = self.find(type, id)
        if current is None or current.version != version:
            old = self.database["history"].find_one({"_id": f"{type}/{id}/{version}"})
            current = Stored.of(old) if old else None
        if current is None:
            raise NotFound(f"There is no such version of this {type}.")
        if current.deleted:
            raise Gone(f"This {type} was deleted in version {version}.")
        return current

    def versions(self, type: str, id: str) -> list[Stored]:
        """All versions, newest first, deletions included. Raises NotFound."""
        current = self.find(type, id)
        if current is None:
            raise NotFound(f"There is no {type} with this id.")
        ids = [f"{type}/{id}/{version}" for version in range(1, current.version)]
        old = [Stored.of(document) for document in self.database["history"].find({"_id": {"$in": ids}})] if ids else []
        return sorted([current, *old], key=lambda stored: -stored.version)

    def scan(self, type: str, query: Document | None = None) -> Iterator[Stored]:
        """All current versions of a type that match a plain MongoDB filter, deleted ones too, in no order."""
        return map(Stored.of, self.collection(type).find(query or {}))

    def commit(self, changes: Sequence[Change], *, also: Also | None = None) -> list[Stored]:
        """Carry out all changes or none, in one transaction; what is unchanged is not written again.

        `also` runs inside the transaction. Raises VersionConflict where a resource is not at the expected version, TooLarge.
        """
        types = {change.type for change in changes}
        for type in types:
            self.collection(type)
        self._list(types)
        if also or self._session or len(changes) > _FEW:
            return self._transacted(changes, also)
        wanted = _Wanted(tuple(changes))
        done = self._commits.of([wanted])[wanted]
        if isinstance(done, CasebridgeError):
            raise done
        return done

    def _together(self, several: Sequence["_Wanted"]) -> dict["_Wanted", list[Stored] | CasebridgeError]:
        """What became of commits that came at the same time: in one transaction where all can be carried out, else each in its own."""
        changes = [change for wanted in several for change in wanted.changes]
        if len(several) > 1 and len({(change.type, change.id) for change in changes}) == len(changes):
            with suppress(CasebridgeError):
                made = iter(self._transacted(changes))
                return {wanted: [*islice(made, len(wanted.changes))] for wanted in several}
        return {wanted: self._alone(wanted) for wanted in several}

    def _alone(self, wanted: "_Wanted") -> list[Stored] | CasebridgeError:
        try:
            return self._transacted(wanted.changes)
        except CasebridgeError as error:
            return error

    def _transacted(self, changes: Sequence[Change], also: Also | None = None) -> list[Stored]:
        try:
            with self._in_session() as session:
                results, queued = session.with_transaction(lambda session: self._commit(changes, also, session))
        except (DuplicateKeyError, DocumentTooLarge, BulkWriteError) as error:
            raise _named(error) from None
        if queued and self.on_queued:
            self.on_queued({notification.queue for notification in queued})
        return results

    @contextmanager
    def using(self, session: ClientSession) -> Iterator[None]:
        """Commit in this session while the context is open, in one thread: whoever knows its id can end what we may leave open."""
        self._session = session
        try:
            yield
        finally:
            self._session = None

    def _in_session(self) -> AbstractContextManager[ClientSession]:
        return nullcontext(self._session) if self._session else self.database.client.start_session()

    def _commit(self, changes: Sequence[Change], also: Also | None, session: ClientSession) -> tuple[list[Stored], list[Notification]]:
        now = self.clock()
        remotes, rows = self._informed(session)
        grouped: dict[str, list[str]] = defaultdict(list)
        for change in changes:
            grouped[change.type].append(change.id)
        current = {
            (type, id): stored
            for type, ids in grouped.items()
            if any(change.expect for change in changes if change.type == type)
            for id, stored in self.find_many(type, ids, session).items()
        }
        inserts: dict[str, list[Document]] = defaultdict(list)
        history: list[Document] = []
        made: list[subscriptions.Made] = []
        results = []
        for change in changes:
            old = current.get((change.type, change.id))
            if (old.version if old else 0) != change.expect:
                raise VersionConflict(f"This {change.type} is not at the version that the change was made against.")
            stored = _next(change, old, now, remotes)
            results.append(stored)
            if old is None or stored.version != old.version:
                made.append((old, stored))
            if old is None:
                inserts[change.type].append(_document(stored))
            elif stored is not old:
                if stored.version != old.version:
                    history.append(_archived(old))
                self._replace(stored, old.version, session)
        if history:
            self.database["history"].insert_many(history, session=session)
        for type, documents in inserts.items():
            self.database[type].insert_many(documents, session=session)
        queued = subscriptions.due(rows, made)
        if queued:
            self.notifications.add(queued, session)
        self._register(rows, subscriptions.following(rows, made), session)
        if also:
            also(session)
        return results, queued

    def subscribed(self) -> tuple[subscriptions.Row, ...]:
        """The register of Subscriptions."""
        return subscriptions.rows(self.database["state"].find_one({"_id": _REGISTER}, {"_id": 0}))

    def forget(self, queue: str) -> None:
        """Drop what a deleted Subscription was not told, and with it the last that is known of it."""
        self.notifications.drop_all(queue)

        def drop(session: ClientSession) -> None:
            _, rows = self._informed(session)
            self._register(rows, tuple(row for row in rows if row.queue != queue), session)

        with self.database.client.start_session() as session:
            session.with_transaction(drop)

    def reindex(self, stored: Stored) -> None:
        """Write a resource's search index anew. Raises VersionConflict where it is no longer at this version."""
        with self.database.client.start_session() as session:
            session.with_transaction(lambda session: self._replace(stored, stored.version, session))

    def _replace(self, stored: Stored, version: int, session: ClientSession) -> None:
        answer = self.database[stored.type].replace_one({"_id": stored.id, "fhir.version": version}, _document(stored), session=session)
        if answer.matched_count != 1:
            raise VersionConflict(f"This {stored.type} was changed by another writer just now.")

    def _informed(self, session: ClientSession) -> tuple[list[str], tuple[subscriptions.Row, ...]]:
        """The remotes and the Subscriptions that are to get what is written here: read in the transaction, so that no write misses one."""
        found = {each["_id"]: each for each in self.database["state"].find({"_id": {"$in": ["remotes", _REGISTER]}}, session=session)}
        return list(found["remotes"]["push"]) if "remotes" in found else [], subscriptions.rows(found.get(_REGISTER))

    def _register(self, old: tuple[subscriptions.Row, ...], new: tuple[subscriptions.Row, ...], session: ClientSession) -> None:
        if new != old:
            body = {"_id": _REGISTER, **subscriptions.register(new)}
            self.database["state"].replace_one({"_id": _REGISTER}, body, upsert=True, session=session)


_Current = TypeVar("_Current", Stored, Row)


def _there(type: str, found: _Current | None) -> _Current:
    if found is None:
        raise NotFound(f"There is no {type} with this id.")
    if not found.text:
        raise Gone(f"This {type} was deleted in version {found.version}.")
    return found


def _named(error: PyMongoError | DocumentTooLarge) -> Exception:
    """The meaning of a refused write; the error itself where it has none of ours."""
    details = error.details if isinstance(error, BulkWriteError) else {}
    codes = {item.get("code") for item in details.get("writeErrors", ())}
    if isinstance(error, DuplicateKeyError) or codes == {_DUPLICATE}:
        return VersionConflict("Another writer made this resource, or linked it, first.")
    if isinstance(error, DocumentTooLarge) or codes == {_TOO_LARGE}:
        return TooLarge("A resource with its index is over the 16 MB that MongoDB keeps in one document.")
    return error


def _next(change: Change, old: Stored | None, now: datetime, remotes: list[str]) -> Stored:
    """The version that a change makes; `old` itself where it makes none."""
    born = old.born if old else change.born
    links = change.links if change.links is not None else old.links if old else ()
    local = change.local if change.local is not None else old.local if old else {}
    unchanged = old is not None and _same_content(change, old) and (change.local is None or local.items() <= old.local.items())
    version = change.expect if unchanged else change.expect + 1
    links = tuple(replace(link, at=version) if link.at == CURRENT else link for link in links)
    linked = {link.remote for link in links}
    due = {remote for remote in remotes if remote in linked or born is None} if change.type not in UNSYNCED else set()
    if unchanged and old is not None:
        outbox = set(old.outbox) - {change.sent} | set(change.owed)
        if links == old.links and outbox == set(old.outbox):
            return old
        return replace(old, links=links, outbox=tuple(sorted(outbox)))
    outbox = (due | set(old.outbox if old else ())) - {change.sent} | set(change.owed)
    updated = max(now, old.updated + timedelta(milliseconds=1)) if old else now
    mapping = mapping_for(change.raw) if change.raw else None
    found = mapping.extract(change.raw) if mapping and change.raw else None
    if mapping and found:
        local = {**local, **computed(mapping.concept, found.fields)}
    return Stored(
        type=change.type,
        id=change.id,
        version=version,
        updated=updated,
        deleted=change.raw is None,
        text=stamped(change.raw, change.id, version, updated) if change.raw else "",
        concept=mapping.concept if mapping else None,
        local=local if change.raw else {},
        born=born,
        links=links,
        outbox=tuple(sorted(outbox)),
        problems=tuple(f"{problem.path}: {problem.reason}" for problem in found.problems) if found else (),
        put=change.put,
    )


def _same_content(change: Change, old: Stored) -> bool:
    if change.raw is None or old.deleted:
        return change.raw is None and old.deleted
    return same(_comparable(change.raw), _comparable(old.raw))


def _comparable(raw: dict[str, Any]) -> dict[str, Any]:
    meta = {name: value for name, value in (raw.get("meta") or {}).items() if name not in ("versionId", "lastUpdated")}
    return {**{name: value for name, value in raw.items() if name not in ("id", "meta")}, **({"meta": meta} if meta else {})}


def _document(stored: Stored) -> Document:
    """A current version as MongoDB keeps it."""
    body = _archived(stored)
    body["fhir"] |= {"index": index.entries(stored.raw)} if stored.text else {}
    return body | _filled({"_id": stored.id, "links": [link.document() for link in stored.links], "outbox": list(stored.outbox)})


def _archived(stored: Stored) -> Document:
    """A superseded version as the history keeps it: what it said, without index, links and outbox."""
    face = {
        "type": stored.type,
        "id": stored.id,
        "version": stored.version,
        "updated": stored.updated,
        "deleted": stored.deleted,
        "raw": stored.text,
        "problems": list(stored.problems),
        "put": stored.put or None,
    }
    body = {"_id": f"{stored.type}/{stored.id}/{stored.version}", "concept": stored.concept, "local": stored.local, "born": stored.born}
    return _filled(body | {"fhir": _filled(face)})


def _filled(body: Document) -> Document:
    """The body without what is empty: the embedded store takes time for each element of each document that it looks at."""
    return {name: value for name, value in body.items() if value not in (None, [], {})}
