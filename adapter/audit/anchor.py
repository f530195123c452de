"""Anchors: what all chains came to at a moment, chained themselves. Whoever keeps the hash of one elsewhere can show that nothing that it
knows of was changed, whoever writes to the store.
"""

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any

import msgspec

from adapter.audit.chain import BEGIN, INSERTED, PRUNED, Finding, Head, Link
from adapter.clock import instant
from adapter.fhir import dates

ANCHOR = "anchor"
LATE = timedelta(minutes=10)
"""By how much an entry may be dated before it is there: transactions last up to a minute, and clocks of servers differ."""
_encoder = msgspec.json.Encoder(order="sorted")
_Heads = dict[str, tuple[int, str]]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _Kept(msgspec.Struct):
    """An anchor as it is kept: whoever can write to the store can leave anything in its place."""

    number: int
    at: _Time
    before: str
    heads: _Heads
    pruned: _Heads
    until: _Time | None = None


@dataclass(frozen=True)
class Anchor:
    """The heads of the chains that have moved since the anchor before. `pruned`: the last entries that were taken away since then, all of
    which are dated before `until`."""

    number: int
    at: datetime
    before: str = BEGIN
    heads: Mapping[str, Head] = field(default_factory=dict)
    pruned: Mapping[str, Head] = field(default_factory=dict)
    until: datetime | None = None

    @cached_property
    def hash(self) -> str:
        """By which it is known elsewhere."""
        return hashlib.sha256(_encoder.encode(self._said())).hexdigest()

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {**self._said(), "hash": self.hash}

    def _said(self) -> dict[str, Any]:
        heads = {name: _plain(several) for name, several in (("heads", self.heads), ("pruned", self.pruned))}
        until = {"until": instant(self.until)} if self.until else {}
        return {"number": self.number, "at": instant(self.at), "before": self.before, **heads, **until}

    @staticmethod
    def of(document: Mapping[str, Any]) -> "Anchor | None":
        """From what is kept; None where that is no anchor any more."""
        try:
            kept = msgspec.convert(document, _Kept)
        except msgspec.ValidationError:
            return None
        if not all(dates.BEGIN + LATE <= moment <= dates.END for moment in (kept.at, kept.until or kept.at)):
            return None
        heads, pruned = ({chain: Head(*each) for chain, each in several.items()} for several in (kept.heads, kept.pruned))
        return Anchor(kept.number, kept.at, kept.before, heads, pruned, kept.until)


def _plain(heads: Mapping[str, Head]) -> dict[str, list[Any]]:
    return {chain: [head.number, head.hash] for chain, head in heads.items()}


@dataclass(frozen=True)
class Pruning:
    """What an anchor says was taken away: how many entries, and before when they are dated."""

    anchor: int
    at: datetime
    until: datetime
    entries: int

    @property
    def kept(self) -> timedelta:
        """How old each of them was at least."""
        return self.at - self.until

    def to_json(self) -> dict[str, Any]:
        return {"anchor": self.anchor, "at": instant(self.at), "until": instant(self.until), "entries": self.entries}

    def __str__(self) -> str:
        return (
            f"Anchor {self.anchor} of {instant(self.at)} took away {self.entries} entries, all dated before {instant(self.until)}: "
            f"{self.kept // timedelta(days=1)} days old at least."
        )


@dataclass(frozen=True)
class Anchors:
    """All anchors of a store, in order, and what they know together."""

    several: Sequence[Anchor]

    @staticmethod
    def of(documents: Iterable[Mapping[str, Any]]) -> "Anchors":
        """From what is kept, without what is no anchor any more (`check` tells of that)."""
        return Anchors([*filter(None, map(Anchor.of, documents))])

    @property
    def last(self) -> Anchor | None:
        return self.several[-1] if self.several else None

    @cached_property
    def heads(self) -> dict[str, Head]:
        """By chain, the last entry that an anchor knows."""
        return {chain: head for anchor in self.several for chain, head in anchor.heads.items()}

    @cached_property
    def pruned(self) -> dict[str, Head]:
        """By chain, the last entry that was taken away."""
        return {chain: head for anchor in self.several for chain, head in anchor.pruned.items()}

    @cached_property
    def known(self) -> dict[str, dict[int, str]]:
        """By chain and number the hash, of the entries that are to be here still."""
        found: dict[str, dict[int, str]] = defaultdict(dict)
        for anchor in self.several:
            for chain, head in anchor.heads.items():
                if head.number > self.pruned.get(chain, Head()).number:
                    found[chain][head.number] = head.hash
        return found

    def too_late(self, reference: str, link: Link, dated: datetime) -> Iterator[Finding]:
        """Whether an entry is of a time of which an anchor would have to know it."""
        first = bisect_left(self._times, dated, key=lambda at: at - LATE)
        if first < len(self._times) and link.number > self._reached(link.chain):
            yield Finding(
                INSERTED,
                f"{reference}, entry {link.number} of chain {link.chain}, is dated before anchor {self.several[first].number}, which does "
                "not know it, nor does a later one.",
            )

    @cached_property
    def prunings(self) -> Sequence[Pruning]:
        """What was taken away, the latest first."""
        made, gone = [], dict[str, int]()
        for anchor in self.several:
            entries = sum(max(0, head.number - gone.get(chain, 0)) for chain, head in anchor.pruned.items())
            gone |= {chain: head.number for chain, head in anchor.pruned.items()}
            if anchor.pruned:
                made.append(Pruning(anchor.number, anchor.at, anchor.until or anchor.at, entries))
        return made[::-1]

    def early(self, held: str, days: int | None) -> Iterator[Finding]:
        """What was taken away since somebody kept the hash of an anchor, though it was not yet older than so many days, None for ever."""
        since = {anchor.hash: anchor.number for anchor in self.several}.get(held, 0)
        return (Finding(PRUNED, str(each)) for each in self.prunings if each.anchor > since and is_early(each, days))

    @cached_property
    def _times(self) -> list[datetime]:
        return [anchor.at for anchor in self.several]

    def _reached(self, chain: str) -> int:
        return self.heads.get(chain, Head()).number


def is_early(pruning: Pruning, days: int | None) -> bool:
    """Whether what was taken away is not older than so many days, None for ever."""
    return days is None or pruning.kept < timedelta(days=days)


def check(documents: Sequence[Mapping[str, Any]], held: str | None = None, now: datetime = dates.END) -> Iterator[Finding]:
    """What does not hold of anchors as they are kept, in order of their numbers; `held` is the hash of one that somebody kept elsewhere."""
    before, found, past = BEGIN, set(), _Past()
    for number, document in enumerate(documents, 1):
        anchor, said = Anchor.of(document), document.get("hash")
        if anchor is None or anchor.hash != said:
            yield Finding(ANCHOR, f"Anchor {number} is not what was written.")
        elif (anchor.number, anchor.before) != (number, before):
            yield Finding(ANCHOR, f"Anchor {anchor.number} does not follow the one before it, or that is not here.")
        else:
            found.add(anchor.hash)
        if anchor:
            yield from past.see(anchor)
            if anchor.at - LATE > now:
                yield Finding(ANCHOR, f"Anchor {anchor.number} is dated after now.")
        before = said if isinstance(said, str) else BEGIN
    if held is not None and held not in found:
        yield Finding(ANCHOR, "The anchor that was kept elsewhere is not here: what it knew may have been made anew.")


@dataclass
class _Past:
    """What anchors say one after the other, as far as a pruning has to agree with it."""

    times: list[datetime] = field(default_factory=list)
    heads: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """By chain, the number of the last entry, and how many anchors there were before it was known."""
    hashes: dict[tuple[str, int], str] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)

    def see(self, anchor: Anchor) -> Iterator[Finding]:
        """Take the next anchor; what cannot be of when it was made and of what it says was taken away."""
        if self.times and anchor.at < self.times[-1] - LATE:
            yield Finding(ANCHOR, f"Anchor {anchor.number} is dated before the one before it.")
        for chain, head in anchor.heads.items():
            self.heads[chain].append((head.number, len(self.times)))
            self.hashes[chain, head.number] = head.hash
        self.times.append(anchor.at)
        for chain, head in anchor.pruned.items():
            if fault := self._fault(chain, head, anchor):
                yield Finding(ANCHOR, f"Anchor {anchor.number} says that chain {chain} was pruned up to entry {head.number}, {fault}.")
            self.gone[chain] = head.number

    def _fault(self, chain: str, head: Head, anchor: Anchor) -> str | None:
        if anchor.until is None or anchor.until > anchor.at:
            return "and not of what time"
        if head.number <= self.gone.get(chain, 0):
            return "which was gone before"
        if self.hashes.get((chain, head.number), head.hash) != head.hash:
            return "which is not the one that an anchor knows"
        several = self.heads.get(chain, [])
        first = bisect_left(several, (head.number, 0))
        if first == len(several):
            return "which no anchor knows"
        _, known = several[first]
        if known and self.times[known - 1] - LATE >= anchor.until:
            return f"all dated before {instant(anchor.until)}, and an anchor that was made later does not know it"
        return None
