"""Documents by id, however many."""

from collections.abc import Iterable, Iterator

from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from adapter.store.documents import Document
from adapter.store.filters import one_of

# The embedded store compares each document that it finds with each id of the list.
_AT_ONCE = 100


def by_id(
    collection: Collection[Document], ids: Iterable[str], shown: Document | None = None, session: ClientSession | None = None
) -> Iterator[Document]:
    """Those that are there, deleted ones too, in no order; `shown` is the projection."""
    wanted = [*ids]
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        yield from collection.find({"_id": one_of(some)}, shown, session=session, batch_size=len(some) + 1)
