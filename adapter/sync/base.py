"""The base: the last state that both sides agreed on about a resource, from which a merge tells whose an edit is."""

from collections.abc import Iterator, Mapping
from itertools import islice

from adapter.errors import Gone, RemoteFatal
from adapter.fhir.client import FhirClient
from adapter.fhir.outcome import ends_all
from adapter.fhir.resource import Raw, content, parse, same
from adapter.mapping.merge import Base, merge
from adapter.store.documents import Link, Stored
from adapter.store.repository import Repository
from adapter.sync.conflicts.ownership import owners
from adapter.sync.edge import Edge

# Versions of theirs that are looked through for one of ours.
_LOOK_BACK = 50


def agreed(repository: Repository, stored: Stored, link: Link) -> Base:
    """The last state both sides agreed on, as each held it."""
    theirs = parse(link.theirs) if link.theirs else None
    ours = repository.vread(stored.type, stored.id, link.at).raw if link.at else theirs
    return Base(ours or {}, theirs or ours or {})


def outgoing(base: Base, ours: Raw, decisions: Mapping[str, str]) -> Raw:
    """What a remote is to hold of a version of ours, as long as it holds what was agreed: our edits, and all else in its own form."""
    return merge(base, ours, base.theirs, keep="theirs", decisions=decisions).raw


def unsent(repository: Repository, stored: Stored, link: Link, base: Base, settings: Mapping[str, str]) -> Iterator[tuple[Raw, Raw]]:
    """Our versions since both agreed, the newest first, each with what the remote was to hold of it.

    Any of them can be there, and the answer that said so be lost. `settings` are the remote's own owners.
    """
    first = link.at + 1 if link.at else link.since
    for version in range(stored.version, first - 1, -1) if first else ():
        try:
            ours = repository.vread(stored.type, stored.id, version).raw
        except Gone:
            continue
        yield ours, outgoing(base, ours, owners(settings, ours))


def taken(client: FhirClient, edge: Edge, versions: list[tuple[Raw, Raw]], link: Link, theirs: Raw, version: str) -> Base | None:
    """The last state that both sides have held since they agreed, of which no answer told; None where there was none.

    `versions` are `unsent`; `theirs` is what is there now, in local terms, in this version.
    """
    for held in _past(client, edge, link, theirs, version) if versions else ():
        for ours, sent in versions:
            if same(content(sent), content(held)):
                return Base(ours, held)
    return None


def _past(client: FhirClient, edge: Edge, link: Link, theirs: Raw, version: str) -> Iterator[Raw]:
    """Theirs as it is now, and as it was before, back to what was agreed: as far as the remote tells."""
    yield theirs
    if version.isdecimal() and link.version.isdecimal() and int(version) <= int(link.version) + 1:
        return
    type, _, id = link.reference.partition("/")
    try:
        for entry in islice(client.history(type, id=id), _LOOK_BACK):
            if entry.version == link.version:
                return
            if entry.raw:
                yield edge.to_local(entry.raw)
    except RemoteFatal as error:
        if ends_all(error):
            raise


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
