"""What is kept of an export until it is done: what was asked for, its manifest, and how far each of its files was read.

A run that was stopped, however, leaves these behind; the next one goes on from there. What they say was read is in the store.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from adapter.clock import Clock
from adapter.fhir.manifest import Manifest, manifest
from adapter.fhir.ndjson import Place
from adapter.fhir.resource import dumps, parse
from adapter.store.state import State
from adapter.sync.plan import Tally

_EXPORTS, _PLACES, _LAST = "exports", "export_places", "last_exports"


@dataclass(frozen=True)
class Job:
    """An export that was begun and is not done with."""

    id: str
    asked: dict[str, Any]
    """Its level and parameters."""
    status: str
    """The address at which the remote says how far it is."""
    begun: datetime
    """By our clock."""
    manifest: Manifest | None = None
    resumed: bool = False
    """Whether it was begun by an earlier run, since which other syncs may have run."""


@dataclass
class Account:
    """How far one file was read, and what became of its lines."""

    place: Place = field(default_factory=Place)
    ended: bool = False
    tally: Tally = field(default_factory=Tally)


class Exported:
    """What is kept of one remote's exports."""

    def __init__(self, state: State, remote: str, clock: Clock) -> None:
        self._state, self._remote, self._clock = state, remote, clock

    def job(self) -> Job | None:
        """The export that is not done with."""
        found = self._state.get(_EXPORTS, self._remote)
        if found is None:
            return None
        told = manifest(parse(found["manifest"])) if found["manifest"] else None
        return Job(found["id"], parse(found["asked"]), found["status"], found["begun"], told, resumed=True)

    def begin(self, asked: dict[str, Any], status: str) -> Job:
        """Keep that an export was begun."""
        job = Job(uuid4().hex, asked, status, self._clock())
        self._put(job)
        return job

    def finished(self, job: Job, told: Manifest) -> Job:
        """Keep the manifest."""
        done = Job(job.id, job.asked, job.status, job.begun, told, job.resumed)
        self._put(done)
        return done

    def _put(self, job: Job) -> None:
        told = dumps(job.manifest.raw) if job.manifest else None
        body = {"id": job.id, "asked": dumps(job.asked), "status": job.status, "begun": job.begun, "manifest": told}
        self._state.put(_EXPORTS, self._remote, {"remote": self._remote, **body})

    def account(self, job: Job, file: str) -> Account:
        """How far a file of the job was read."""
        found = self._state.get(_PLACES, self._key(job, file))
        if found is None:
            return Account()
        return Account(Place(**found["place"]), found["ended"], Tally.of(found))

    def keep(self, job: Job, file: str, account: Account) -> None:
        """Keep how far a file was read: only after what was read of it has been committed."""
        place = {"place": asdict(account.place), "ended": account.ended}
        self._state.put(_PLACES, self._key(job, file), {"remote": self._remote, **place, **account.tally.document()})

    def _key(self, job: Job, file: str) -> str:
        # With the job's id: whoever lost the lease and lives on cannot speak of the files of another export.
        return f"{self._remote}:{job.id}:{file}"

    def forget(self) -> None:
        """There is no export that is not done with."""
        self._state.drop(_EXPORTS, self._remote)
        for id, _ in list(self._state.all(_PLACES, {"remote": self._remote})):
            self._state.drop(_PLACES, id)

    def close(self, job: Job, *, whole: bool) -> None:
        """The job is done with. Where all of it could be had, the next export like it can ask for what changed since."""
        time = job.manifest.time if whole and job.manifest else self.last(job.asked)
        self._state.put(_LAST, self._remote, {"remote": self._remote, "asked": _kind(job.asked), "time": time})
        self.forget()

    def last(self, asked: dict[str, Any]) -> datetime | None:
        """The remote's time of the last export like this that was had whole, whatever it was asked since; None where there was none."""
        found = self._state.get(_LAST, self._remote)
        return found["time"] if found and found["asked"] == _kind(asked) else None

    @property
    def ever(self) -> bool:
        """Whether an export of this remote was ever read to its end."""
        return self._state.get(_LAST, self._remote) is not None


def _kind(asked: dict[str, Any]) -> str:
    return dumps({name: value for name, value in asked.items() if name != "_since"})
