"""Plans made and carried out while a page waits: one at a time for a remote, in a thread, with how far it is."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from uuid import uuid4

from adapter.clock import instant
from adapter.errors import Busy, Conflict
from adapter.sync.bridge import Bridge
from adapter.sync.plan import Entry
from adapter.sync.rehearsal.saved_plan import read
from server import errors

SHOWN = 200
"""How many entries of a plan a page shows."""


@dataclass
class Rehearsal:
    """What is known of a remote's plan: `state` is working, planned, done or failed."""

    path: Path
    id: str = field(default_factory=lambda: uuid4().hex)
    """By which a page says which plan it showed."""
    state: str = "working"
    what: str = ""
    done: int = 0
    total: int = 0
    problem: str = ""
    made: str = ""
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By direction, type and action."""
    shown: list[Entry] = field(default_factory=list)
    left: int = 0
    """Of a plan that was carried out: the entries that were not, since something moved."""

    @property
    def writes(self) -> int:
        """How many resources the plan changes on either side."""
        return sum(count for (_, _, action), count in self.counts.items() if action not in ("unchanged", "skip", "conflict", "dead"))

    def progress(self, what: str, done: int, total: int) -> None:
        self.what, self.done, self.total = what, done, total


class Rehearsals:
    """The plans of all remotes, each the last that was made since the server was started."""

    def __init__(self, bridge: Bridge, folder: Path) -> None:
        self._bridge, self._folder = bridge, folder
        self._known: dict[str, Rehearsal] = {}
        self._lock = Lock()

    def of(self, remote: str) -> Rehearsal | None:
        """The last plan for this remote."""
        return self._known.get(remote)

    def plan(self, remote: str) -> None:
        """Begin to make a plan. Raises NotFound; Busy where one is being made or carried out."""
        self._bridge.remotes.get(remote)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = self._begin(remote, Rehearsal(self._folder / f"{remote}.plan"))
        self._start(made, lambda: self._make(remote, made))

    def apply(self, remote: str, shown: str) -> None:
        """Begin to carry out the plan that was shown, by its id, and nothing else. Raises Busy where there is none to carry out; Conflict
        where another was made since."""
        with self._lock:
            found = self._known.get(remote)
            if found is None or found.state != "planned":
                raise Busy("There is no plan that waits to be carried out; make one first.")
            if found.id != shown:
                raise Conflict("Another plan was made since this one was shown; look at that one before it is carried out.")
            found.state, found.done, found.total = "working", 0, 0
        self._start(found, lambda: self._carry_out(found))

    def _begin(self, remote: str, made: Rehearsal) -> Rehearsal:
        with self._lock:
            found = self._known.get(remote)
            if found and found.state == "working":
                raise Busy("A plan for this remote is being made or carried out.")
            self._known[remote] = made
        return made

    def _make(self, remote: str, made: Rehearsal) -> None:
        for entry in self._bridge.save(remote, made.path, progress=made.progress):
            made.counts[entry.direction, entry.type, entry.action] += 1
            if entry.action != "unchanged" and len(made.shown) < SHOWN:
                made.shown.append(entry)
        made.made = instant(self._bridge.clock())
        made.state = "planned"

    def _carry_out(self, made: Rehearsal) -> None:
        saved = read(made.path)
        self._bridge.carry_out(saved, progress=made.progress)
        made.path.unlink(missing_ok=True)
        made.left, made.state = len(saved.left), "done"

    @staticmethod
    def _start(made: Rehearsal, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - the thread's outermost line: a plan that is never done keeps every other waiting
                made.problem, made.state = errors.named(error).text, "failed"

        Thread(target=run, daemon=True, name="rehearsal").start()
