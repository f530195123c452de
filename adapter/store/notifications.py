"""What subscribers have not been told yet: a durable queue for each Subscription, in order.

A notification is written in the transaction that makes the change, names a version, and holds nothing of it. It goes when it was delivered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pymongo
from pymongo.client_session import ClientSession
from pymongo.database import Database

from adapter.errors import VersionConflict
from adapter.store.documents import CODEC, Document, Stored

DELETE = "delete"
"""The event that leaves nothing to be sent but that it happened."""
_COLLECTION = "notifications"
# How much of a queue is dropped in one step: not so much that others wait for it.
_STRETCH = 500


@dataclass(frozen=True)
class Notification:
    """That a version of a resource was made, for one Subscription. `event` is create, update or delete."""

    queue: str
    type: str
    id: str
    version: int
    at: datetime
    event: str
    accounted: str | None = None
    """The address under which it is written down whom it tells of what: once, however often it is sent there."""

    @staticmethod
    def of(queue: str, stored: Stored, event: str) -> "Notification":
        return Notification(queue, stored.type, stored.id, stored.version, stored.updated, event)

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"

    @property
    def key(self) -> str:
        """Its place in the queue, as text: by moment, then by what it is about. The versions of a resource never have the same moment."""
        return f"{self.queue}/{self.at:%Y%m%dT%H%M%S.%f}/{self.reference}/{self.version}"


class Notifications:
    """Reads and writes of the queues."""

    def __init__(self, database: Database[Document]) -> None:
        self._all = database.with_options(codec_options=CODEC)[_COLLECTION]

    def ensure_indexes(self) -> None:
        """Create the index by queue where it is missing."""
        # The embedded store reads all of a collection for a range of _id (0.5 s of 20,000), and 0.04 ms for each that an equality finds.
        self._all.create_indexes([pymongo.IndexModel([("queue", 1)], name="queue")])

    def add(self, several: Sequence[Notification], session: ClientSession) -> None:
        """Queue them, in the transaction that makes what they tell of."""
        self._all.insert_many([{"_id": each.key, **vars(each)} for each in several], session=session)

    def oldest(self, queue: str, limit: int) -> list[Notification]:
        """The next of a queue, in order."""
        found = self._all.find({"queue": queue}, {"_id": 0}, sort=[("_id", pymongo.ASCENDING)], limit=limit, batch_size=limit)
        return [Notification(**document) for document in found]

    def waiting(self, queue: str) -> bool:
        """Whether there is anything in a queue."""
        return self._all.find_one({"queue": queue}, {"_id": 1}) is not None

    def count(self, queue: str) -> int:
        """How many there are in a queue."""
        return self._all.count_documents({"queue": queue})

    def account(self, notification: Notification, to: str, session: ClientSession) -> None:
        """Note that it is written down under this address whom a notification tells of what, in the transaction that writes it.

        Raises VersionConflict where it was taken out of its queue meanwhile, or written down by another.
        """
        now = {"_id": notification.key, "accounted": notification.accounted}
        if not self._all.update_one(now, {"$set": {"accounted": to}}, session=session).matched_count:
            raise VersionConflict("Another process has told this notification.")

    def drop(self, notification: Notification) -> None:
        """Take a notification that was delivered out of its queue."""
        self._all.delete_one({"_id": notification.key})

    def drop_all(self, queue: str) -> None:
        """Empty a queue that nobody is told of any more."""
        while keys := [document["_id"] for document in self._all.find({"queue": queue}, {"_id": 1}, limit=_STRETCH)]:
            self._all.delete_many({"_id": {"$in": keys}})
