"""Who may see the old versions of a resource: who may see them and all that came after them.

So what is labelled as sensitive later is so in the past too, and what was another patient's is nobody's any more. An old version keeps this
with it; it is written anew only where a change makes a difference, which is seldom.
"""

from collections.abc import Sequence

from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from adapter.access.whose import followed
from adapter.store.documents import Document, Stored
from adapter.store.index import WHOSE

_PATH = f"fhir.index.{WHOSE}"


def follow(database: Database[Document], changes: Sequence[tuple[Stored, Sequence[str]]], session: ClientSession) -> None:
    """Write what changes did to the versions before: of each, the version that was replaced, in the history by now, and whose it is now."""
    _write(database, [(old.reference, old.version, now) for old, now in changes if differs(old, now)], session)


def renew(database: Database[Document], stored: Stored, now: Sequence[str], session: ClientSession) -> None:
    """Write what it does to the versions before that a current version is found to be these owners'."""
    _write(database, [(stored.reference, stored.version - 1, now)], session)


def differs(stored: Stored, now: Sequence[str]) -> bool:
    """Whether these entries tell another owner or category than those that a version is stored with."""
    return sorted(stored.whose) != sorted(now)


def _write(database: Database[Document], past: Sequence[tuple[str, int, Sequence[str]]], session: ClientSession) -> None:
    """Let the past follow: of each resource the reference, the newest version of its past, and whose it is now."""
    writes = []
    for reference, newest, now in past:
        ids = [f"{reference}/{version}" for version in range(1, newest + 1)]
        for document in database["history"].find({"_id": {"$in": ids}}, {_PATH: 1}, session=session):
            before = document["fhir"].get("index", {}).get(WHOSE, ()) if "fhir" in document else ()
            writes.append(UpdateOne({"_id": document["_id"]}, {"$set": {_PATH: followed(before, now)}}))
    if writes:
        database["history"].bulk_write(writes, session=session)
