"""In which order resources can be sent: what is referred to first, circles of references together or in two phases, deletions last."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from adapter.errors import Invalid
from adapter.fhir.references import split, without
from adapter.fhir.resource import check_structure
from adapter.sync.plan import Entry, targets

Graph = Mapping[str, Collection[str]]


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """The entries so that what is referred to comes first, deletions last and the other way round; circles stay together."""
    listed = list(entries)
    writes, deletions = ([entry for entry in listed if (entry.action == "delete") is last] for last in (False, True))
    return [*_flat(groups(writes)), *reversed(_flat(groups(deletions)))]


def _flat(grouped: Iterable[list[Entry]]) -> list[Entry]:
    return [entry for group in grouped for entry in group]


def groups(entries: list[Entry]) -> Iterator[list[Entry]]:
    """The entries in groups that must go together, each after all that it leads to: circles of references, and the others alone."""
    by_reference = {entry.reference: entry for entry in entries}
    for circle in circles(_graph(by_reference)):
        yield [by_reference[name] for name in circle]


def _graph(entries: Mapping[str, Entry]) -> dict[str, list[str]]:
    """Who waits for whom. An update waits for nobody's: what is updated is there already."""
    waited_for = {name for name, entry in entries.items() if entry.action != "update"}
    return {name: [to for to in _said_of(entry) if to in waited_for] for name, entry in entries.items()}


def _said_of(entry: Entry) -> Iterable[str]:
    """Whom that refers to which decides about an entry's place: what is to be there, or for a deletion what is there."""
    return targets(entry.theirs or {}) if entry.action == "delete" else entry.refers_to


def batches(entries: list[Entry], size: int, alone: Collection[str] = ()) -> Iterator[list[Entry]]:
    """The entries in runs of at most `size`, but a circle of references is never cut unless it is larger than that by itself.

    `alone` names those that share their run with nobody else but their circle.
    """
    run: list[Entry] = []
    for group in groups(entries):
        single = any(entry.reference in alone for entry in group)
        if run and (single or len(run) + len(group) > size):
            yield run
            run = []
        run += group
        if single:
            yield run
            run = []
    if run:
        yield run


def levels(entries: list[Entry]) -> Iterator[list[Entry]]:
    """The entries in runs in which none refers to another, each run after all that it refers to. Raises Invalid for a circle."""
    by_reference = {entry.reference: entry for entry in entries}
    graph = _graph(by_reference)
    level: dict[str, int] = {}
    for circle in circles(graph):
        if len(circle) > 1:
            raise Invalid("Resources that refer to each other cannot be sent without each other.")
        level[circle[0]] = 1 + max((level[to] for to in graph[circle[0]] if to != circle[0]), default=-1)
    for height in range(max(level.values(), default=-1) + 1):
        yield [by_reference[name] for name in level if level[name] == height]


def waves(entries: list[Entry]) -> list[list[list[Entry]]]:
    """The groups in waves: no group of a wave waits for another of it, nor for one of a later wave."""
    by_reference = {entry.reference: entry for entry in entries}
    graph = _graph(by_reference)
    height: dict[str, int] = {}
    found: list[list[list[Entry]]] = []
    for circle in circles(graph):
        above = 1 + max((height[to] for name in circle for to in graph[name] if to in height), default=-1)
        height.update(dict.fromkeys(circle, above))
        found += [[]] * (above == len(found))
        found[above].append([by_reference[name] for name in circle])
    return found


def in_phases(circle: list[Entry]) -> list[Entry]:
    """A circle of creates in an order in which each can be made by itself, without its references to those that come later.

    What is left out is to be written by an update when all are there. Where R4 requires those references of each of them, the rest comes
    as it is: the remote will say what it thinks of them.
    """
    left = {entry.reference: entry for entry in circle}
    placed: list[Entry] = []
    while left:
        tried = sorted((_without(entry, left.keys() - {entry.reference}) for entry in left.values()), key=lambda pair: pair[0])
        found = next((entry for _, entry in tried if _is_whole(entry)), None)
        if found is None:
            return [*placed, *left.values()]
        del left[found.reference]
        placed.append(found)
    return placed


def _without(entry: Entry, later: Collection[str]) -> tuple[int, Entry]:
    """How many references the entry has to those, and the entry without them."""
    lost = sum(1 for to in entry.refers_to if to in later)
    return lost, replace(entry, target=without(entry.target or {}, lambda text: _named(text) in later)) if lost else entry


def _named(reference: str) -> str:
    parts = split(reference)
    return f"{parts[0]}/{parts[1]}" if parts else ""


def _is_whole(entry: Entry) -> bool:
    """Whether R4 takes it as it is."""
    try:
        check_structure(entry.target or {})
    except Invalid:
        return False
    return True


def circles(graph: Graph) -> Iterator[list[str]]:
    """The strongly connected groups of a graph, each after all it leads to (Tarjan's algorithm, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    stacked: set[str] = set()
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        stacked.add(root)
        while work:
            node, following = work[-1]
            advanced = False
            for to in following:
                if to not in number:
                    number[to] = low[to] = len(number)
                    stack.append(to)
                    stacked.add(to)
                    work.append((to, iter(graph[to])))
                    advanced = True
                    break
                if to in stacked:
                    low[node] = min(low[node], number[to])
            if advanced:
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == number[node]:
                group = stack[stack.index(node) :]
                del stack[-len(group) :]
                stacked.difference_update(group)
                yield group
