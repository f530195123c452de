"""All that a database holds, as it is kept, to the byte: read as of one moment, taken out, put back. For backups; it knows no resource."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from adapter.clock import Clock, utc_now
from adapter.errors import StoreUnavailable
from adapter.fhir.dates import BEGIN, END
from adapter.store.bounds import is_embedded
from adapter.store.documents import Document
from adapter.store.restoring import MARK

RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)

# MongoDB's codes: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_SNAPSHOT_TOO_OLD, _SNAPSHOT_UNAVAILABLE, _NO_SUCH_TRANSACTION = 239, 246, 251
_STATE, _UPDATED = "state", "fhir.updated"
_INDEX_OPTIONS = ("unique", "sparse", "expireAfterSeconds", "partialFilterExpression", "collation")
# The embedded store compares each document that it finds with each id of a list.
_AT_ONCE = 100
# So few documents are read by one question.
_FEW = 1000
_FIRST, _DAY, _LEAST = timedelta(minutes=1), timedelta(days=1), timedelta(milliseconds=1)


@dataclass(frozen=True)
class Moment:
    """A database as it was at one moment."""

    database: Database[Document]
    session: ClientSession
    clock: Clock

    def documents(self, name: str) -> Iterator[RawBSONDocument]:
        """The documents of a collection, but for the mark of a restore. Memory holds a few at a time."""
        return _documents(self.database[name], self.session, self.clock)


@contextmanager
def as_of_one_moment(database: Database[Document], clock: Clock = utc_now) -> Iterator[Moment]:
    """The database as it is now, while the context is open, whatever is written meanwhile; nobody waits for that.

    On MongoDB by a snapshot session, which lasts as long as the server keeps old versions (minSnapshotHistoryWindowInSeconds, by default
    300); on the embedded store, which only pretends to have those, by a transaction, which lasts as long as it is asked something within
    each 60 s. Ask for the names of the collections inside of the context, so that none is missed. Raises StoreUnavailable where the moment
    is lost: nothing of another moment is ever read. https://www.mongodb.com/docs/manual/reference/read-concern-snapshot/
    """
    embedded = is_embedded(database.client)
    try:
        with (
            database.client.start_session(snapshot=not embedded) as session,
            session.start_transaction() if embedded else nullcontext(),
        ):
            # The moment is that of the first question.
            database[_STATE].find_one({}, {"_id": 1}, session=session)
            yield Moment(database, session, clock)
    except OperationFailure as error:
        if error.code in (_SNAPSHOT_TOO_OLD, _SNAPSHOT_UNAVAILABLE, _NO_SUCH_TRANSACTION):
            raise StoreUnavailable(
                "The store did not keep the moment long enough to read all of it. Try again; a MongoDB of this size needs a larger "
                "minSnapshotHistoryWindowInSeconds."
            ) from None
        raise


def collections(database: Database[Document]) -> list[str]:
    """The names of all collections, in their order."""
    return sorted(name for name in database.list_collection_names() if not name.startswith("system."))


def indexes(database: Database[Document], name: str) -> list[Document]:
    """The indexes of a collection beside that of `_id`: name, key, and what is unusual about each."""
    found = []
    for each in database[name].list_indexes():
        if each["name"] != "_id_":
            options = {option: each[option] for option in _INDEX_OPTIONS if option in each}
            found.append({"name": each["name"], "key": [[field, order] for field, order in each["key"].items()], **options})
    return sorted(found, key=lambda each: str(each["name"]))


def index(database: Database[Document], name: str, wanted: Sequence[Document]) -> None:
    """Make the indexes of a collection where they are missing."""
    models = [IndexModel([(field, order) for field, order in each["key"]], **_options(each)) for each in wanted]
    if models:
        database[name].create_indexes(models)


def _options(index: Document) -> Document:
    return {name: value for name, value in index.items() if name != "key"}


def _documents(collection: Collection[Document], session: ClientSession | None, clock: Clock) -> Iterator[RawBSONDocument]:
    raw: Collection[Any] = collection.with_options(codec_options=RAW)
    found = _by_time(raw, session, clock) if _is_large(collection) else raw.find({}, session=session, batch_size=_AT_ONCE)
    return (document for document in found if document["_id"] != MARK) if collection.name == _STATE else iter(found)


def _is_large(collection: Collection[Document]) -> bool:
    """Whether the embedded store is better asked for some of it at a time, which can be done by the time of the last change."""
    if not is_embedded(collection.database.client) or collection.estimated_document_count() <= _FEW:
        return False
    return any(each["key"][0][0] == _UPDATED for each in indexes(collection.database, collection.name))


def _by_time(collection: Collection[Any], session: ClientSession | None, clock: Clock) -> Iterator[RawBSONDocument]:
    """Those of a collection of resources or of the history, the latest changed first, in windows of time.

    The embedded store has all that a question finds in memory at once, at ten times its size. A window is as wide as what was found
    lately tells, and where there was nothing twice as wide as before; at most a day, or a quarter of how long ago it is.
    """
    high = now = clock()
    yield from collection.find({_UPDATED: {"$gte": now, "$lt": END}}, session=session, batch_size=_AT_ONCE)
    width = _FIRST
    while high > BEGIN:
        low = high - width if high - BEGIN > width else BEGIN
        count = 0
        for document in collection.find({_UPDATED: {"$gte": low, "$lt": high}}, session=session, batch_size=_AT_ONCE):
            count += 1
            yield document
        high = low
        width = max(_LEAST, min(2 * width, width * _AT_ONCE / max(count, 1), max(_DAY, (now - high) / 4)))


def holds_any(database: Database[Document], name: str) -> bool:
    """Whether a collection holds anything but the mark of a restore."""
    return any(_documents(database[name], None, utc_now))


def clear(database: Database[Document], name: str, check: Callable[[], None]) -> Iterator[int]:
    """Take all out of a collection but the mark of a restore; how many that were by then, on the embedded store again and again.

    `check` is called right before anything is taken out, and raises where that is another's to do by now.
    """
    collection = database[name]
    if not is_embedded(database.client):
        check()
        # Faster than document by document, and nobody's mark is in another one.
        if name == _STATE:
            collection.delete_many({"_id": {"$ne": MARK}})
        else:
            database.drop_collection(name)
        yield 0
        return
    # The embedded store drops a collection key by key, each on the disk by itself: 2,000 documents take it 8 minutes.
    ids, done = (document["_id"] for document in _documents(collection, None, utc_now)), 0
    while some := [*islice(ids, _AT_ONCE)]:
        check()
        collection.delete_many({"_id": {"$in": some}})
        done += len(some)
        yield done


def put(database: Database[Document], name: str, documents: Sequence[RawBSONDocument], session: ClientSession) -> None:
    """Put documents as they were into a collection, in a transaction that the caller began."""
    database[name].insert_many(documents, session=session)
