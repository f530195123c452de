"""What one transaction of the embedded store can hold: beyond that it does not refuse, it hangs.

Measured with SecantusDB 0.7.0b3 and 256 MB of cache, on a store that others read meanwhile: transactions that write up to 28,000 keys of
the search index take some seconds, time after time, of whatever number of resources, and with 10 MB of text. From 30,000 on the second or
third one has no end: it conflicts with itself and is tried again, with all processors busy. An update takes away the old keys and adds
the new ones.
"""

from math import inf

from pymongo import MongoClient

from adapter.errors import TooLarge
from adapter.store.documents import Document
from adapter.store.index import KEYS

MOST_KEYS = 20_000


def is_embedded(client: MongoClient[Document]) -> bool:
    """Whether it is the embedded store: nothing else is connected to without retried writes (decision 003)."""
    return not client.options.retry_writes


class Bound:
    """How much of what one transaction can hold is taken. Both raise TooLarge for a document that the embedded store cannot keep too."""

    def __init__(self, client: MongoClient[Document]) -> None:
        self._left = MOST_KEYS if is_embedded(client) else inf

    def made(self, document: Document) -> Document:
        """A document that is new."""
        return self._counted(document, _keys(document))

    def replaced(self, document: Document) -> Document:
        """A document that replaces another."""
        return self._counted(document, 2 * _keys(document))

    def _counted(self, document: Document, keys: int) -> Document:
        self._left -= keys
        if self._left < 0:
            raise TooLarge(
                f"What is to be written in one transaction has more than {MOST_KEYS} search keys, which is what the embedded store takes: "
                "divide the Bundle, or use a MongoDB (CASEBRIDGE_DB)."
            )
        return document


def _keys(document: Document) -> int:
    return len(document["fhir"].get("index", {}).get(KEYS, ()))
