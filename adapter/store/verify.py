"""Whether the store holds together: every face against its record, index, links, history and outbox. Findings hold no resource's value."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from adapter.clock import instant
from adapter.errors import Invalid, VersionConflict
from adapter.fhir.references import split, walk
from adapter.fhir.resource import parse
from adapter.mapping.registry import mapping_for
from adapter.store import cards, remote_keys
from adapter.store.documents import Document, Stored
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.store.versions import indexed

Progress = Callable[[str, int, int], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """One thing that does not hold. A note is worth knowing and no fault: something else may be meant to be so."""

    kind: str
    """face, record, index, meta, link, history or outbox; for a note also reference"""
    resource: str
    """Type/id"""
    text: str
    note: bool = False
    repaired: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "resource": self.resource, "text": self.text, "note": self.note, "repaired": self.repaired}


def verify(repository: Repository, *, repair: bool = False, progress: Progress = lambda *_: None) -> Iterator[Finding]:
    """What does not hold, in all that is stored. With `repair`, search indexes are written anew; nothing else is touched.

    Everything is read in batches; of a type's links, the keys are held. A resource that is written meanwhile may be told as a finding
    that a second run does not repeat.
    """
    types = repository.types()
    remotes = {name for name, _ in State(repository.database).all("remotes")}
    for type in types:
        collection = repository.collection(type)
        total, done = collection.estimated_document_count(), 0
        keys: dict[str, str] = {}
        for documents in _batches(collection.find({})):
            for document in documents:
                yield from _document(repository, type, document, keys, remotes, repair)
            yield from _missing_versions(repository, type, documents)
            yield from _dangling(repository, types, type, documents)
            done += len(documents)
            progress(f"verify {type}", done, total)
    yield from _orphans(repository, types)
    yield from _remote_keys(repository, types)
    yield from _cards(repository)


_REMOTE_KEYS = {remote_keys.LINKED: "link", remote_keys.NAMED: "link", remote_keys.OWED: "outbox"}


def _batches(items: Iterable[T], size: int = 200) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _document(
    repository: Repository, type: str, document: Document, keys: dict[str, str], remotes: set[str], repair: bool
) -> Iterator[Finding]:
    name = f"{type}/{document['_id']}"
    try:
        stored = Stored.of(document)
        raw = stored.raw if stored.text else {}
    except (KeyError, TypeError, AttributeError, Invalid) as error:
        # The error's text could hold what it failed on.
        yield Finding("face", name, f"cannot be read ({error.__class__.__name__})")
        return
    if (stored.type, stored.id) != (type, document["_id"]):
        yield Finding("face", name, "is stored under another type or id than it says")
    if stored.deleted != (not stored.text):
        yield Finding("face", name, "is deleted and has content, or is neither")
    if stored.text:
        yield from _stamp(name, stored)
    yield from _record(name, stored)
    if document["fhir"].get("index", {}) != indexed(stored):
        yield Finding("index", name, "is not what the resource gives", repaired=repair and _reindexed(repository, stored))
    elif type in cards.TYPES and cards.held(repository.database, name) != cards.expected(name, raw):
        yield Finding("index", name, "its card is not what the resource gives", repaired=repair and _reindexed(repository, stored))
    yield from _links(name, stored, document, keys)
    for remote in sorted(set(stored.outbox) - remotes):
        yield Finding("outbox", name, f"is owed to {remote}, which is not configured", note=True)


def _stamp(name: str, stored: Stored) -> Iterator[Finding]:
    """What the text says of itself is what the store says of it."""
    meta = stored.raw.get("meta") or {}
    if (stored.raw.get("resourceType"), stored.raw.get("id")) != (stored.type, stored.id):
        yield Finding("meta", name, "the text says another type or id")
    if meta.get("versionId") != str(stored.version):
        yield Finding("meta", name, "the text says another version")
    if meta.get("lastUpdated") != instant(stored.updated):
        yield Finding("meta", name, "the text says another time of the last update")


def _record(name: str, stored: Stored) -> Iterator[Finding]:
    """It is the record of the concept that the resource reads as, and putting it back changes nothing."""
    mapping = mapping_for(stored.raw) if stored.text else None
    if stored.concept != (mapping.concept if mapping else None):
        yield Finding("record", name, f"is kept as {stored.concept or 'no concept'} and reads as {mapping.concept if mapping else 'none'}")
        return
    if mapping and mapping.overlay(stored.raw, stored.record) is not stored.raw:
        yield Finding("face", name, "would change if its own record were written to it")


def _links(name: str, stored: Stored, document: Document, keys: dict[str, str]) -> Iterator[Finding]:
    for body, link in zip(document.get("links", ()), stored.links, strict=True):
        if body != link.document() or split(link.reference) is None or link.remote != body["remote"]:
            yield Finding("link", name, f"to {link.remote} is not of a known shape")
        elif not 0 <= link.at <= stored.version or (link.at == 0 and link.theirs is None):
            yield Finding("link", name, f"to {link.remote} names no state that both sides agreed on")
        elif link.theirs is not None and not _is_json(link.theirs):
            yield Finding("link", name, f"to {link.remote} holds an agreed content that is not JSON")
        if keys.setdefault(link.key, name) != name:
            yield Finding("link", name, f"to {link.remote} leads to the same resource there as that of {keys[link.key]}")
    if len({link.remote for link in stored.links}) != len(stored.links):
        yield Finding("link", name, "has two links to one remote")


def _is_json(text: str) -> bool:
    try:
        parse(text)
    except Invalid:
        return False
    return True


def _reindexed(repository: Repository, stored: Stored) -> bool:
    """Whether the index is written anew: not where another writer came first, who wrote it too."""
    try:
        repository.reindex(stored)
    except VersionConflict:
        return False
    return True


def _missing_versions(repository: Repository, type: str, documents: list[Document]) -> Iterator[Finding]:
    """Every version before the current one is in the history."""
    wanted = {
        f"{type}/{document['_id']}/{version}": f"{type}/{document['_id']}"
        for document in documents
        for version in range(1, _version(document))
    }
    for ids in _batches(wanted):
        there = {found["_id"] for found in repository.database["history"].find({"_id": {"$in": ids}}, {"_id": 1})}
        for id in (id for id in ids if id not in there):
            yield Finding("history", wanted[id], f"version {id.rpartition('/')[2]} is missing")


def _version(document: Document) -> int:
    face = document.get("fhir")
    version = face.get("version") if isinstance(face, dict) else None
    return version if isinstance(version, int) else 0


def _orphans(repository: Repository, types: list[str]) -> Iterator[Finding]:
    """Every version in the history is older than the current one of a resource that there is."""
    for batch in _batches(found["_id"] for found in repository.database["history"].find({}, {"_id": 1})):
        parts = [(str(id).split("/"), id) for id in batch]
        current: dict[str, int] = {}
        for type in {names[0] for names, _ in parts} & set(types):
            ids = list({names[1] for names, _ in parts if names[0] == type and len(names) == 3})
            found = repository.collection(type).find({"_id": {"$in": ids}}, {"fhir.version": 1})
            current.update({f"{type}/{document['_id']}": _version(document) for document in found})
        for names, _ in parts:
            name = "/".join(names[:2])
            if name not in current:
                yield Finding("history", name, "has old versions and no current one")
            elif not names[-1].isdigit() or not 0 < int(names[-1]) < current[name]:
                yield Finding("history", name, f"has an old version {names[-1]} that is not before the current one")


def _remote_keys(repository: Repository, types: list[str]) -> Iterator[Finding]:
    """What is looked up by remote is what the resources say, no more and no less."""
    told = {name: dict(remote_keys.all_keys(repository.database, name)) for name in _REMOTE_KEYS}
    having = {"$or": [{"links": {"$exists": True}}, {"outbox": {"$exists": True}}]}
    for type in types:
        for document in repository.collection(type).find(having, {"links.key": 1, "links.named": 1, "outbox": 1}):
            reference = f"{type}/{document['_id']}"
            for name, keys in remote_keys.expected(reference, document.get("links", ()), document.get("outbox", ())).items():
                for key in keys:
                    if told[name].pop(key, None) != reference:
                        yield Finding(_REMOTE_KEYS[name], reference, "cannot be looked up by the name that a remote knows it by")
    for name, keys_left in told.items():
        for reference in keys_left.values():
            yield Finding(_REMOTE_KEYS[name], reference, "is looked up by a name that it does not have")


def _cards(repository: Repository) -> Iterator[Finding]:
    """Every card is of a resource that there is; that it says what the resource does is looked at with the resource."""
    for batch in _batches(cards.all_ids(repository.database)):
        for type in {id.partition("/")[0] for id in batch}:
            ids = [id.partition("/")[2] for id in batch if id.startswith(f"{type}/")]
            there = repository.find_many(type, ids) if type in cards.TYPES else {}
            for id in (id for id in ids if id not in there):
                yield Finding("index", f"{type}/{id}", "has a card, and is not here")


def _dangling(repository: Repository, types: list[str], type: str, documents: list[Document]) -> Iterator[Finding]:
    """References to what is not here: no fault, since the target may live elsewhere."""
    wanted: dict[tuple[str, str], set[str]] = {}
    for document in documents:
        for target in _targets(document):
            wanted.setdefault(target, set()).add(f"{type}/{document['_id']}")
    for target_type in sorted({of for of, _ in wanted}):
        ids = [id for of, id in wanted if of == target_type]
        there: set[str] = set()
        for batch in _batches(ids) if target_type in types else ():
            query = {"_id": {"$in": batch}, "fhir.deleted": False}
            there |= {found["_id"] for found in repository.collection(target_type).find(query, {"_id": 1})}
        for id in (id for id in ids if id not in there):
            for name in sorted(wanted[target_type, id]):
                yield Finding("reference", name, f"refers to a {target_type} that is not here", note=True)


def _targets(document: Document) -> Iterator[tuple[str, str]]:
    try:
        raw = parse(document["fhir"]["raw"] or "{}")
    except (Invalid, KeyError, TypeError):
        return
    for reference in walk(raw):
        if parts := split(reference["reference"]):
            yield parts[0], parts[1]
