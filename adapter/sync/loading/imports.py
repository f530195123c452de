"""How far an import is, kept in the store with what it wrote: after a SIGKILL the same command goes on with the next resource."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

from pymongo.client_session import ClientSession

from adapter.clock import Clock, instant
from adapter.errors import Busy
from adapter.store.documents import Document
from adapter.store.state import State
from adapter.sync.loading.files import Item, Place
from adapter.sync.loading.stretches import Stretch, stretches

_IMPORTS, _STRETCHES, _FAULTS = "imports", "import_stretches", "import_faults"
BECAME = ("created", "updated", "unchanged")
BAD = "bad"

Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Bad:
    """What was not imported: where, and the reason, never a value."""

    place: Place
    reason: str
    late: bool = False
    """Whether it was the store that refused it: then its id counts as having come."""

    def to_json(self) -> dict[str, Any]:
        return {"file": self.place.file, "line": self.place.line, "path": self.place.path, "reason": self.reason}


@dataclass
class Loaded:
    """What became of the resources of an import, by type, and those that were refused."""

    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    bad: list[Bad] = field(default_factory=list)

    def add(self, tally: dict[str, Counter[str]]) -> None:
        """Count what some more resources became."""
        for became, counts in tally.items():
            getattr(self, became).update(counts)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON data."""
        counts = {name: dict(sorted(getattr(self, name).items())) for name in BECAME}
        return {**counts, "bad": [bad.to_json() for bad in self.bad]}


@dataclass(frozen=True)
class Looked:
    """An item of a file after it was looked at: to be kept, unless it is bad or came before with the same content."""

    source: str
    """The key of what it was read from."""
    number: int
    """Which item of that, from 1."""
    item: Item
    fault: str = ""
    again: bool = False

    @property
    def wanted(self) -> bool:
        return not self.fault and not self.again


@dataclass(frozen=True)
class Source:
    """A stretch of a file of an import, and what of it is in the store."""

    key: str
    path: Path
    stretch: Stretch | None
    """None for what can be read only once, such as a pipe: all of it."""
    done: int = 0
    """How many of its items, from the first, have been dealt with."""
    tally: dict[str, Counter[str]] = field(default_factory=dict)
    """What they became, by BECAME and type."""

    @property
    def size(self) -> int:
        """Bytes on the disk, 0 where that is not known."""
        return self.stretch.size if self.stretch else 0

    @property
    def lines(self) -> int:
        """Lines of NDJSON, 0 of what has none or cannot be counted."""
        return self.stretch.lines if self.stretch else 0

    def after(self, looked: Iterable[tuple[Looked, str]]) -> "Source":
        """The same when these, which follow on what was done, have become so."""
        done, tally = self.done, {became: Counter(self.tally.get(became)) for became in BECAME}
        for each, became in looked:
            done = each.number
            if became != BAD and each.item.raw is not None:
                tally[became][each.item.raw["resourceType"]] += 1
        return replace(self, done=done, tally=tally)

    def document(self, run: str) -> Document:
        """As the store remembers it."""
        tally = {became: dict(counts) for became, counts in self.tally.items()}
        stretch = asdict(self.stretch) if self.stretch else None
        return {"run": run, "path": str(self.path), "stretch": stretch, "done": self.done, "tally": tally}

    @staticmethod
    def of(key: str, document: Document) -> "Source":
        stretch = Stretch(**document["stretch"]) if document["stretch"] else None
        tally = {became: Counter(counts) for became, counts in document["tally"].items()}
        return Source(key, Path(document["path"]), stretch, document["done"], tally)


@dataclass(frozen=True)
class Step:
    """What is to be remembered of some items, together with their being written."""

    run: str
    sources: dict[str, tuple[int, Source]]
    """Each stretch as it is then, and how much of it was done before."""
    bad: dict[tuple[str, int], Bad]

    def write(self, state: State, session: ClientSession) -> None:
        """Remember it. Raises Busy where another process has gone on with one of them, so that nothing is counted twice."""
        for key, (before, source) in self.sources.items():
            if not state.swap(_STRETCHES, key, {"done": before}, source.document(self.run), session):
                raise Busy("Another process goes on with this import; nothing more was done.")
            if rows := [{"number": number, **asdict(bad)} for (of, number), bad in self.bad.items() if of == key]:
                state.put(_FAULTS, f"{key}:{source.done}", {"run": self.run, "source": key, "bad": rows}, session)


class Import:
    """An import under way, or a part of it."""

    def __init__(self, state: State, run: str, sources: Iterable[Source], bad: dict[tuple[str, int], Bad]) -> None:
        self.state, self.run = state, run
        self.sources = {source.key: source for source in sources}
        self.bad = bad
        """By the key of the stretch and the number of the item."""

    def after(self, looked: Sequence[tuple[Looked, str]], *, late: bool = False) -> Step:
        """What is to be remembered when these have become so; `late` where it is the store that refuses them."""
        sources = {
            key: (self.sources[key].done, self.sources[key].after((each, became) for each, became in looked if each.source == key))
            for key in dict.fromkeys(each.source for each, _ in looked)
        }
        bad = {(each.source, each.number): Bad(each.item.place, each.fault, late) for each, became in looked if became == BAD}
        return Step(self.run, sources, bad)

    def took(self, step: Step) -> None:
        """Go on from a step that is in the store now."""
        self.sources |= {key: source for key, (_, source) in step.sources.items()}
        self.bad |= step.bad

    @staticmethod
    def kept(state: State, run: str, keys: Sequence[str] | None = None) -> "Import":
        """The import as the store remembers it: all of it, or these of its stretches in their order."""
        of, about = ({"run": run},) * 2 if keys is None else ({"_id": {"$in": [*keys]}}, {"source": {"$in": [*keys]}})
        found = {key: Source.of(key, kept) for key, kept in state.all(_STRETCHES, of)}
        bad = {
            (kept["source"], row["number"]): Bad(Place(**row["place"]), row["reason"], row["late"])
            for _, kept in state.all(_FAULTS, about)
            for row in kept["bad"]
        }
        return Import(state, run, found.values(), bad).of([*found] if keys is None else keys)

    def of(self, keys: Iterable[str]) -> "Import":
        """These of its stretches, in this order."""
        sources = [self.sources[key] for key in keys if key in self.sources]
        wanted = {source.key for source in sources}
        return Import(self.state, self.run, sources, {at: bad for at, bad in self.bad.items() if at[0] in wanted})

    def report(self) -> Loaded:
        """What became of all so far."""
        order = {key: rank for rank, key in enumerate(self.sources)}
        bad = sorted(self.bad.items(), key=lambda item: (order[item[0][0]], item[0][1]))
        loaded = Loaded(bad=[each for _, each in bad])
        for source in self.sources.values():
            loaded.add(source.tally)
        return loaded


def name_of(paths: Iterable[Path]) -> str:
    """What an import of these paths is known by: the same for the same command, given again."""
    return f"import:{digest_of(*sorted(str(path.resolve()) for path in paths))}"


@contextmanager
def importing(
    state: State, name: str, found: Iterable[Path], clock: Clock, session: ClientSession, *, again: bool, say: Say, progress: Progress
) -> Iterator[Import]:
    """The import of this name, begun or gone on with; when it ends well it is forgotten. With `again` it begins anew."""
    kept = state.get(_IMPORTS, name)
    if kept and again:
        _forget(state, name, kept["run"])
        kept = None
    run = kept["run"] if kept else uuid4().hex
    unique = {digest_of(str(path.resolve())): path for path in found}
    now = {}
    for number, (file, path) in enumerate(unique.items(), start=1):
        progress("look through the files", number, len(unique))
        for stretch in tuple(stretches(path)) or (None,):
            key = f"{run}:{file}:{stretch.start if stretch else 0}"
            now[key] = Source(key, path, stretch)
    before = Import.kept(state, run)
    same = {key for key, source in now.items() if (old := before.sources.get(key)) and source.stretch and old.stretch == source.stretch}
    changed = [key for key in now if key in before.sources and key not in same]
    for path in dict.fromkeys(now[key].path for key in changed):
        say(f"{path} is not the file that it was when the import was stopped; what has changed in it starts anew.")
    for key in changed:
        state.drop_all(_FAULTS, {"source": key})
    state.put_all(_STRETCHES, {key: source.document(run) for key, source in now.items() if key not in same}, session)
    if kept:
        done = sum(before.sources[key].done for key in same)
        say(f"Going on with the import of {instant(kept['started'])}, which was stopped after {done} resources. --again starts it anew.")
    else:
        state.put(_IMPORTS, name, {"run": run, "started": clock()})
    yield Import.kept(state, run).of(now)
    _forget(state, name, run)


def _forget(state: State, name: str, run: str) -> None:
    state.drop(_IMPORTS, name)
    for kind in (_STRETCHES, _FAULTS):
        state.drop_all(kind, {"run": run})
    # Of an import that workers had begun, and that was begun anew or ended without them.
    state.drop_all("jobs", {"arguments.run": run})


def digest_of(*texts: str) -> str:
    """One name for several texts, in this order."""
    return blake2b("\0".join(texts).encode(), digest_size=16).hexdigest()
