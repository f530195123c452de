"""Push: what we owe a remote, planned as creates, updates and deletes, and put in an order in which every reference has its target."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from adapter.config import SYNTHETIC_TAG
from adapter.fhir.capability import Capability
from adapter.fhir.references import split, walk
from adapter.fhir.resource import Raw, content, has_tag, same
from adapter.mapping.merge import diff, merge
from adapter.store.documents import UNSYNCED, Change, Stored
from adapter.store.repository import Repository
from adapter.sync.plan import Entry
from adapter.sync.pull import agreed, owners
from adapter.sync.remotes import Remote, Remotes


def seed(repository: Repository, remotes: Remotes, remote: Remote) -> None:
    """Put on the outbox of a new remote what was made here, or changed here, while it was not known."""
    if remotes.seeded(remote.name):
        return
    for type in repository.types():
        for stored in list(repository.scan(type)):
            if _unsent(stored, remote.name) and remote.name not in stored.outbox:
                raw = None if stored.deleted else stored.raw
                repository.commit([Change(type, stored.id, raw, stored.version, owed=(remote.name,))])
    remotes.mark_seeded(remote.name)


def _unsent(stored: Stored, remote: str) -> bool:
    """Whether the remote has not got this version; what was born at another remote is no business of this one's."""
    if stored.type in UNSYNCED:
        return False
    link = stored.link(remote)
    if link is None:
        return remote in stored.outbox or (stored.born is None and not stored.deleted)
    return remote in stored.outbox or link.at != stored.version


@dataclass(frozen=True)
class Pusher:
    """Plans what one remote has to be told."""

    repository: Repository
    remote: Remote
    capability: Capability
    in_conflict: Callable[[str], bool]
    seeded: bool = True
    """Whether what was made before the remote was added is on its outbox yet; see `seed`."""

    def owed(self) -> Iterator[Stored]:
        """What the remote has not got yet."""
        if self.seeded:
            yield from self.repository.owed(self.remote.name)
            return
        for type in self.repository.types():
            yield from (stored for stored in self.repository.scan(type) if _unsent(stored, self.remote.name))

    def plan(self) -> list[Entry]:
        """An entry for each resource that is owed, in the order in which they can be sent."""
        entries = [self.entry(stored) for stored in self.owed()]
        return ordered(self._blocked(entries))

    def entry(self, stored: Stored) -> Entry:
        """What the remote has to be told about one resource."""
        link = stored.link(self.remote.name)
        entry = Entry("push", "unchanged", stored.type, stored.id, link.reference if link else None, stored=stored)
        if self.in_conflict(stored.reference):
            return replace(entry, action="conflict", reason="a person has yet to decide")
        if stored.deleted:
            return replace(entry, action="delete", version=link.version) if link else entry
        if self.remote.sandbox and not synthetic(stored.raw):
            return replace(entry, action="skip", reason="not tagged as synthetic, and the remote is a sandbox")
        interaction = "update" if link else "create"
        if not self.capability.supports(stored.type, interaction):
            return replace(entry, action="skip", reason=f"the remote does not {interaction} {stored.type}")
        if link is None:
            return replace(entry, action="create", target=stored.raw)
        base = agreed(self.repository, stored, link)
        merged = merge(base, stored.raw, base.theirs, keep="theirs", decisions=owners(stored.raw))
        entry = replace(entry, target=merged.raw, theirs=base.theirs, version=link.version)
        if same(content(merged.raw), content(base.theirs)):
            return entry
        return replace(entry, action="update", changes=tuple(diff(base.theirs, merged.raw)))

    def _blocked(self, entries: list[Entry]) -> list[Entry]:
        """Entries whose references lead to something that the remote has not and will not get are skipped, and so on up."""
        sent = {entry.reference for entry in entries if entry.action in ("create", "update", "unchanged") and entry.target is not None}
        known: dict[str, bool] = {}
        while True:
            kept = [
                replace(entry, action="skip", reason=f"refers to a {missing} that the remote does not have")
                if entry.action in ("create", "update") and (missing := self._missing(entry, sent, known))
                else entry
                for entry in entries
            ]
            now = {entry.reference for entry in kept if entry.action in ("create", "update", "unchanged") and entry.target is not None}
            if now == sent:
                return kept
            entries, sent = kept, now

    def _missing(self, entry: Entry, sent: set[str], known: dict[str, bool]) -> str | None:
        for reference in targets(entry.target or {}):
            if reference in sent:
                continue
            if reference not in known:
                type, _, id = reference.partition("/")
                stored = self.repository.find(type, id)
                # One that is not here either was never ours to translate: it goes out as it is, and the remote judges it.
                known[reference] = stored is None or stored.link(self.remote.name) is not None
            if not known[reference]:
                return reference.partition("/")[0]
        return None


def synthetic(raw: Raw) -> bool:
    """Whether the resource is tagged as synthetic data."""
    return has_tag(raw, SYNTHETIC_TAG)


def targets(raw: Raw) -> Iterator[str]:
    """The Type/id of each resource that this one refers to."""
    for reference in walk(raw):
        if parts := split(reference["reference"]):
            yield f"{parts[0]}/{parts[1]}"


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """The entries so that what is referred to comes first, deletions last and the other way round; circles stay together."""
    listed = list(entries)
    by_reference = {entry.reference: entry for entry in listed if entry.action != "delete"}
    placed: dict[str, None] = {}
    for group in circles({name: [to for to in targets(entry.target or {}) if to in by_reference] for name, entry in by_reference.items()}):
        placed.update(dict.fromkeys(group))
    return [by_reference[name] for name in placed] + [entry for entry in listed if entry.action == "delete"]


def circles(graph: dict[str, list[str]]) -> Iterator[list[str]]:
    """The strongly connected groups of a graph, each after all it leads to (Tarjan's algorithm, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        while work:
            node, following = work[-1]
            advanced = False
            for to in following:
                if to not in number:
                    number[to] = low[to] = len(number)
                    stack.append(to)
                    work.append((to, iter(graph[to])))
                    advanced = True
                    break
                if to in stack:
                    low[node] = min(low[node], number[to])
            if advanced:
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == number[node]:
                group = stack[stack.index(node) :]
                del stack[stack.index(node) :]
                yield group


def batches(entries: list[Entry], size: int) -> Iterator[list[Entry]]:
    """The entries in runs of at most `size`, but a circle of references is never cut unless it is larger than that by itself."""
    by_reference = {entry.reference: entry for entry in entries}
    graph = {name: [to for to in targets(entry.target or {}) if to in by_reference] for name, entry in by_reference.items()}
    run: list[Entry] = []
    for group in circles(graph):
        if run and len(run) + len(group) > size:
            yield run
            run = []
        run += [by_reference[name] for name in group]
    if run:
        yield run
