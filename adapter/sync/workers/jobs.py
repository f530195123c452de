"""Jobs: pieces of long work that are remembered in the store, so that any process may do one, each is done, and none by two at a time.

A job is held by a lease with a heartbeat. Whoever waits for it watches the lease, not the queue: a worker that died on this machine is
noticed at once, one elsewhere when its lease runs out, and the job is offered again. To offer it too often does no harm: who comes second
finds it held or done.

While somebody is at a job, its document bears the token of that lease, and each transaction of the work writes it (the fence). So whoever
takes the job over, or drops it, ends what another had under way: that transaction fails as a whole.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pymongo.client_session import ClientSession

from adapter import log
from adapter.errors import Busy, CasebridgeError, WorkFailed
from adapter.store.documents import Document
from adapter.store.repository import Repository
from adapter.store.state import Fence, State
from adapter.sync import lease

_JOBS, _LEASES = "jobs", "leases"
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
TRIES = 3
"""How often a job is begun that ends in a fault nobody foresaw."""
LOOK_SECONDS = 0.2
TELL_EVERY = 10
"""Looks from one report of progress to the next, which may ask much of the store."""
PATIENCE_SECONDS = 30.0
"""After which a job that nobody has taken is offered again: what a queue held for a process that died, it may keep for an hour."""

Arguments = dict[str, Any]
Offer = Callable[[Sequence[str]], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """A piece of work: which task, on what. The same id is the same piece, also after a restart."""

    id: str
    task: str
    arguments: Arguments


class GivenBack(Busy):
    """The process is asked to end in the midst of a job, which now waits for another."""


@dataclass(frozen=True)
class Work:
    """What a task works with."""

    repository: Repository
    """Its commits are fenced."""
    state: State
    session: ClientSession
    fence: Fence
    """Part of each transaction beside the repository's. Raises Busy where another has the job by now, or nobody wants it any more."""
    check: Callable[[], None]
    """To be called before each write: raises where this process must not go on, with Busy or GivenBack."""
    again: bool
    """Whether somebody was at this job before, who did not come to its end."""


Task = Callable[[Work, Arguments], Document | None]
"""Does a job; what it returns is kept until who asked for the job has it."""
Tasks = Mapping[str, Task]
Results = dict[str, Document]
"""By the ids of jobs."""
Elsewhere = Callable[[Sequence[Job], Callable[[], None]], Results]
"""Has jobs done by workers, and calls the second now and then meanwhile. Raises WorkFailed."""


def perform(tasks: Tasks, repository: Repository, id: str, *, ending: Callable[[], bool] = lambda: False) -> None:
    """Do a job, unless it is done or held by another. How it ended is in the store; a fault of ours is tried again some times."""
    state = State(repository.database)
    try:
        with lease.hold(state, _lease(id), work="worker at this job") as held:
            job = state.get(_JOBS, id)
            if job is None or job["status"] != WAITING:
                return
            log.event("job.started", job=id, task=job["task"])
            turn = _Turn(state, id, job, held.token)
            with repository.using(held.session, turn.fence):
                work = Work(repository, state, held.session, turn.fence, partial(_check, held, ending), job["begun"] > 0)
                ended = _ended(tasks[job["task"]], work, job)
            held.check()
            turn.write(ended)
            log.event("job.ended", job=id, task=job["task"], status=ended["status"])
    except Busy as reason:
        log.event("job.left", job=id, reason=type(reason).__name__)


class _Turn:
    """One process' turn at a job. Raises Busy where the job is dropped, done or taken over."""

    def __init__(self, state: State, id: str, job: Document, token: str) -> None:
        self._state, self._id, self._body = state, id, job
        self._holds = {"token": job["token"]}
        self.write({"token": token, "begun": job["begun"] + 1})
        self._holds = {"token": token}

    def write(self, news: Document, session: ClientSession | None = None) -> None:
        """Keep something new about the job."""
        self._body = {**self._body, **news}
        if not self._state.swap(_JOBS, self._id, {"status": WAITING, **self._holds}, self._body, session):
            raise Busy("This job is no longer this process' to do; nothing more was done.")

    def fence(self, session: ClientSession) -> None:
        """A write of the job's document that is part of the transaction: only a write stands in the way of another's."""
        self.write({"writes": self._body["writes"] + 1}, session)


def _check(held: lease.Lease, ending: Callable[[], bool]) -> None:
    if ending():
        raise GivenBack("The process is asked to end.")
    held.check()


def _ended(task: Task, work: Work, job: Document) -> Document:
    """What is to be remembered of a job after it was begun."""
    try:
        result = task(work, job["arguments"])
    except Busy:
        raise
    except CasebridgeError as error:
        return {"status": FAILED, "error": error.text}
    except Exception as error:  # noqa: BLE001 - the worker's loop: an unforeseen error's text can hold patient data
        tries = job["tries"] + 1
        return {"status": FAILED if tries >= TRIES else WAITING, "tries": tries, "error": f"A fault ({type(error).__name__})."}
    return {"status": DONE, "error": "", "result": result or {}}


def here(tasks: Tasks, repository: Repository, jobs: Sequence[Job], tell: Callable[[], None]) -> Results:
    """Do jobs in this process, one after the other. Raises WorkFailed, and Busy where another process is at one of them."""
    state = State(repository.database)
    remember(state, jobs, repository)
    for job in jobs:
        while _status(state, job.id) == WAITING:
            perform(tasks, repository, job.id)
            if held(state, job.id):
                raise Busy("Another process is at this work; try again when it has ended.")
        tell()
    return _end(state, jobs)


def elsewhere(repository: Repository, offer: Offer, say: Say, jobs: Sequence[Job], tell: Callable[[], None]) -> Results:
    """Have jobs done by workers, to whom `offer` sends ids. Raises WorkFailed when all have ended and one did not do its work."""
    state = State(repository.database)
    remember(state, jobs, repository)
    watched = {job.id: Watched() for job in jobs}
    began, looks, told = time.monotonic(), 0, False
    while waiting := [id for id, job in state.all(_JOBS) if id in watched and job["status"] == WAITING]:
        leases = dict(state.all(_LEASES))
        due = [id for id in waiting if watched[id].is_due(leases.get(_lease(id)), state)]
        if due:
            offer(due)
        if not told and time.monotonic() - began > PATIENCE_SECONDS / 3 and not any(each.taken for each in watched.values()):
            told = True
            say("No worker has taken anything yet. Start one with `casebridge worker`.")
        if not looks % TELL_EVERY:
            tell()
        looks += 1
        time.sleep(LOOK_SECONDS)
    tell()
    return _end(state, jobs)


class Watched:
    """A job that is waited for."""

    def __init__(self) -> None:
        self._offered = float("-inf")
        self.taken = False
        """Whether anybody has ever been at it."""

    def is_due(self, held: Document | None, state: State) -> bool:
        """Whether it is to be offered now: at first, when who was at it is gone, or when nobody has come for long."""
        if held is not None:
            self.taken = True
        now = time.monotonic()
        alive = held is not None and not lease.is_free(state, held)
        patience = 1.0 if self.taken else PATIENCE_SECONDS
        if alive or now - self._offered < patience:
            return False
        self._offered = now
        return True


def held(state: State, id: str) -> Document | None:
    """Who is at a job, None where nobody is."""
    return state.get(_LEASES, _lease(id))


def listed(repository: Repository) -> list[Document]:
    """The jobs that have not ended well: id, task, status, who is at it, until when that holds, tries and the last error."""
    state = State(repository.database)
    leases = dict(state.all(_LEASES))
    found = []
    for id, job in state.all(_JOBS):
        at = leases.get(_lease(id))
        running = at is not None and not lease.is_free(state, at) and job["status"] == WAITING
        holder = {"host": at["host"], "pid": at["pid"], "until": at["until"]} if at and running else {}
        facts = {name: job[name] for name in ("task", "made", "tries", "error")}
        found.append({"id": id, "status": RUNNING if running else job["status"], **facts, **holder})
    return found


def _lease(id: str) -> str:
    return f"job:{id}"


def _status(state: State, id: str) -> str:
    return str((state.get(_JOBS, id) or {"status": DONE})["status"])


def remember(state: State, jobs: Sequence[Job], repository: Repository) -> None:
    """Remember the jobs; one that is there already goes on, one that has ended is looked at anew: a task finds what is left of it to do."""
    for job in jobs:
        body = unbegun(job, repository)
        if not state.add(_JOBS, job.id, body):
            state.swap(_JOBS, job.id, {"status": {"$in": [DONE, FAILED]}}, body)


def unbegun(job: Job, repository: Repository) -> Document:
    """What is remembered of a job at which nobody was yet."""
    asked = {"task": job.task, "arguments": job.arguments, "made": repository.clock()}
    return {**asked, "status": WAITING, "tries": 0, "begun": 0, "writes": 0, "token": "", "error": ""}


def retire(state: State, about: Document, lead: str) -> None:
    """Forget the jobs with these arguments, of whoever asked for them, and wait until nobody is at one.

    All their ids, and no others', begin with `lead`. Raises Busy where a worker does not let go.
    """
    state.drop_all(_JOBS, {f"arguments.{name}": value for name, value in about.items()})
    end = time.monotonic() + PATIENCE_SECONDS
    first, last = _lease(lead), f"{_lease(lead)}\uffff"
    while any(not lease.is_free(state, held) for _, held in state.all(_LEASES, {"_id": {"$gte": first, "$lt": last}})):
        if time.monotonic() > end:
            raise Busy("A worker is still at what was asked for before; try again when it has ended.")
        time.sleep(LOOK_SECONDS)


def _end(state: State, jobs: Sequence[Job]) -> Results:
    kept = {job.id: state.get(_JOBS, job.id) or {} for job in jobs}
    failed = [each["error"] for each in kept.values() if each.get("status") == FAILED]
    if failed:
        raise WorkFailed(f"{len(failed)} of {len(jobs)} jobs failed; the first says: {failed[0]} `casebridge jobs` lists them.")
    for id in kept:
        state.drop(_JOBS, id)
    return {id: each.get("result", {}) for id, each in kept.items()}
