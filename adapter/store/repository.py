"""The one door for writes of records and resources: version-checked, all or nothing, with history, index and outbox."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from pymongo import ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DocumentTooLarge, DuplicateKeyError, PyMongoError

from adapter.clock import Clock, utc_now
from adapter.errors import CasebridgeError, Gone, NotFound, TooLarge, VersionConflict
from adapter.store import cards, index, past, reads, remote_keys, restoring, subscriptions, trail
from adapter.store.bounds import Bound
from adapter.store.by_id import by_id
from adapter.store.documents import CODEC, Change, Document, Stored
from adapter.store.faces import Faces
from adapter.store.gathering import Gathered
from adapter.store.insertion import Insertion
from adapter.store.notifications import Notification, Notifications
from adapter.store.rows import Row
from adapter.store.search import ensure_indexes
from adapter.store.versions import archived, indexed, kept, made_by, marks

if TYPE_CHECKING:
    from adapter.store.sight import Sight

# MongoDB's codes: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_DUPLICATE, _TOO_LARGE = 11000, 10334
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

    sight: "Sight | None" = None
    """What somebody sees of it; None where it is all."""

    def __init__(self, database: Database[Document], clock: Clock = utc_now) -> None:
        self.database = database.with_options(codec_options=CODEC)
        self.faces = Faces(self.database)
        self._commits = Gathered(self._together)
        self._writers = trail.Writers()
        self.clock = clock
        self.notifications = Notifications(self.database)
        self.on_queued: Callable[[set[str]], None] | None = None
        """Called after a commit that queued notifications, with the names of the queues."""
        self.beside: Callable[[Sequence[Change]], AbstractContextManager[Sequence[Change]]] = lambda _: nullcontext(())
        """Entered around each commit: what is to be committed with its changes, the account of who does it. A failure raises in it."""
        self._ready: set[str] = set()
        self._listed: set[str] = set()
        self._session: ClientSession | None = None
        self._fence: Also | None = None

    @property
    def whole(self) -> "Repository":
        """The store without anybody's sight: for rules that need all of it, and tell nothing that is not seen."""
        return self

    def collection(self, type: str) -> Collection[Document]:
        """The collection of a resource type, with its indexes."""
        if type not in self._ready:
            # Outside of any transaction: a collection cannot be indexed inside one.
            ensure_indexes(self.database, type)
            remote_keys.ensure_indexes(self.database)
            if type in cards.TYPES:
                cards.ensure_indexes(self.database)
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
            restoring.refuse_half_restored(self.database)
            names = {"$addToSet": {"names": {"$each": sorted(types)}}}
            self.database["state"].update_one({"_id": _TYPES}, names, upsert=True)
            self._listed |= types

    def find(self, type: str, id: str) -> Stored | None:
        """The current version, deleted or not; None for what never was."""
        document = self.collection(type).find_one({"_id": id})
        found = Stored.of(document) if document else None
        reads.note(type, id, found.version if found else reads.NOTHING)
        return found

    def find_many(self, type: str, ids: Iterable[str], session: ClientSession | None = None) -> dict[str, Stored]:
        """The current versions of those that exist, by id."""
        wanted = list(ids)
        found = {document["_id"]: Stored.of(document) for document in by_id(self.collection(type), wanted, session=session)}
        for id in wanted:
            reads.note(type, id, found[id].version if id in found else reads.NOTHING)
        return found

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
        for stored in map(Stored.of, self.collection(type).find(query or {})):
            reads.note(type, stored.id, stored.version)
            yield stored

    def owed(self, remote: str) -> Iterator[Stored]:
        """What a remote has not got yet, deleted ones too."""
        by_type: dict[str, list[str]] = defaultdict(list)
        for reference in remote_keys.owed(self.database, remote):
            type, _, id = reference.partition("/")
            by_type[type].append(id)
        for type, ids in by_type.items():
            yield from map(Stored.of, by_id(self.collection(type), ids))

    def linked(self, key: str) -> Stored | None:
        """The resource that has this link, such as `hospital|Patient/1000`."""
        reference = remote_keys.linked(self.database, key)
        return self.find(*reference.split("/")) if reference else None

    def commit(self, changes: Sequence[Change], *, also: Also | None = None) -> list[Stored]:
        """Carry out all changes or none, in one transaction; what is unchanged is not written again.

        `also` runs inside the transaction. Raises VersionConflict where a resource is not at the expected version, TooLarge.
        """
        with self.beside(changes) as beside:
            return self._committed([*changes, *beside], also)[: len(changes)]

    def _committed(self, changes: Sequence[Change], also: Also | None) -> list[Stored]:
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
            with self._writers.chain() as chain:
                if trail.is_entry(changes) and not (also or self._session) and (entry := self._by_itself(changes[0], chain)):
                    return [entry]
                with self._in_session() as session:
                    results, queued = session.with_transaction(lambda session: self._commit(changes, also, chain, session))
        except (DuplicateKeyError, DocumentTooLarge, BulkWriteError) as error:
            raise _named(error) from None
        if queued and self.on_queued:
            self.on_queued({notification.queue for notification in queued})
        return results

    def _by_itself(self, change: Change, chain: trail.Chain) -> Stored | None:
        """A new AuditEvent, kept without a transaction, which takes a sixth more: one document is there whole or not at all. None where it
        is to be told to a Subscription too."""
        chain.begin()
        stored = made_by(change, None, self.clock(), [])
        if subscriptions.due(self._informed()[1], [(None, stored)]):
            return None
        self.database[stored.type].insert_one(Bound(self.database.client).made(chain.kept(stored, kept(stored))))
        return stored

    @contextmanager
    def using(self, session: ClientSession, fence: Also | None = None) -> Iterator[None]:
        """Commit in this session while the context is open, in one thread: whoever knows its id can end what we may leave open.

        `fence` is part of each transaction; it raises where nothing more is to be written.
        """
        self._session, self._fence = session, fence
        try:
            yield
        finally:
            self._session = self._fence = None

    def _in_session(self) -> AbstractContextManager[ClientSession]:
        return nullcontext(self._session) if self._session else self.database.client.start_session()

    def _commit(
        self, changes: Sequence[Change], also: Also | None, chain: trail.Chain, session: ClientSession
    ) -> tuple[list[Stored], list[Notification]]:
        chain.begin()
        now = self.clock()
        if self._fence:
            self._fence(session)
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
        replaced: dict[str, list[tuple[Document, int]]] = defaultdict(list)
        marked: dict[str, list[Stored]] = defaultdict(list)
        history: list[Document] = []
        superseded: list[tuple[Stored, Sequence[str]]] = []
        made: list[subscriptions.Made] = []
        touched: list[subscriptions.Made] = []
        results = []
        bound = Bound(self.database.client)
        for change in changes:
            _expected(change, current.get((change.type, change.id)))
        with Insertion(lambda type, documents: self.database[type].insert_many(documents, session=session)) as insertion:
            for change in changes:
                old = current.get((change.type, change.id))
                stored = made_by(change, old, now, remotes)
                results.append(stored)
                if stored is not old:
                    touched.append((old, stored))
                if old is None or stored.version != old.version:
                    made.append((old, stored))
                if old is None:
                    insertion.add(change.type, bound.made(chain.kept(stored, kept(stored))))
                elif stored.version == old.version:
                    if stored is not old:
                        marked[change.type].append(stored)
                else:
                    trail.check_new(stored)
                    history.append(archived(old))
                    document = kept(stored)
                    superseded.append((old, document["fhir"].get("index", {}).get(index.WHOSE, ())))
                    replaced[change.type].append((bound.replaced(document), old.version))
            insertion.end()
        for type, versions in replaced.items():
            writes = [ReplaceOne({"_id": document["_id"], "fhir.version": version}, document) for document, version in versions]
            self._write(type, writes, session)
        for type, same in marked.items():
            self._write(type, [UpdateOne({"_id": stored.id, "fhir.version": stored.version}, marks(stored)) for stored in same], session)
        if history:
            self.database["history"].insert_many(history, session=session)
            past.follow(self.database, superseded, session)
        remote_keys.follow(self.database, touched, session)
        cards.follow(self.database, touched, session)
        queued = subscriptions.due(rows, made)
        if queued:
            self.notifications.add(queued, session)
        owners = {change.id: change.owner for change in changes if change.owner}
        self._register(rows, subscriptions.following(rows, made, owners), session)
        if also:
            also(session)
        return results, queued

    def subscribed(self) -> tuple[subscriptions.Row, ...]:
        """The register of Subscriptions."""
        return subscriptions.registered(self.database)

    def forget(self, queue: str) -> None:
        """Drop what a deleted Subscription was not told, and with it the last that is known of it."""
        self.notifications.drop_all(queue)

        def drop(session: ClientSession) -> None:
            _, rows = self._informed(session)
            self._register(rows, tuple(row for row in rows if row.queue != queue), session)

        with self.database.client.start_session() as session:
            session.with_transaction(drop)

    def reindex(self, stored: Stored) -> None:
        """Write a resource's search index anew, its card, and who may see its past. Raises VersionConflict where it is no longer at this
        version."""
        # Nothing else of it: links and outbox may be others by now at the same version.
        entries = indexed(stored)
        now = UpdateOne({"_id": stored.id, "fhir.version": stored.version}, {"$set": {"fhir.index": entries}})
        whose = entries.get(index.WHOSE, ())
        # What was nobody's has a past of nobody's, which stays so.
        moved = bool(stored.whose) and past.differs(stored, whose)

        def renew(session: ClientSession) -> None:
            self._write(stored.type, [now], session)
            if moved:
                past.renew(self.database, stored, whose, session)
            if stored.type in cards.TYPES:
                cards.renew(self.database, stored, session)

        if stored.type not in cards.TYPES and not moved:
            self._write(stored.type, [now])
            return
        with self._in_session() as session:
            session.with_transaction(renew)

    def _write(self, type: str, writes: Sequence[ReplaceOne[Document] | UpdateOne], session: ClientSession | None = None) -> None:
        """Change as many documents, in one command: on the embedded store each of its own takes 3 ms, not 2."""
        if self.database[type].bulk_write(writes, session=session).matched_count != len(writes):
            raise VersionConflict(f"This {type} was changed by another writer just now.")

    def _informed(self, session: ClientSession | None = None) -> tuple[list[str], tuple[subscriptions.Row, ...]]:
        """The remotes and the Subscriptions that are to get what is written here: read in the transaction, so that no write misses one."""
        ids = ["remotes", subscriptions.REGISTER, restoring.MARK]
        found = {each["_id"]: each for each in self.database["state"].find({"_id": {"$in": ids}}, session=session)}
        if restoring.MARK in found:
            raise restoring.half_restored()
        return list(found["remotes"]["push"]) if "remotes" in found else [], subscriptions.rows(found.get(subscriptions.REGISTER))

    def _register(self, old: tuple[subscriptions.Row, ...], new: tuple[subscriptions.Row, ...], session: ClientSession) -> None:
        if new != old:
            body = {"_id": subscriptions.REGISTER, **subscriptions.register(new)}
            self.database["state"].replace_one({"_id": subscriptions.REGISTER}, body, upsert=True, session=session)


def _expected(change: Change, old: Stored | None) -> None:
    """Raise VersionConflict where the resource is not as the change was made against."""
    if (old.version if old else 0) != change.expect:
        raise VersionConflict(f"This {change.type} is not at the version that the change was made against.")
    if old and change.seen is not None and change.seen != old.links:
        raise VersionConflict(f"This {change.type} was linked by another writer just now.")


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
