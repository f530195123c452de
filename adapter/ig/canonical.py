"""What every published resource starts with: http://hl7.org/fhir/R4/metadatatypes.html#MetadataResource"""

from importlib.metadata import version

from adapter.config import BASE
from adapter.fhir.resource import Raw

VERSION = version("casebridge")
PUBLISHER = "casebridge"
# The day on which the definitions changed last. One that moved with each build would make every build another package.
DATE = "2026-11-23"


def url_of(type: str, id: str) -> str:
    """The canonical url of what we publish."""
    return f"{BASE}/{type}/{id}"


def canonical(type: str, id: str, description: str, *, title: str = "") -> Raw:
    """The head of a published resource: who it is, in which version, and what it is for."""
    words = id.replace("-", " ")
    return {
        "resourceType": type,
        "id": id,
        "url": url_of(type, id),
        "version": VERSION,
        "name": "".join(part[:1].upper() + part[1:] for part in id.split("-")),
        "title": title or words[:1].upper() + words[1:],
        "status": "active",
        "experimental": False,
        "date": DATE,
        "publisher": PUBLISHER,
        "description": description,
    }
