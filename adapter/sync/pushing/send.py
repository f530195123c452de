"""Carries out a push's plan at the remote: in order of reference, in requests as large as it takes, each refusal traced to its resource."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from adapter import log
from adapter.errors import CasebridgeError, Gone, Invalid, MultipleMatches, RemoteConflict, RemoteError, RemoteGone, RemoteTemporary
from adapter.fhir import bundle as bundles
from adapter.fhir.bundle import EntryResult
from adapter.fhir.client import FhirClient
from adapter.fhir.outcome import remote_error
from adapter.fhir.plain import is_plain
from adapter.fhir.resource import check_structure, content, same
from adapter.store.documents import Stored
from adapter.sync.plan import SENT, Entry
from adapter.sync.pushing.lanes import Lanes
from adapter.sync.pushing.ledger import Ledger
from adapter.sync.pushing.order import batches, groups, in_phases, levels
from adapter.sync.pushing.outbound import Outbound
from adapter.sync.pushing.work import Work, divided, one_by_one, ready

_ATTEMPTS = 4
# What a server answers over one resource that it cannot cope with; the other temporary ones speak of the moment.
_STUMBLES = frozenset({500, 502, 504})
_UNAUTHORISED, _FORBIDDEN, _TOO_LARGE, _DONE = 401, 403, 413, 200
# So many different resources refused one after the other, by something that does not speak FHIR: it is not about the resources.
_IN_A_ROW = 3
MOVED = "it moved there since it was planned"
_REFERS = "refers to a resource that the remote has not taken"
_GONE = "the remote no longer has it; the next pull says what became of it"


@dataclass
class Sender:
    """Sends what one remote is owed."""

    ledger: Ledger
    outbound: Outbound
    plan: Callable[[Stored], Entry]
    """What the remote has to be told about one resource, as it is now."""
    writes: str
    """What several writes go in: transaction, batch, or single for nothing."""
    size: int
    """How many go in one Bundle; less as soon as the remote shows that it takes less."""
    clients: Sequence[FhirClient]
    """As many as requests may be under way at once."""
    check: Callable[[], None]
    """Raises when we may no longer write, for the lease is lost."""
    done: Callable[[int], None] = lambda _: None
    exact: bool = False
    """Whether what moved there is left alone, instead of being merged with what is there and tried again."""
    ends: dict[str, Entry] = field(default_factory=dict)
    """What became of each resource so far, by our Type/id."""
    _later: list[Entry] = field(default_factory=list)
    _unsure: dict[str, tuple[Entry, CasebridgeError]] = field(default_factory=dict)
    _heard: bool = False

    def send(self, entries: Iterable[Entry]) -> None:
        """Carry out the entries, given in their order; `ends` says what became of each, also where an error is raised."""
        self.carry_out(entries)
        self.conclude()

    def carry_out(self, entries: Iterable[Entry]) -> None:
        """Carry out some of the entries: those have no end yet that were refused by who knows whom, and perhaps for no fault of theirs."""
        planned = list(entries)
        writes = [entry for entry in planned if entry.action in ("create", "update")]
        deletions = [entry for entry in planned if entry.action == "delete"]
        for entry in planned:
            if entry.action not in ("create", "update", "delete"):
                self._end(entry)
        with Lanes[Work, list[EntryResult]](self.clients) as lanes:
            self.prepare(writes)
            self._run(lanes, self._works(writes))
            self._run(lanes, self._works(self._second_phase()))
            self._run(lanes, self._deletions(deletions))

    def took(self, end: Entry) -> None:
        """Learn what became of a resource that another sent."""
        self.ends[end.reference] = end
        self.outbound.links.pop(end.reference, None)
        if end.there and end.action in SENT:
            self.outbound.edge.known[end.there] = end.id
            self.trust()
        self.done(1)

    def outstanding(self, references: Iterable[str]) -> Iterator[str]:
        """Those of these, by our Type/id, that have no end yet, or are not there whole."""
        later = {entry.reference for entry in self._later}
        return (reference for reference in references if reference not in self.ends or reference in later)

    def prepare(self, entries: Iterable[Entry]) -> None:
        """Learn the remote's names for all that the entries refer to.

        What a resource of theirs refers to can be missing here: its type is not pulled, or failed. Sent by our name, the reference would be
        destroyed there.
        """
        listed = list(entries)
        self.outbound.look_up(listed)
        for raw in self.ledger.client.reads([str(entry.there) for entry in listed if self.outbound.strange(entry)]).values():
            self.outbound.recall(raw or {})

    def works(self, entries: Iterable[Entry]) -> list[Work]:
        """The requests in which the entries would go, as far as that can be told before the first is answered."""
        planned = list(entries)
        writes = self._works([entry for entry in planned if entry.action in ("create", "update")])
        return writes + self._deletions([entry for entry in planned if entry.action == "delete"])

    def _works(self, entries: list[Entry]) -> list[Work]:
        """The requests in which the entries go."""
        alone = {entry.reference for entry in entries if self.outbound.alone(entry)} | (self.ledger.refused.keys())
        if self.writes == "transaction":
            return [work for run in batches(entries, self.size, alone) for work in self._together(run)]
        straight = [entry for group in groups(entries) for entry in one_by_one(group)]
        if self.writes == "single":
            return [Work((entry,)) for entry in straight]
        return [work for level in levels(straight) for work in self._batches(level, alone)]

    def _together(self, run: list[Entry]) -> list[Work]:
        """A run in one transaction; a circle that is too large for it, or cannot go in it, in two phases."""
        if len(run) == 1:
            return [Work((run[0],))]
        if len(run) > self.size or any(map(self.outbound.alone, run)):
            return [Work((entry,)) for entry in in_phases(run)]
        return [Work(tuple(run), "transaction")]

    def _batches(self, level: list[Entry], alone: Collection[str]) -> Iterator[Work]:
        together = [entry for entry in level if entry.reference not in alone]
        for start in range(0, len(together), self.size):
            some = tuple(together[start : start + self.size])
            yield Work(some, "batch" if len(some) > 1 else "single")
        yield from (Work((entry,)) for entry in level if entry.reference in alone)

    def _deletions(self, entries: list[Entry]) -> list[Work]:
        """One by one, who refers before who is referred to; circles in a transaction where there are any."""
        works = []
        for group in reversed(list(groups(entries))):
            together = len(group) > 1 and self.writes == "transaction" and not any(map(self.outbound.alone, group))
            works += [Work(tuple(group), "transaction")] if together else [Work((entry,)) for entry in group]
        return works

    def _second_phase(self) -> list[Entry]:
        """What was made without all of its references, and what had been made before, as updates."""
        entries = []
        for entry in self._later:
            stored = self.ledger.repository.find(entry.type, entry.id)
            moved = entry if entry.action == "update" or stored is None else self.plan(stored)
            if moved.action == "update":
                entries.append(moved)
            else:
                self._end(moved)
        self._later = []
        self.prepare(entries)
        return entries

    def _run(self, lanes: Lanes[Work, list[EntryResult]], works: Iterable[Work]) -> None:
        waiting, running = deque(works), set[Work]()
        try:
            while self._start(lanes, waiting, running):
                work, answer = lanes.answer()
                running.remove(work)
                taken, more = self._judged(work, answer)
                waiting.extendleft(reversed(more))
                # What was answered is kept while the remote has the next to do.
                self._start(lanes, waiting, running)
                self._keep(taken)
        except CasebridgeError:
            for _ in range(len(running)):
                work, answer = lanes.answer()
                self._keep(self._taken(work, answer) if isinstance(answer, list) else [])
            raise

    def _start(self, lanes: Lanes[Work, list[EntryResult]], waiting: deque[Work], running: set[Work]) -> bool:
        """Send what can be sent now; whether anything is under way."""
        while len(running) < lanes.width and (work := ready(waiting, running)):
            waiting.remove(work)
            if len(work.entries) > self.size and work.way != "single":
                waiting.extendleft(reversed(self._works(list(work.entries))))
                continue
            left = self._sendable(work.entries)
            if not left:
                continue
            work = replace(work, entries=left, way=work.way if len(left) > 1 else "single")
            self.check()
            kinds = {"transaction": bundles.transaction, "batch": bundles.batch}
            whole = work.way in kinds
            lanes.ask(work, self.outbound.bundle(left, kinds[work.way]) if whole else self.outbound.single(left[0]))
            running.add(work)
        return bool(running)

    def _sendable(self, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Those that can be sent: not wrong in themselves, nor about something that the remote has not taken."""
        while True:
            inside = {entry.reference for entry in entries}
            left = tuple(entry for entry in entries if not self._stuck(entry, inside))
            if len(left) == len(entries):
                return left
            entries = left

    def _stuck(self, entry: Entry, inside: Collection[str]) -> bool:
        if entry.action == "delete":
            return False
        if any(to not in inside and self.outbound.there(to) == "" for to in entry.refers_to):
            self._end(replace(entry, action="skip", reason=_REFERS))
            return True
        if entry.action == "create" and not is_plain(entry.target or {}):
            try:
                check_structure(entry.target or {})
            except Invalid as error:
                self._end(self.ledger.dead(entry, error))
                return True
        return False

    def _judged(self, work: Work, answer: list[EntryResult] | BaseException) -> tuple[list[tuple[Entry, EntryResult]], list[Work]]:
        """What was taken, and what is to be sent instead of the rest."""
        if isinstance(answer, CasebridgeError):
            return [], self._failed(work, answer)
        if isinstance(answer, BaseException):
            raise answer
        taken = self._taken(work, answer)
        more: list[Work] = []
        try:
            for entry, result in zip(work.entries, answer, strict=True):
                more += self._instead(Work((entry,), attempt=work.attempt), entry, result)
        except CasebridgeError:
            self._keep(taken)
            raise
        if taken:
            self.trust()
        if work.half_of and len(taken) == len(work.entries):
            work.half_of.left -= 1
            if not work.half_of.left:
                self._shrink(work.half_of.size)
        return taken, more

    def _instead(self, alone: Work, entry: Entry, result: EntryResult) -> list[Work]:
        """What to send after one entry of a Bundle was answered: nothing where it was taken."""
        if _is_taken(result):
            # Made, and not said as what: sent alone, its condition finds it.
            return [alone] if _is_nameless(entry, result) else []
        error = _error(entry, result)
        return [alone] if isinstance(error, RemoteTemporary) else self._refused(alone, error)

    def _taken(self, work: Work, answer: list[EntryResult]) -> list[tuple[Entry, EntryResult]]:
        """The entries that the remote took, with the ids and versions that it gave them."""
        both = zip(work.entries, answer, strict=True)
        pairs = [(entry, result) for entry, result in both if _is_taken(result) and not _is_nameless(entry, result)]
        return [(entry if entry.action == "delete" else self.outbound.learn(entry, result), result) for entry, result in pairs]

    def _keep(self, taken: list[tuple[Entry, EntryResult]]) -> None:
        if not taken:
            return
        kept = self.ledger.keep(taken)
        for entry in (*kept.done, *kept.partly, *(replace(entry, action="skip", reason=_GONE) for entry in kept.gone)):
            self._end(entry)
        if self.exact:
            for entry in kept.again:
                self._end(replace(entry, action="skip", reason=MOVED))
        self._later += [*kept.partly, *([] if self.exact else kept.again)]

    def _failed(self, work: Work, error: CasebridgeError) -> list[Work]:
        """What to send after a request that failed as a whole. Raises the error where it is not about what was sent."""
        status = error.http_status if isinstance(error, RemoteError) else None
        if status == _UNAUTHORISED or not isinstance(error, RemoteError | MultipleMatches):
            raise error
        if isinstance(error, RemoteTemporary):
            if status not in _STUMBLES:
                raise error
            self._ask_whether_well(error)
        if len(work.entries) == 1:
            return self._refused(work, error)
        log.event("push.divided", remote=self.ledger.remote.name, entries=len(work.entries), status=status)
        if status == _TOO_LARGE:
            self._shrink(len(work.entries) // 2)
        return divided(work, error)

    def _ask_whether_well(self, error: RemoteTemporary) -> None:
        """Raise the error where the remote does not even answer what it is: then it is down, and not over what was sent."""
        try:
            self.ledger.client.capability()
        except CasebridgeError:
            raise error from None

    def _shrink(self, size: int) -> None:
        if size < self.size:
            self.size = max(1, size)
            log.event("push.shrunk", remote=self.ledger.remote.name, size=self.size)

    def _refused(self, work: Work, error: CasebridgeError) -> list[Work]:
        """What to send instead of one write that the remote refused."""
        (entry,) = work.entries
        if entry.action == "update" and isinstance(error, RemoteGone | RemoteConflict):
            return self._moved(work, entry, gone=isinstance(error, RemoteGone))
        if entry.action == "delete" and isinstance(error, RemoteGone):
            self._keep([(replace(entry, target=None), EntryResult(_DONE, entry.type, None, None, None, None, None))])
        elif entry.action == "delete" and isinstance(error, RemoteConflict):
            reason = "the remote changed it or still refers to it; the next pull brings that here"
            self._end(replace(entry, action="skip", reason=reason))
        else:
            self._refuse(entry, error)
        return []

    def _moved(self, work: Work, entry: Entry, *, gone: bool) -> list[Work]:
        """An update of what the remote has changed or deleted meanwhile: merged with what it has now and tried again."""
        if self.exact:
            self._end(replace(entry, action="skip", reason=MOVED))
            return []
        try:
            if not gone and work.attempt < _ATTEMPTS:
                moved = self.ledger.replanned(entry)
                if moved.action != "update":
                    self._end(moved)
                elif same(content(moved.target or {}), content(moved.theirs or {})):
                    # Ours is there already: an answer was lost.
                    id = str(moved.there).partition("/")[2]
                    self._keep([(moved, EntryResult(_DONE, moved.type, id, moved.version, None, None, None))])
                else:
                    self.prepare([moved])
                    return [Work((moved,), attempt=work.attempt + 1)]
                return []
        except RemoteGone:
            gone = True
        except Gone:
            self._end(replace(entry, action="skip", reason="it was deleted here meanwhile; the next push tells the remote"))
            return []
        self._end(replace(entry, action="skip", reason=_GONE if gone else "the remote kept changing it; the next sync tries again"))
        return []

    def _refuse(self, entry: Entry, error: CasebridgeError) -> None:
        """Set one aside that the remote refuses. Raises the error where it seems to refuse anything."""
        self.outbound.there(entry.reference)
        if _speaks_fhir(error) and (self._heard or not _is_forbidden(error)):
            self.trust()
            self._end(self.ledger.dead(entry, error))
            return
        self._unsure[entry.reference] = (entry, error)
        if len(self._unsure) >= _IN_A_ROW:
            raise error

    def trust(self) -> None:
        """The remote takes writes and judges them: what was refused just before was refused for its own sake."""
        self._heard = True
        for entry, error in self._unsure.values():
            self._end(self.ledger.dead(entry, error))
        self._unsure = {}

    def conclude(self) -> None:
        """Say what became of those. Raises what refused them where the remote has taken and judged nothing else."""
        if self._unsure and not self._heard:
            raise next(reversed(self._unsure.values()))[1]
        self.trust()

    def _end(self, entry: Entry) -> None:
        """Note what became of a resource; the second phase of a create is part of it."""
        if entry.action == "unchanged":
            self.ledger.settle(entry)
        known = self.ends.get(entry.reference)
        if known is None:
            self.done(1)
        if known is None or known.action != "create" or entry.action not in ("update", "unchanged"):
            self.ends[entry.reference] = entry


def _is_taken(result: EntryResult) -> bool:
    return result.status // 100 == 2


def _is_nameless(entry: Entry, result: EntryResult) -> bool:
    return entry.there is None and result.id is None


def _error(entry: Entry, result: EntryResult) -> CasebridgeError:
    """What a request of its own would have raised for this entry of a batch."""
    is_new = entry.action == "create"
    return remote_error(f"{entry.action} {entry.type}", result.status, result.outcome, known=not is_new, conditional=is_new)


def _speaks_fhir(error: CasebridgeError) -> bool:
    """Whether a refusal is FHIR's own."""
    return not isinstance(error, RemoteError) or error.outcome is not None


def _is_forbidden(error: CasebridgeError) -> bool:
    """Whether it is about what we may do there: of a type perhaps, or of all."""
    return isinstance(error, RemoteError) and error.http_status == _FORBIDDEN
