"""References that are to lead to another of our resources: who holds them, and what becomes of the agreements with remotes."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from adapter.fhir.references import rewrite, walk
from adapter.fhir.resource import Raw, content, dumps, same
from adapter.store.documents import CURRENT, Link, Stored
from adapter.store.repository import Repository
from adapter.sync.base import agreed

# They tell what was done to a resource when it was that resource, so their references stay.
_ACCOUNTS = frozenset({"AuditEvent", "Provenance"})

Turn = Callable[[str], str]


def turning(turns: Mapping[str, str]) -> Turn:
    """Leads each `Type/id` that is named to its new one. A reference to one version stays: the other has no such version."""
    return lambda reference: turns.get(reference, reference)


def refers(raw: Raw, references: Collection[str]) -> bool:
    """Whether a resource refers to one of these, in whatever version it is."""
    return any(found["reference"] in references for found in walk(raw))


def referring(repository: Repository, references: Collection[str]) -> Iterator[Stored]:
    """What refers to one of these. Everything is read: not every reference is one that a search parameter finds."""
    for type in repository.types():
        if type in _ACCOUNTS:
            continue
        found = [stored.id for stored in repository.scan(type) if stored.text and refers(stored.raw, references)]
        yield from repository.find_many(type, found).values() if found else ()


def referred(repository: Repository, references: Collection[str]) -> set[str]:
    """Those of these that something made here refers to."""
    made_here = (stored.raw for stored in referring(repository, references) if stored.born is None)
    return {found["reference"] for raw in made_here for found in walk(raw)} & {*references}


def followed(repository: Repository, stored: Stored, raw: Raw, turn: Turn, remotes: Collection[str]) -> tuple[Link, ...]:
    """The links of a resource of which `raw` is the next version, where at these remotes the references mean the new ones too.

    What was agreed stays agreed: the remote's resource has not changed, only what we take its references to mean.
    """
    return tuple(_followed(repository, stored, link, raw, turn) if link.remote in remotes else link for link in stored.links)


def _followed(repository: Repository, stored: Stored, link: Link, raw: Raw, turn: Turn) -> Link:
    theirs = agreed(repository, stored, link).theirs
    turned = rewrite(theirs, turn)
    if turned is theirs:
        return link
    if raw is stored.raw:
        # Ours keeps its reference, so it now says another thing than theirs: that is to be sent.
        return replace(link, at=0, theirs=dumps(turned))
    if link.at == stored.version:
        return replace(link, at=CURRENT, theirs=None if same(content(raw), content(turned)) else dumps(turned))
    return replace(link, theirs=dumps(turned))
