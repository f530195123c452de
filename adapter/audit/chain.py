"""A chain of AuditEvents: each entry bears the hash of itself and of the entry before, so that none can be changed or taken out unseen.

Each writer has a chain of its own, so that none waits for another. A chain says nothing of its own end, and who can write to the store can
make a chain anew; both are held by anchors (`anchor`).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

BEGIN = "0" * 64
"""What stands before the first entry of a chain."""


@dataclass(frozen=True)
class Link:
    """The place of an entry: its chain, its number in it from 1 on, the hash of the entry before, and its own."""

    chain: str
    number: int
    before: str
    hash: str

    def document(self) -> dict[str, Any]:
        """As it is kept beside the AuditEvent."""
        return {"id": self.chain, "number": self.number, "before": self.before, "hash": self.hash}

    @staticmethod
    def of(document: Mapping[str, Any]) -> "Link":
        return Link(document["id"], document["number"], document["before"], document["hash"])


@dataclass(frozen=True)
class Head:
    """The last entry of a chain; of one that is empty, BEGIN."""

    number: int = 0
    hash: str = BEGIN


def linked(chain: str, after: Head, reference: str, text: str) -> Link:
    """The link of the entry that comes after another: of the AuditEvent `reference`, whose stored text this is."""
    number = after.number + 1
    return Link(chain, number, after.hash, _hash(chain, number, after.hash, reference, text))


def holds(link: Link, reference: str, text: str) -> bool:
    """Whether a link is that of this AuditEvent."""
    return link.hash == _hash(link.chain, link.number, link.before, reference, text)


def _hash(chain: str, number: int, before: str, reference: str, text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return hashlib.sha256("\n".join((chain, str(number), before, reference, digest)).encode()).hexdigest()


CHANGED, DELETED, INSERTED, CUT, PRUNED = "changed", "deleted", "inserted", "cut", "pruned"


@dataclass(frozen=True)
class Finding:
    """One thing that does not hold of the account."""

    kind: str
    """`changed`: not what was written; `deleted`: entries are missing; `inserted`: was not written then; `cut`: a chain ends before what an
    anchor knows of it; `pruned`: was taken away too early; `anchor`: an anchor is not what was written."""
    text: str
    """Which entries; it names AuditEvents by their ids, and nobody."""

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "text": self.text}


@dataclass
class _Followed:
    """How far a chain was followed."""

    last: Head
    waiting: dict[int, tuple[Link, str]] = field(default_factory=dict)
    """What came before its turn, by number."""


@dataclass
class Follower:
    """Follows all chains at once, whatever order the entries come in.

    `pruned` says by chain up to where entries were taken away by the site itself; `known` what anchors know: by chain and number the hash.
    """

    pruned: Mapping[str, Head]
    known: Mapping[str, Mapping[int, str]]
    entries: int = 0
    _chains: dict[str, _Followed] = field(default_factory=dict)

    @property
    def chains(self) -> int:
        """How many chains there are."""
        return len(self._chains)

    def see(self, reference: str, link: Link, text: str) -> Iterator[Finding]:
        """Take an entry; what does not hold of it and of those that waited for it."""
        self.entries += 1
        if not holds(link, reference, text):
            yield Finding(CHANGED, f"{reference} is not what was written as entry {link.number} of chain {link.chain}.")
        at = self._chain(link.chain)
        if link.number <= at.last.number or link.number in at.waiting:
            pruned = link.number <= self.pruned.get(link.chain, Head()).number
            why = "was pruned, and is still here" if pruned else "is there twice"
            yield Finding(INSERTED, f"{reference}: entry {link.number} of chain {link.chain} {why}.")
            return
        expected = self.known.get(link.chain, {}).get(link.number)
        if expected not in (None, link.hash):
            yield Finding(CHANGED, f"{reference} is not the entry {link.number} of chain {link.chain} that an anchor knows.")
        at.waiting[link.number] = link, reference
        yield from self._on(at)

    def missing(self) -> dict[str, list[int]]:
        """By chain, the numbers before others that are here: up to a hundred, enough to look once more."""
        gaps = {chain: [*islice(_gap(at), 100)] for chain, at in self._chains.items()}
        return {chain: numbers for chain, numbers in gaps.items() if numbers}

    def end(self) -> Iterator[Finding]:
        """What does not hold of the chains as a whole, when all entries were seen."""
        for chain, at in sorted(self._chains.items()):
            while at.waiting:
                first = min(at.waiting)
                yield Finding(DELETED, f"{_numbers(at.last.number + 1, first - 1)} of chain {chain} {_are(at, first)} not here.")
                at.last = Head(first - 1, at.waiting[first][0].before)
                yield from self._on(at)
        for chain, hashes in sorted(self.known.items()):
            at, end = self._chain(chain), max(hashes)
            if end > at.last.number:
                yield Finding(CUT, f"{_numbers(at.last.number + 1, end)} of chain {chain}, which an anchor knows, are cut off.")

    def _chain(self, chain: str) -> _Followed:
        return self._chains.setdefault(chain, _Followed(self.pruned.get(chain, Head())))

    def _on(self, at: _Followed) -> Iterator[Finding]:
        while found := at.waiting.pop(at.last.number + 1, None):
            link, reference = found
            if link.before != at.last.hash:
                yield Finding(CHANGED, f"{reference}, entry {link.number} of chain {link.chain}, does not follow the entry before it.")
            at.last = Head(link.number, link.hash)


def _gap(at: _Followed) -> Iterable[int]:
    return range(at.last.number + 1, min(at.waiting)) if at.waiting else ()


def _numbers(first: int, last: int) -> str:
    return f"Entry {first}" if first == last else f"Entries {first} to {last}"


def _are(at: _Followed, first: int) -> str:
    return "is" if first - at.last.number == 2 else "are"
