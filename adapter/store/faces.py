"""Resources by id, as they are answered."""

from collections.abc import Iterable

from pymongo.database import Database

from adapter.store.by_id import by_id
from adapter.store.documents import Document
from adapter.store.gathering import Gathered
from adapter.store.rows import FACE


class Faces:
    """The current versions by id, for any number of threads; what they want at the same time is read together."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._gathered: dict[str, Gathered[str, Document]] = {}

    def of(self, type: str, ids: Iterable[str]) -> dict[str, Document]:
        """The documents, by id, that a Row is made of; the text of what was deleted is empty."""
        if type not in self._gathered:
            collection = self._database[type]
            self._gathered.setdefault(type, Gathered(lambda ids: {document["_id"]: document for document in by_id(collection, ids, FACE)}))
        return self._gathered[type].of(ids)
