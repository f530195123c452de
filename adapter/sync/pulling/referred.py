"""What pulled resources refer to and is not here: fetched by id, in batches, to a depth and up to a limit."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from adapter.fhir.resource import Raw
from adapter.store.documents import UNSYNCED
from adapter.store.repository import Repository
from adapter.sync.pulling.born import absent
from adapter.sync.pulling.pull import in_order
from adapter.sync.pulling.scope import Scope
from adapter.sync.remotes.visit import Visit

_AT_ONCE = 50


@dataclass
class Referred:
    """The references that one pull met. Those in `wanted` are Type/id there, and not followed yet."""

    visit: Visit
    repository: Repository
    scope: Scope
    wanted: set[str]
    reasons: Counter[str] = field(default_factory=Counter)
    """What was not fetched, and why."""
    met: set[str] = field(default_factory=set)
    """What came in this pull, or was asked for: absent things are not asked for twice."""
    left: set[str] = field(default_factory=set)
    """What the limit leaves for the next pull."""
    fetched: int = 0

    def note(self, type: str, resources: Iterable[Raw]) -> None:
        """Resources that came from the remote."""
        for raw in resources:
            self.met.add(f"{type}/{raw['id']}")
            if self.visit.remote.depth:
                self.wanted.update(self.visit.edge.targets(raw))

    def outstanding(self) -> list[str]:
        """What is still to be fetched."""
        self.wanted = {reference for each in self._absent().values() for reference in each}
        return sorted(self.wanted | self.left)

    def steps(self) -> Iterator[tuple[str, list[Raw]]]:
        """Type and resources to be taken, step by step; those of a step are noted before the next."""
        for _ in range(self.visit.remote.depth):
            absent = self._absent()
            self.wanted = set()
            for type in in_order(absent):
                yield from self._fetch(type, absent[type])

    def _fetch(self, type: str, references: list[str]) -> Iterator[tuple[str, list[Raw]]]:
        for start in range(0, len(references), _AT_ONCE):
            if self.fetched >= self.visit.remote.reference_limit:
                self.left.update(references[start:])
                return
            if found := self._read(type, references[start : start + _AT_ONCE]):
                self.fetched += len(found)
                yield type, found

    def _read(self, type: str, references: list[str]) -> list[Raw]:
        self.met.update(references)
        found = self.visit.single.reads(references)
        there = {reference: raw for reference, raw in found.items() if raw}
        admitted = [raw for reference, raw in there.items() if self.scope.admits(reference, self.visit.edge.targets(raw))]
        self.reasons[f"referred to, and not there: a {type}"] += len(found) - len(there)
        self.reasons[f"referred to, and not shown to us: a {type}"] += len(references) - len(found)
        self.reasons[f"referred to, and of a patient out of the scope: a {type}"] += len(there) - len(admitted)
        return admitted

    def _absent(self) -> Mapping[str, list[str]]:
        """Of what is wanted, by type, what could be read there and is not here."""
        by_type = defaultdict(list)
        for reference in sorted(self.wanted - self.met):
            by_type[reference.partition("/")[0]].append(reference)
        able = {type: each for type, each in by_type.items() if self.visit.capability.supports(type, "read") and type not in UNSYNCED}
        return {type: some for type, each in able.items() if (some := absent(self.repository, self.visit.edge, type, each))}
