"""The account of who saw and did what, as it is kept: AuditEvents, each with its link beside it, and the anchors. What is written is final.

A link is written with its AuditEvent, so nothing more has to be written for it; which entries are new since an anchor their time says.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from bson.codec_options import DatetimeConversion
from pymongo.database import Database

from adapter.audit import chain as chains
from adapter.audit.anchor import LATE, Anchor, Anchors, check
from adapter.audit.chain import CHANGED, INSERTED, Finding, Follower, Head, Link
from adapter.audit.event import TYPE
from adapter.errors import CasebridgeError, Forbidden, Invalid
from adapter.fhir.dates import BEGIN, END
from adapter.fhir.resource import parse
from adapter.store.documents import CODEC, Change, Document, Stored
from adapter.store.filters import one_of
from adapter.store.state import State

LINK = "chain"
"""Beside an AuditEvent, its link."""
_ANCHORS = "anchors"
_AT_ONCE = 100
# BSON has times beyond those of Python; whoever writes one into the account is to be found, not to end the search.
_ANY_TIME = CODEC.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
Progress = Callable[[str, int, int], None]


class Chain:
    """One writer's chain, for one transaction at a time."""

    def __init__(self) -> None:
        self._id, self._head, self._next = uuid4().hex[:16], Head(), Head()

    def begin(self) -> None:
        """Begin a transaction, or begin it anew."""
        self._next = self._head

    def kept(self, stored: Stored, document: Document) -> Document:
        """The document of what is new, with its link where it is an AuditEvent."""
        if stored.type != TYPE:
            return document
        link = chains.linked(self._id, self._next, stored.reference, stored.text)
        self._next = Head(link.number, link.hash)
        return {**document, LINK: link.document()}

    def end(self) -> None:
        """The transaction is done."""
        self._head = self._next

    @property
    def pending(self) -> bool:
        """Whether it is not known of an entry that it is there."""
        return self._next is not self._head


class Writers:
    """The chains of one process: as many as are written at the same time."""

    def __init__(self) -> None:
        self._free: deque[Chain] = deque()

    @contextmanager
    def chain(self) -> Iterator[Chain]:
        """A chain that nobody else writes meanwhile. Of one whose transaction may have been carried out or not, nothing more is written."""
        try:
            chain = self._free.pop()
        except IndexError:
            chain = Chain()
        try:
            yield chain
            chain.end()
        except CasebridgeError:
            chain.begin()
            raise
        finally:
            if not chain.pending:
                self._free.append(chain)


def is_entry(changes: Sequence[Change]) -> bool:
    """Whether they are one new AuditEvent and nothing else."""
    return len(changes) == 1 and (one := changes[0]) == Change(TYPE, one.id, one.raw, 0) and one.raw is not None


def check_new(stored: Stored) -> None:
    """Raise Forbidden for another version, or the deletion, of an AuditEvent."""
    if stored.type == TYPE:
        raise Forbidden("An AuditEvent is neither changed nor deleted: it is a part of the account.")


def anchors(database: Database[Document]) -> Anchors:
    """The anchors, as they are kept."""
    return Anchors.of(document for _, document in _anchors(database))


def anchor(database: Database[Document], moment: datetime) -> Anchor | None:
    """The latest anchor, made now if there is anything that none knows of; None where there is nothing at all.

    Raises Invalid where what was kept last is no anchor any more: nothing can follow it.
    """
    while True:
        before = _latest(database)
        if not (heads := _moved(database, before)):
            return before.last
        if made := _made(database, before, Anchor(0, moment, heads=heads)):
            return made


def _moved(database: Database[Document], before: Anchors) -> dict[str, Head]:
    """The heads of the chains that have moved since the last anchor."""
    heads: dict[str, Head] = {}
    for link in _links(database, before.last.at - LATE if before.last else BEGIN, END):
        if link.number > max(heads.get(link.chain, Head()).number, before.heads.get(link.chain, Head()).number):
            heads[link.chain] = Head(link.number, link.hash)
    return heads


def prune(database: Database[Document], moment: datetime, until: datetime) -> int:
    """Take away what is dated before a time; how many those were. An anchor says first which, so that what is left still holds.

    What an earlier attempt left behind goes too. Raises Invalid where the account does not hold: then nothing is taken away.
    """
    before = _latest(database)
    if faults := [*verify(database, left=frozenset(map(str, _left(database, before.pruned, until))))]:
        raise Invalid(f"The account does not hold, so nothing was taken away: {faults[0].text}")
    while cuts := _cuts(database, before.pruned, until):
        if _made(database, before, Anchor(0, moment, heads=_moved(database, before), pruned=cuts, until=until)):
            break
        before = _latest(database)
    return _swept(database, anchors(database).pruned, until)


def _cuts(database: Database[Document], pruned: dict[str, Head], until: datetime) -> dict[str, Head]:
    """By chain, up to where it is old, as the texts of its entries say: what stands beside them is in no hash."""
    old: dict[str, dict[int, str]] = {}
    for _, link, _ in _old(database, until):
        old.setdefault(link.chain, {})[link.number] = link.hash
    return {chain: head for chain, hashes in old.items() if (head := _cut(pruned.get(chain, Head()), hashes))}


def _cut(pruned: Head, hashes: dict[int, str]) -> Head | None:
    """Up to where a chain is old without a gap; None for nothing."""
    number = pruned.number
    while number + 1 in hashes:
        number += 1
    return Head(number, hashes[number]) if number > pruned.number else None


def _old(database: Database[Document], until: datetime) -> Iterator[tuple[str, Link, str]]:
    """The id, the link and the text of each entry that is old, as both its text and the date beside it say."""
    for document in database[TYPE].find(_dated(BEGIN, until), _SHOWN):
        entry = _entry(document)
        if entry and (dated := _updated(entry[1])) and dated < until:
            yield document["_id"], *entry


def _left(database: Database[Document], pruned: dict[str, Head], until: datetime) -> Iterator[str]:
    """The ids of what anchors say was taken away and is here still, as it was written: a link alone anybody may put beside an entry."""
    for id, link, text in _old(database, until):
        if link.number <= pruned.get(link.chain, Head()).number and chains.holds(link, f"{TYPE}/{id}", text):
            yield id


def _swept(database: Database[Document], pruned: dict[str, Head], until: datetime) -> int:
    gone = [*_left(database, pruned, until)]
    for start in range(0, len(gone), _AT_ONCE):
        database[TYPE].delete_many({"_id": one_of(gone[start : start + _AT_ONCE])})
    return len(gone)


def verify(
    database: Database[Document], held: str | None = None, progress: Progress = lambda *_: None, left: Set[str] = frozenset()
) -> Iterator[Finding]:
    """What does not hold of the account: of the anchors, of each AuditEvent, of the chains. `held` is the hash of an anchor kept elsewhere.

    What is written meanwhile may be looked at or not. Not looked at are the AuditEvents of the ids in `left`.
    """
    documents = [document for _, document in _anchors(database)]
    yield from check(documents, held, State(database).now())
    known = Anchors.of(documents)
    follower = Follower(known.pruned, known.known)
    collection = database[TYPE].with_options(codec_options=_ANY_TIME)
    total = collection.estimated_document_count()
    for number, document in enumerate(collection.find({}, _SHOWN), 1):
        # Whoever may write to the store can put one in whose id is no text.
        if str(document["_id"]) not in left:
            yield from _seen(follower, known, document)
        if number % _AT_ONCE == 0:
            progress("verify audit", number, total)
    # One that was written just before another may come after it, and then not be among those that are read.
    for chain, numbers in follower.missing().items():
        for document in collection.find({f"{LINK}.id": chain, f"{LINK}.number": {"$in": numbers}}, _SHOWN):
            yield from _seen(follower, known, document)
    yield from follower.end()


_SHOWN = {LINK: 1, "fhir.raw": 1, "fhir.deleted": 1, "fhir.updated": 1}


def _seen(follower: Follower, known: Anchors, document: Document) -> Iterator[Finding]:
    reference, entry = f"{TYPE}/{document['_id']}", _entry(document)
    if entry is None:
        yield Finding(INSERTED, f"{reference} is in no chain.")
        return
    (link, text), face = entry, document["fhir"]
    if face.get("deleted"):
        yield Finding(CHANGED, f"{reference} is hidden as if it were deleted.")
    found, dated = [*follower.see(reference, link, text)], _updated(text)
    yield from found
    if not found and (dated is None or dated != face.get("updated")):
        yield Finding(CHANGED, f"{reference} is not dated as its text says.")
    if dated:
        yield from known.too_late(reference, link, dated)


def _updated(text: str) -> datetime | None:
    """When an AuditEvent was written, as its text says; None where it does not say so."""
    try:
        dated = datetime.fromisoformat(parse(text)["meta"]["lastUpdated"])
    except (CasebridgeError, KeyError, TypeError, ValueError):
        return None
    return dated if dated.tzinfo else None


def _entry(document: Document) -> tuple[Link, str] | None:
    """The link and the text of an entry; None for what is none."""
    link, face = _link(document), document.get("fhir")
    text = face.get("raw") if isinstance(face, dict) else None
    return (link, text) if link and isinstance(text, str) else None


def _link(document: Document) -> Link | None:
    held = document.get(LINK)
    kinds = {"id": str, "number": int, "before": str, "hash": str}
    if not isinstance(held, dict) or not all(isinstance(held.get(name), kind) for name, kind in kinds.items()):
        return None
    return Link.of(held)


def _dated(low: datetime, high: datetime) -> dict[str, Any]:
    return {"fhir.updated": {"$gte": low, "$lt": high}}


def _links(database: Database[Document], low: datetime, high: datetime) -> Iterator[Link]:
    """The links of what is dated from a time on and before another."""
    return filter(None, map(_link, database[TYPE].find(_dated(low, high), {LINK: 1})))


def _anchors(database: Database[Document]) -> Iterator[tuple[str, Document]]:
    found = database[_ANCHORS].with_options(codec_options=_ANY_TIME).find().sort("_id")
    return ((str(document.pop("_id")), document) for document in found)


def _latest(database: Database[Document]) -> Anchors:
    """The anchors, that another may follow. Raises Invalid where the last that is kept is none any more."""
    kept = [*_anchors(database)]
    known = Anchors.of(document for _, document in kept)
    if kept and not ((last := Anchor.of(kept[-1][1])) and kept[-1][0] == _id(last)):
        raise Invalid("The last anchor is not what was written, so none can follow it: casebridge audit verify tells more.")
    return known


def _id(anchor: Anchor) -> str:
    return f"{anchor.number:010}"


def _made(database: Database[Document], before: Anchors, wanted: Anchor) -> Anchor | None:
    """The anchor, kept as the next; None where another was faster."""
    last = before.last or Anchor(0, wanted.at)
    made = replace(wanted, number=last.number + 1, before=last.hash if before.last else chains.BEGIN)
    return made if State(database).add(_ANCHORS, _id(made), made.document()) else None
