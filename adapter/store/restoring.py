"""The mark of a database that is being restored, so that nobody works with one that is half there.

It is one of the small documents that each commit reads anyway, so who is at work already is kept out too.
"""

from pymongo.database import Database

from adapter.errors import StoreUnavailable
from adapter.store.documents import Document

MARK = "restoring"
"""Its id in the collection `state`."""


def refuse_half_restored(database: Database[Document]) -> None:
    """Raise StoreUnavailable for a database that is being restored, or whose restore was stopped."""
    if database["state"].find_one({"_id": MARK}, {"_id": 1}):
        raise half_restored()


def half_restored() -> StoreUnavailable:
    """What is said of it."""
    return StoreUnavailable("This database is being restored and is not whole. If that was stopped: the same `casebridge restore` goes on.")
