"""The exports that were asked for: what is remembered of each until it expires. How far it is written is a place, moved piece by piece.

A place speaks of what is in the files already. Whoever goes on from it writes files of their own, and moves it only while nobody else
has taken the export over: so no file has two writers, and what one wrote behind the place is never told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from pymongo.client_session import ClientSession

from adapter.errors import Busy, NotFound
from adapter.store.documents import Change, Document
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.exporting.asked import Asked
from adapter.sync.exporting.eyes import Eyes
from adapter.sync.workers.jobs import FAILED, Job, unbegun

TASK = "export"
LIFE = timedelta(days=1)
"""How long the files of an export that is done can be read, and one that failed be asked about."""
LAG = timedelta(seconds=60)
"""By how much an export's time is before its start: MongoDB ends a transaction after 60 s, so what is dated earlier and not there by then
will never be. Whoever asks for what changed since then misses nothing that was being written, and gets that last minute twice."""

_EXPORTS, _JOBS = "served_exports", "jobs"


@dataclass(frozen=True)
class Step:
    """A part of the work: which choice is made of what type, and about how many resources there are to look at."""

    choice: str
    type: str
    count: int


@dataclass(frozen=True)
class Made:
    """A file, as far as it is whole."""

    kind: str
    """One of the lists of a manifest: output, deleted or error."""
    type: str
    name: str
    bytes: int
    count: int


@dataclass(frozen=True)
class Export:
    """An export, and how far it is written."""

    id: str
    owner: str | None
    """Who asked, None where nobody is asked who they are."""
    eyes: Eyes | None
    """None for those of somebody who may see everything."""
    asked: Asked
    begun: datetime
    turn: str = ""
    """The token of who writes it now."""
    steps: tuple[Step, ...] = ()
    """Empty until they are counted."""
    at: int = 0
    """The step that it is at; behind the last one all is written."""
    after: tuple[str, str] | None = None
    """Of that step, when what was written last was changed, and its id."""
    settled: bool = False
    """Whether, of that step, all is written that was last changed before the export's time."""
    done: int = 0
    """How many resources were looked at."""
    files: tuple[Made, ...] = ()
    finished: datetime | None = None

    @property
    def time(self) -> datetime:
        """All that was changed before is in it as it was then or later."""
        return self.begun - LAG

    @property
    def total(self) -> int:
        """How many resources there are to look at."""
        return sum(step.count for step in self.steps)

    @property
    def reach(self) -> int:
        """How many resources will have been looked at when its step is done."""
        return sum(step.count for step in self.steps[: self.at + 1])

    @property
    def job(self) -> str:
        """The id of the job that writes it."""
        return f"{TASK}:{self.id}"

    def document(self) -> Document:
        lists = {"steps": [asdict(step) for step in self.steps], "files": [asdict(made) for made in self.files]}
        rest = ("owner", "begun", "turn", "at", "after", "settled", "done", "finished")
        eyes = self.eyes.document() if self.eyes else None
        return {**{name: getattr(self, name) for name in rest}, **lists, "asked": self.asked.document(), "eyes": eyes}

    @staticmethod
    def of(id: str, document: Document) -> "Export":
        steps = tuple(Step(**each) for each in document["steps"])
        files = tuple(Made(**each) for each in document["files"])
        after = tuple(document["after"]) if document["after"] else None
        eyes = Eyes.of(document["eyes"]) if document["eyes"] else None
        read = {"asked": Asked.of(document["asked"]), "eyes": eyes, "steps": steps, "files": files, "after": after}
        return Export(id, **{**document, **read})


class Exports:
    """Those that are remembered."""

    def __init__(self, repository: Repository) -> None:
        self._repository, self._state, self._clock = repository, State(repository.database), repository.clock

    def begin(self, asked: Asked, owner: str | None = None, eyes: Eyes | None = None) -> Export:
        """Remember that an export is wanted, and the job that writes it: both or neither, since one that nobody writes would be counted."""
        export = Export(uuid4().hex, owner, eyes, asked, self._clock())
        job = unbegun(Job(export.job, TASK, {"export": export.id}), self._repository)

        def begin(session: ClientSession) -> None:
            self._state.put(_EXPORTS, export.id, export.document(), session)
            self._state.put(_JOBS, export.job, job, session)

        with self._state.session() as session:
            session.with_transaction(begin)
        return export

    def find(self, id: str, owner: str | None = None) -> Export:
        """One of this owner's. Raises NotFound, which is all that another is told."""
        document = self._state.get(_EXPORTS, id)
        if document is None or document["owner"] != owner or self._expired(document):
            raise NotFound("There is no such export; one that is done can be read for a day.")
        return Export.of(id, document)

    def failure(self, export: Export) -> str:
        """Why an export will not come to its end; empty where it may."""
        job = self._state.get(_JOBS, export.job)
        return str(job["error"]) if job and job["status"] == FAILED else ""

    def waiting(self, owner: str | None) -> int:
        """How many exports of this owner's are not done."""
        found = (Export.of(id, document) for id, document in self._state.all(_EXPORTS, {"owner": owner, "finished": None}))
        return sum(not self.failure(export) for export in found)

    def kept(self, owner: str | None) -> int:
        """How many exports of this owner's there are, those that are done among them."""
        return sum(not self._expired(document) for _, document in self._state.all(_EXPORTS, {"owner": owner}))

    def take_up(self, id: str) -> Export:
        """The export, to be written by the caller alone from now on. Raises Busy where nobody wants it any more."""
        document = self._state.get(_EXPORTS, id)
        if document is None:
            raise Busy("Nobody wants this export any more.")
        export = Export.of(id, document)
        return self.put(export, replace(export, turn=uuid4().hex))

    def put(self, before: Export, after: Export, session: ClientSession | None = None) -> Export:
        """Remember the next state of an export. Raises Busy where another writes it, or it is not wanted any more."""
        if not self._state.swap(_EXPORTS, before.id, {"turn": before.turn}, after.document(), session):
            raise Busy("This export was taken over or ended; nothing more was written.")
        return after

    def finish(self, export: Export, told: Sequence[Change] = ()) -> None:
        """Remember that all is written; in the same transaction what is told of it, so that whoever goes on does not tell it again."""
        finished = replace(export, finished=self._clock())

        def finish(session: ClientSession) -> None:
            self.put(export, finished, session)

        self._repository.commit(told, also=finish)

    def end(self, export: Export) -> None:
        """Forget an export, done or not: whoever writes it stops before the next piece."""
        self._state.drop(_EXPORTS, export.id)
        self._state.drop(_JOBS, export.job)

    def all(self) -> Iterator[Export]:
        """Every export that is remembered, by whoever it was asked for."""
        return (Export.of(id, document) for id, document in self._state.all(_EXPORTS))

    def sweep(self) -> None:
        """Forget those that have expired."""
        for id, document in [*self._state.all(_EXPORTS)]:
            if self._expired(document):
                self.end(Export.of(id, document))

    def _expired(self, document: Document) -> bool:
        end = document["finished"] or document["begun"] + LIFE
        return bool(end + LIFE <= self._clock())
