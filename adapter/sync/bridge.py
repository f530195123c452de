"""The two movements of a sync, start to end, under a lease: pull what a remote has, push what it is owed, certify both."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pymongo.database import Database

from adapter.clock import Clock, instant, utc_now
from adapter.errors import CasebridgeError, RemoteError, RemoteGone
from adapter.fhir.client import FhirClient
from adapter.fhir.outcome import ends_all
from adapter.fhir.rate import gate
from adapter.store import remote_keys
from adapter.store.documents import Document
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync import lease
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.certificates.kept import Certificates
from adapter.sync.conflicts.inbox import Conflicts
from adapter.sync.edge import Edge
from adapter.sync.people.arrivals import Arrivals
from adapter.sync.people.people import People
from adapter.sync.plan import Entry, Tally
from adapter.sync.pulling.born import Born
from adapter.sync.pulling.cursors import Cursors
from adapter.sync.pulling.deletions import Deletions
from adapter.sync.pulling.export import ExportRun, loads_by_export
from adapter.sync.pulling.exported import Exported
from adapter.sync.pulling.intake import Intake
from adapter.sync.pulling.pull import Puller
from adapter.sync.pulling.receive import Receiver
from adapter.sync.pulling.run import Progress, PullRun
from adapter.sync.pushing import seek
from adapter.sync.pushing.dead import Letter, Letters
from adapter.sync.pushing.ledger import Ledger
from adapter.sync.pushing.outbound import Outbound
from adapter.sync.pushing.push import Pusher, seed
from adapter.sync.pushing.send import MOVED, Sender
from adapter.sync.rehearsal.apply import Applier
from adapter.sync.rehearsal.explain import Explained, Explainer
from adapter.sync.rehearsal.foresight import Foresight
from adapter.sync.rehearsal.saved_plan import SavedPlan, database_id, write
from adapter.sync.remotes.profile import kept
from adapter.sync.remotes.ration import Ration
from adapter.sync.remotes.remote import Remote, Remotes
from adapter.sync.remotes.strategy import believed, client, strategy
from adapter.sync.remotes.visit import Visit
from adapter.sync.workers import remote_lease, slices
from adapter.sync.workers.jobs import Elsewhere, Work
from adapter.sync.workers.shared import Shared
from adapter.sync.workers.types import Reading, turns

STOPPED = "It was stopped before its end."


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class Bridge:
    """casebridge's sync over one database."""

    def __init__(self, database: Database[Document], clock: Clock = utc_now, by: str = "", repository: Repository | None = None) -> None:
        self.clock, self.by = clock, by
        self.repository = repository or Repository(database, clock)
        """Given where its commits are under a lease already."""
        self.state = State(database)
        self.remotes = Remotes(self.state, clock)
        self.conflicts = Conflicts(self.repository, self.state, clock)
        self.certificates = Certificates(self.state)
        self.people = People(self.repository, self.state, self.conflicts, clock)

    def plan(self, name: str, *, pull: bool = True, push: bool = True, progress: Progress = silent) -> Iterator[Entry]:
        """What a sync would do now; nothing is written on either side."""
        with self._visit(self.remotes.get(name)) as visit:
            yield from self._planned(visit, pull, push, progress)

    def explain(self, name: str, *, pull: bool = True, push: bool = True, progress: Progress = silent) -> Iterator[Explained]:
        """What a sync would do now, with each request, what sets each element, and the answer that is to be expected."""
        with self._visit(self.remotes.get(name)) as visit:
            sender = self._sender(visit, [visit.single], lambda: None)
            explainer, pushed = Explainer(visit, sender.outbound, sender), []
            for entry in self._planned(visit, pull, push, progress):
                if entry.direction == "push":
                    pushed.append(entry)
                else:
                    yield explainer.pulled(entry)
            yield from explainer.pushed(pushed)

    def save(self, name: str, path: Path, *, pull: bool = True, push: bool = True, progress: Progress = silent) -> Iterator[Entry]:
        """What a sync would do now, saved in a file for `carry_out` as the entries are gone through."""
        remote = self.remotes.get(name)
        head = {"remote": name, "address": remote.url, "database": database_id(self.state), "made": instant(self.clock()), "by": self.by}
        yield from write(path, {**head, "pull": pull, "push": push}, self.plan(name, pull=pull, push=push, progress=progress))

    def carry_out(self, saved: SavedPlan, progress: Progress = silent) -> Certificate:
        """Do what a saved plan says and nothing else; `saved.left` is what is not as it was when it was planned, and was not done.

        No cursor moves. Raises Conflict for a plan of another database, Busy.
        """
        remote = self.remotes.get(saved.remote)
        saved.check(remote.url, database_id(self.state))
        with self._certified(saved.remote) as (held, certificate), self._visit(remote) as visit:
            receiver, foresight = self._receiver(visit), self._foresight(visit)
            applier = Applier(saved, receiver)
            for entries in self._pulled(visit, receiver.puller, progress) if saved.pull else ():
                held.check()
                done = applier.received(entries)
                foresight.contested.update(entry.reference for entry in entries if entry.action == "conflict")
                certificate.pulled.add(done)
            receiver.arrivals.settle()
            if saved.push:
                entries = applier.sendable(self._push_plan(visit, certificate, foresight.in_conflict), visit.single)
                for entry in self._send(visit, held, entries, certificate, progress, exact=True):
                    if entry.reason == MOVED:
                        saved.put_back(entry)
        return certificate

    def _planned(self, visit: Visit, pull: bool, push: bool, progress: Progress) -> Iterator[Entry]:
        foresight = self._foresight(visit)
        for entries in self._pulled(visit, self._receiver(visit).puller, progress) if pull else ():
            foresight.note(entries)
            yield from entries
        if push:
            pusher = self._pusher(visit, foresight.in_conflict)
            yield from pusher.plan_of(foresight.owed(pusher.owed()))

    def _pulled(self, visit: Visit, puller: Puller, progress: Progress) -> Iterator[list[Entry]]:
        """What a pull would do, page by page."""
        account = Certificate(visit.remote.name, self.clock())
        cursors = Cursors(self.state, visit.remote.name)
        return PullRun(visit, self.repository, cursors, account, puller.plan, puller.deletions, progress).entries()

    def _foresight(self, visit: Visit) -> Foresight:
        return Foresight(visit.remote.name, self._receiver(visit).change, self._in_conflict(visit.remote), self.clock)

    def sync(
        self,
        name: str,
        *,
        pull: bool = True,
        push: bool = True,
        export: bool = False,
        since: str | None = None,
        wait: float = 0,
        progress: Progress = silent,
        say: Callable[[str], None] = print,
        workers: Elsewhere | None = None,
    ) -> Certificate:
        """Pull, then push, under the remote's lease; the certificate is kept. With `export` the pull is an ExportRun, `since` is its own.

        `workers` read the types side by side, but for an export, and send the push in slices. Raises Busy where another sync of this remote
        runs, WorkFailed where a worker fails. A remote that fails ends the sync with a certificate that says so: what was done is done, and
        the next run goes on from there.
        """
        remote = self.remotes.get(name)
        with self._certified(name, wait, say) as (held, certificate), self._visit(remote) as visit:
            shared = Shared(self.state, self.repository.database, name, held, workers, progress) if workers else None
            if pull:
                self._pull(visit, held, certificate, progress, export, since, shared)
            if push:
                seed(self.repository, self.remotes, remote)
                if not pull:
                    self._look_for_deletions(visit, certificate)
                certificate.pulled.add(seek.sought(visit, self.people, self._pusher(visit).owed(), self._receiver(visit)))
                self._send(visit, held, self._push_plan(visit, certificate), certificate, progress, shared=shared)
        return certificate

    def read_type(self, name: str, reading: Reading, work: Work, check: Callable[[], None]) -> Tally:
        """Read one type for a pull that another process began and ends; what became of its resources. Raises RemoteError, Busy."""
        type, account = reading.part.type, Certificate(name, self.clock())
        with self._visit(self.remotes.get(name)) as visit:
            visit.edge.known.update(reading.known)
            cursors, receiver = Cursors(self.state, name, only=type), self._receiver(visit)
            run = PullRun(visit, self.repository, cursors, account, receiver.resources, receiver.deletions, silent, check)
            for _ in run.one(reading.part, reading.started, reading.scope):
                cursors.keep(work.session, work.fence)
        return account.pulled

    def send_some(self, name: str, planned: Sequence[tuple[str, str]], check: Callable[[], None]) -> Sender:
        """Send some of what a push owes, given as our Type/id and what was planned: the sender knows what became of it. Raises Busy."""
        with self._visit(self.remotes.get(name)) as visit, self._sending(visit, check) as sender, suppress(RemoteError):
            found = (self.repository.find(*reference.split("/")) for reference, _ in planned)
            sender.carry_out(self._pusher(visit).plan_of(filter(None, found)))
        return sender

    @contextmanager
    def _certified(self, name: str, wait: float = 0, say: Callable[[str], None] = print) -> Iterator[tuple[lease.Lease, Certificate]]:
        """The remote's lease, and a certificate that is kept however it ends."""
        certificate = Certificate(name, self.clock(), by=self.by, failure=STOPPED)
        with remote_lease.hold(self.state, name, wait=wait, say=say) as held, self.repository.using(held.session):
            try:
                yield held, certificate
                certificate.failure = ""
            except CasebridgeError as error:
                certificate.failure = error.text
                raise
            finally:
                certificate.ended, certificate.questions = self.clock(), self.people.unsure(name)
                self.certificates.keep(certificate)

    def resend(self, name: str, letters: Iterable[Letter], progress: Progress = silent) -> Certificate:
        """Send again, or read again, what these dead letters are about, and nothing else; the certificate is kept."""
        listed, remote = list(letters), self.remotes.get(name)
        here, there = {letter.reference for letter in listed if letter.reference}, {letter.there for letter in listed if letter.there}
        with self._certified(name) as (held, certificate), self._visit(remote) as visit:
            self._read_again(visit, self._receiver(visit), there)
            ours = filter(None, (self.repository.find(*reference.split("/")) for reference in sorted(here)))
            self._send(visit, held, self._pusher(visit).plan_of(ours), certificate, progress)
        return certificate

    @contextmanager
    def _visit(self, remote: Remote) -> Iterator[Visit]:
        if remote.rate:
            gate(remote.url, remote.rate).share(Ration(self.state, remote.name, remote.rate).turn)
        with remote.client() as asking:
            claimed = asking.capability()
        profile = kept(self.state, remote.name)
        chosen = strategy(profile, claimed, remote)
        with client(remote, chosen) as paging, client(remote, chosen) as single:
            edge = Edge(remote, remote_keys.named(self.repository.database, remote.name))
            edge.joined = self.people.unions.joined(remote.name)
            yield Visit(remote, paging, single, believed(profile, claimed), edge, chosen)

    def _receiver(self, visit: Visit) -> Receiver:
        arrivals = Arrivals(self.people, visit.remote, visit.edge)
        puller = Puller(self.repository, visit.remote, visit.edge, visit.single, self._in_conflict(visit.remote), arrivals.met)
        return Receiver(self.repository, self.state, self.conflicts, visit.remote, visit.edge, puller, arrivals, self.clock)

    def _pusher(self, visit: Visit, in_conflict: Callable[[str], bool] | None = None) -> Pusher:
        seeded = self.remotes.seeded(visit.remote.name)
        kept_back = seek.kept_back(visit, self.people, asks=in_conflict is not None)
        # A plan asks of every resource: those in conflict are read once for it.
        contested = in_conflict or {conflict["reference"] for _, conflict in self.conflicts.all(visit.remote.name)}.__contains__
        return Pusher(self.repository, visit.remote, visit.capability, contested, seeded, kept_back)

    def _push_plan(self, visit: Visit, certificate: Certificate, in_conflict: Callable[[str], bool] | None = None) -> list[Entry]:
        """What a push has to do, with what the remote made for us and never told us of."""
        pusher = self._pusher(visit, in_conflict)
        planned = pusher.plan()
        found = seek.forgotten(visit, planned, self._receiver(visit))
        certificate.pulled.add(found)
        return pusher.plan() if found else planned

    def _in_conflict(self, remote: Remote) -> Callable[[str], bool]:
        return lambda reference: self.conflicts.is_open(remote.name, reference)

    def _pull(
        self,
        visit: Visit,
        held: lease.Lease,
        certificate: Certificate,
        progress: Progress,
        export: bool,
        since: str | None,
        shared: Shared | None,
    ) -> None:
        receiver, cursors = self._receiver(visit), Cursors(self.state, visit.remote.name)
        exported, first = Exported(self.state, visit.remote.name, self.clock), partial(self._read_again, visit, receiver)
        take, drop = receiver.resources, receiver.deletions
        steps: Iterator[object]
        if export or loads_by_export(visit, cursors, exported):
            intake = Intake(visit, self.repository, take, drop)
            steps = ExportRun(visit, intake, exported, cursors, certificate, progress, held.check, first, since).batches()
        else:
            run = PullRun(visit, self.repository, cursors, certificate, take, drop, progress, held.check, first)
            if shared:
                run.turns = partial(turns, shared, visit, cursors, certificate.pulled)
            steps = run.entries()
        for _ in steps:
            cursors.keep(held.session)
        receiver.arrivals.settle()
        cursors.forget_scopes()

    def _read_again(self, visit: Visit, receiver: Receiver, only: Collection[str] | None = None) -> None:
        """Try what could not be kept before (`only` these of theirs, where it is given); not part of this pull's account."""
        # Whenever it was made: what was set aside may refer to what nobody has asked for since.
        born = Born(visit, self.repository, datetime.min.replace(tzinfo=UTC))
        for id, letter in list(self.state.all("dead_letters", {"remote": visit.remote.name, "direction": "pull"})):
            type, _, there = letter["there"].partition("/")
            if only is not None and letter["there"] not in only:
                continue
            try:
                raw = visit.single.read(type, there).raw
                born.learn(type, [raw])
                kept = all(entry.action != "dead" for entry in receiver.resources(type, [raw]))
            except RemoteGone:
                receiver.deletions(type, [there])
                kept = True
            except RemoteError as error:
                # One that is refused, or that the remote fails on, waits on and keeps nobody.
                if ends_all(error):
                    raise
                kept = False
            if kept:
                self.state.drop("dead_letters", id)

    def _look_for_deletions(self, visit: Visit, certificate: Certificate) -> None:
        """Learn what the remote deleted before writing to it: HAPI answers an update of a deleted resource by making it again."""
        name = visit.remote.name
        cursors, receiver = Cursors(self.state, name), self._receiver(visit)
        # Of a type that was never read there is no time since when it could be told.
        since = {type: read for type in remote_keys.owed_types(self.repository.database, name) if (read := cursors.of(type).since)}
        types = {stored.type for stored in self._pusher(visit).owed() if stored.link(name)} & since.keys() if since else set()
        deletions = Deletions(visit, {type: since[type] for type in types})
        for type in sorted(types):
            certificate.pulled.add(receiver.deletions(type, deletions.told(type)))

    def _send(
        self,
        visit: Visit,
        held: lease.Lease,
        entries: list[Entry],
        certificate: Certificate,
        progress: Progress,
        exact: bool = False,
        shared: Shared | None = None,
    ) -> list[Entry]:
        """Send these, or have them sent; what became of each."""
        done, total = 0, sum(entry.action in ("create", "update", "delete") for entry in entries)

        def count(more: int) -> None:
            nonlocal done
            done += more
            progress("push", done, total)

        with self._sending(visit, held.check) as sender:
            sender = replace(sender, done=count, exact=exact)
            try:
                if shared:
                    slices.send(shared, self._pusher(visit), sender, entries)
                else:
                    sender.send(entries)
            finally:
                certificate.pushed.add(sender.ends.values())
        return [*sender.ends.values()]

    @contextmanager
    def _sending(self, visit: Visit, check: Callable[[], None]) -> Iterator[Sender]:
        """A sender with as many connections as may be used at once."""
        with ExitStack() as stack:
            more = (stack.enter_context(client(visit.remote, visit.strategy)) for _ in range(visit.remote.concurrency - 1))
            yield self._sender(visit, [visit.client, *more], check)

    def _sender(self, visit: Visit, clients: Sequence[FhirClient], check: Callable[[], None]) -> Sender:
        ledger = Ledger(self.repository, Letters(self.state, self.clock), self.conflicts, visit.remote, visit.edge, visit.single)
        outbound = Outbound(self.repository, visit.remote, visit.edge, visit.capability)
        return Sender(ledger, outbound, self._pusher(visit).entry, visit.strategy.bundle, visit.strategy.bundle_size, clients, check)
