"""The base: the last state that both sides agreed on about a resource, from which a merge tells whose an edit is."""

from adapter.errors import RemoteFatal
from adapter.fhir.client import FhirClient
from adapter.fhir.outcome import ends_all
from adapter.fhir.resource import Raw, parse
from adapter.mapping.merge import Base
from adapter.store.documents import Link, Stored
from adapter.store.repository import Repository
from adapter.sync.edge import Edge


def agreed(repository: Repository, stored: Stored, link: Link) -> Base:
    """The last state both sides agreed on, as each held it."""
    theirs = parse(link.theirs) if link.theirs else None
    ours = repository.vread(stored.type, stored.id, link.at).raw if link.at else theirs
    return Base(ours or {}, theirs or ours or {})


def first_version(client: FhirClient, edge: Edge, there: str) -> Raw:
    """The first version of a resource (Type/id there) in local terms. Nothing counts as agreed where the remote does not tell it."""
    type, _, id = there.partition("/")
    try:
        return edge.to_local(client.vread(type, id, "1").raw)
    except RemoteFatal as error:
        if ends_all(error):
            raise
    try:
        # Elsewhere versions are not numbers: http://hl7.org/fhir/R4/resource.html#Meta
        oldest = [entry.raw for entry in client.history(type, id=id)][-1:]
    except RemoteFatal as error:
        if ends_all(error):
            raise
        oldest = []
    return edge.to_local(oldest[0]) if oldest and oldest[0] else {"resourceType": type}
