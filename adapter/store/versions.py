"""The version of a resource that a change makes, and how MongoDB keeps it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapter.fhir.resource import Raw, same
from adapter.mapping.derived import computed
from adapter.mapping.registry import mapping_for
from adapter.store import index
from adapter.store.documents import CURRENT, Change, Document, Link, Stored, stamped, stays


def made_by(change: Change, old: Stored | None, now: datetime, remotes: list[str]) -> Stored:
    """The version that a change makes; `old` itself where it makes none."""
    born = old.born if old else change.born
    links = change.links if change.links is not None else old.links if old else ()
    local = change.local if change.local is not None else old.local if old else {}
    # Whose a Subscription is stands beside its content, and who looks whether it was changed asks for its version.
    unchanged = (
        old is not None
        and change.owner is None
        and same_content(change.raw, old)
        and (change.local is None or local.items() <= old.local.items())
    )
    version = change.expect if unchanged else change.expect + 1
    links = tuple(_dated(link, old.links if old else (), version) for link in links)
    linked = {link.remote for link in links}
    due = {remote for remote in remotes if remote in linked or born is None} if not stays(change) else set()
    if unchanged and old is not None:
        outbox = set(old.outbox) - {change.sent} | set(change.owed)
        if links == old.links and outbox == set(old.outbox):
            return old
        return replace(old, links=links, outbox=tuple(sorted(outbox)))
    outbox = (due | set(old.outbox if old else ())) - {change.sent} | set(change.owed)
    updated = max(now, old.updated + timedelta(milliseconds=1)) if old else now
    mapping = mapping_for(change.raw) if change.raw else None
    found = mapping.extract(change.raw) if mapping and change.raw else None
    if mapping and found:
        local = {**local, **computed(mapping.concept, found.fields)}
    return Stored(
        type=change.type,
        id=change.id,
        version=version,
        updated=updated,
        deleted=change.raw is None,
        text=stamped(change.raw, change.id, version, updated) if change.raw else "",
        concept=mapping.concept if mapping else None,
        local=local if change.raw else {},
        born=born,
        links=links,
        outbox=tuple(sorted(outbox)),
        problems=tuple(f"{problem.path}: {problem.reason}" for problem in found.problems) if found else (),
        put=change.put,
        whose=old.whose if old and not change.raw else (),
    )


def _dated(link: Link, before: tuple[Link, ...], version: int) -> Link:
    """The link with our version as of its agreement; one that was there before stays as it was."""
    if link.at == CURRENT:
        return replace(link, at=version)
    return next((old for old in before if old == link), link if link.at else replace(link, since=version))


def same_content(raw: Raw | None, old: Stored) -> bool:
    """Whether a version with this content, None for a deletion, would say what the old one does."""
    if raw is None or old.deleted:
        return raw is None and old.deleted
    return same(_comparable(raw), _comparable(old.raw))


def _comparable(raw: dict[str, Any]) -> dict[str, Any]:
    meta = {name: value for name, value in (raw.get("meta") or {}).items() if name not in ("versionId", "lastUpdated")}
    return {**{name: value for name, value in raw.items() if name not in ("id", "meta")}, **({"meta": meta} if meta else {})}


def kept(stored: Stored) -> Document:
    """A current version as MongoDB keeps it."""
    body = archived(stored)
    body["fhir"]["index"] = indexed(stored)
    return body | _filled({"_id": stored.id, **_marks(stored)})


def indexed(stored: Stored) -> Document:
    """The search index of a current version: of a deletion, whose it was."""
    if stored.text:
        return index.entries(stored.raw)
    return {index.WHOSE: [*stored.whose]} if stored.whose else {}


def marks(stored: Stored) -> Document:
    """What MongoDB is told of a version of which only links and outbox are others now: its text and index are not sent again."""
    held = _filled(_marks(stored))
    gone = dict.fromkeys(_marks(stored).keys() - held.keys(), "")
    return _filled({"$set": held, "$unset": gone})


def _marks(stored: Stored) -> Document:
    return {"links": [link.document() for link in stored.links], "outbox": list(stored.outbox)}


def archived(stored: Stored) -> Document:
    """A superseded version as the history keeps it: what it said and whose it is, without the rest of the index, links and outbox."""
    face = {
        "type": stored.type,
        "id": stored.id,
        "version": stored.version,
        "updated": stored.updated,
        "deleted": stored.deleted,
        "raw": stored.text,
        "problems": list(stored.problems),
        "put": stored.put or None,
        "index": {index.WHOSE: [*stored.whose]} if stored.whose else None,
    }
    body = {"_id": f"{stored.type}/{stored.id}/{stored.version}", "concept": stored.concept, "local": stored.local, "born": stored.born}
    return _filled(body | {"fhir": _filled(face)})


def _filled(body: Document) -> Document:
    """The body without what is empty: the embedded store takes time for each element of each document that it looks at."""
    return {name: value for name, value in body.items() if value not in (None, [], {})}
