"""What a search finds: a resource as the text that a read answers."""

from dataclasses import dataclass
from datetime import datetime

from adapter.store.documents import Document

FACE = {"fhir.type": 1, "fhir.id": 1, "fhir.version": 1, "fhir.updated": 1, "fhir.raw": 1}
"""The projection that a Row needs."""


@dataclass(frozen=True)
class Row:
    """A resource that was found: its text is what a read answers."""

    type: str
    id: str
    version: int
    updated: datetime
    text: str

    @staticmethod
    def of(document: Document) -> "Row":
        face = document["fhir"]
        return Row(face["type"], face["id"], face["version"], face["updated"], face["raw"])
