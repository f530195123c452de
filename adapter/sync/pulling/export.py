"""A pull by `$export`: what the remote exports comes here line by line, by the same door as the pages of a search, and is accounted for.

It is taken up again where it was left: an export is not asked for twice, and no file is read from its start.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adapter import log
from adapter.clock import instant
from adapter.errors import Invalid, RemoteFatal, RemoteGone, RemoteTemporary
from adapter.fhir.bulk import Bulk, Running
from adapter.fhir.manifest import OUTPUT, Manifest
from adapter.fhir.ndjson import Line, Place
from adapter.fhir.outcome import ends_all
from adapter.store.documents import UNSYNCED
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.edge import knows_own, own_search
from adapter.sync.pulling.born import know
from adapter.sync.pulling.cursors import Cursor, Cursors
from adapter.sync.pulling.exported import Exported, Job
from adapter.sync.pulling.intake import FAULTS, Intake, Part, parts_of
from adapter.sync.pulling.pages import ahead
from adapter.sync.pulling.pull import own_ids, types_to_pull
from adapter.sync.pulling.scope import of_patients
from adapter.sync.pulling.searches import counts
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.visit import Visit

LAST = "last"
"""Instead of a time: since the last export of the same kind."""

# What is held and looked at together: so many lines, or so much text.
_BATCH, _BATCH_BYTES = 200, 4 * 1024 * 1024
# How often an export that is lost before it is read is begun in one run.
_EXPORTS = 3
# Seconds between two looks: the fewest, and where the remote does not say, the first and the most.
_LOOK_LEAST, _LOOK, _LOOK_LONGEST = 0.1, 1.0, 30.0
_PERCENT = re.compile(r"(\d{1,3})(?:\.\d+)? ?%")
# Settings that narrow or widen a pull in ways that no export can.
_NOT_EXPORTED = ("mine", "scope", "searches", "depth")

Progress = Callable[[str, int, int], None]


def loads_by_export(visit: Visit, cursors: Cursors, exported: Exported) -> bool:
    """Whether a pull that nobody said more about is to be an export: the first one, where the remote's settings say so."""
    read = any(cursors.of(type).since for type in types_to_pull(visit.remote, visit.capability))
    return visit.remote.first_load == "export" and not read and not exported.ever


def pause(found: Running, look: float, longest: float) -> float:
    """Seconds until an export is looked at again: as the remote asks, else `look`; at most `longest` (0: no limit) where it allows that."""
    wait = look if found.wait is None else found.wait
    return max(_LOOK_LEAST, wait if found.rest else min(wait, longest or wait))


@dataclass(frozen=True)
class ExportRun:
    """A pull of what one remote exports, applied by `intake`."""

    visit: Visit
    intake: Intake
    exported: Exported
    cursors: Cursors
    certificate: Certificate
    progress: Progress
    check: Callable[[], None]
    """Raises when we may no longer write."""
    first: Callable[[], None]
    """Called when it is known who was born in a casebridge, before anything is taken."""
    since: str | None = None
    """An instant, or LAST."""

    def batches(self) -> Iterator[None]:
        """Read an export to its end: the one that an earlier run left, if it asked for the same, else a new one.

        Comes up for air when a batch is committed, and when the cursors were moved. Raises Invalid for a time that is none, and where
        the remote's settings narrow a pull as no export can be.
        """
        asked = _asked(self.visit.remote)
        asked |= self._since(asked)
        for _ in range(_EXPORTS):
            job = self._job(asked)
            try:
                with self._stoppable(job):
                    job, told = self._finished(job)
                    yield from self._taken(job, told)
                break
            except RemoteGone as error:
                log.event("export.gone", remote=self.visit.remote.name, status=error.http_status)
                self.exported.forget()
                self.certificate.pulled.expected.clear()
                self.certificate.pulled.fetched.clear()
        else:
            raise RemoteTemporary(f"The remote lost its export {_EXPORTS} times before it was read; try again later.")
        whole = all(map(self.certificate.adds_up, self.certificate.pulled.expected))
        if "_since" not in asked:
            self._move(told)
        yield
        self.exported.close(job, whole=whole)
        self._bulk(single=True).cancel(job.status)

    def _since(self, asked: dict[str, Any]) -> dict[str, str]:
        if self.since is None:
            return {}
        if self.since != LAST:
            return {"_since": instant(_moment(self.since))}
        last = self.exported.last(asked)
        return {"_since": instant(last - timedelta(seconds=self.visit.remote.overlap))} if last else {}

    def _bulk(self, *, single: bool = False) -> Bulk:
        client = self.visit.single if single else self.visit.client
        return Bulk(client.base_url, client.exchange, self.visit.remote.export_hosts)

    def _job(self, asked: dict[str, Any]) -> Job:
        """The export to read: an earlier run's of the same, or one that is begun now."""
        job = self.exported.job()
        if job and job.asked == asked:
            return job
        if job:
            self._bulk().cancel(job.status)
            self.exported.forget()
        params = {name: value for name, value in asked.items() if name != "level"}
        return self.exported.begin(asked, self._bulk().begin(asked["level"], params))

    @contextmanager
    def _stoppable(self, job: Job) -> Iterator[None]:
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            if self.visit.remote.export_cancel:
                self._bulk(single=True).cancel(job.status)
                self.exported.forget()
            raise

    def _finished(self, job: Job) -> tuple[Job, Manifest]:
        """The job with its manifest; comes back when the remote has it."""
        look = _LOOK
        while job.manifest is None:
            self.check()
            found = self._bulk().status(job.status)
            if isinstance(found, Manifest):
                return self.exported.finished(job, found), found
            self._report(found.progress)
            self.visit.client.exchange.sleep(pause(found, look, self.visit.remote.export_wait))
            look = min(look * 2, _LOOK_LONGEST)
        return job, job.manifest

    def _report(self, told: str) -> None:
        """Show how far the remote says it is, in its words where they hold no percentage."""
        if percent := _PERCENT.search(told):
            self.progress("export at the remote", int(percent[1]), 100)
        else:
            self.progress(f"export at the remote: {told}" if told else "export at the remote", 0, 0)

    def _taken(self, job: Job, told: Manifest) -> Iterator[None]:
        """Read what is unread of all files, batch by batch, each kept before the next."""
        tally = self.certificate.pulled
        parts, left_out = parts_of(self.visit.remote, told)
        accounts = {part: self.exported.account(job, part.name) for part in parts}
        tally.reasons.update(f"not asked for: {type}" for type in left_out)
        for part, account in accounts.items():
            tally.include(account.tally)
            if part.counted:
                tally.expected[part.file.type] = tally.expected.get(part.file.type, 0) + part.counted
        self._learn({part.file.type for part in parts if part.kind == OUTPUT})
        self.first()
        doubt = min(job.begun, told.time) if job.resumed or self._read_before() else None
        unread = {part: account.place for part, account in accounts.items() if not account.ended}
        with ahead(self._lines(unread, token=told.token), _size) as batches:
            for part, lines in batches:
                self.check()
                account, type = accounts[part], part.file.type
                if lines:
                    came = self.intake.take(part, lines, doubt)
                    account.tally.include(came)
                    tally.include(came)
                    account.place = lines[-1].place
                account.ended = not lines
                self.exported.keep(job, part.name, account)
                self.progress(f"export {type}", tally.fetched[type], tally.expected.get(type, 0))
                yield

    def _lines(self, unread: dict[Part, Place], *, token: bool) -> Iterator[tuple[Part, list[Line]]]:
        """The unread lines of each file, some at a time, and none at its end."""
        bulk = self._bulk()
        for part, place in unread.items():
            batch: list[Line] = []
            size = 0
            for line in bulk.lines(part.file, place, token=token):
                batch.append(line)
                size += line.place.length
                if len(batch) == _BATCH or size > _BATCH_BYTES:
                    yield part, batch
                    batch, size = [], 0
            if batch:
                yield part, batch
            yield part, []

    def _learn(self, exported: set[str]) -> None:
        """Who was born in a casebridge, before anything that refers to it comes: of types without a file too, which others refer to."""
        able = [type for type in self.visit.capability.types if type not in UNSYNCED and knows_own(self.visit.capability, type)]
        there = counts(self.visit.client, {type: own_search(type) for type in able})
        for type in (type for type in able if there[type] != 0):
            try:
                know(self.intake.repository, self.visit.edge, type, own_ids(self.visit.single, type, {}))
            except RemoteFatal as error:
                # We may not search a type that is not ours to have.
                if type in exported or ends_all(error):
                    raise

    def _read_before(self) -> bool:
        """Whether anything may have come from the remote before, by which the export could be outdated."""
        return self.exported.ever or any(self.cursors.of(type).since for type in self._types)

    @property
    def _types(self) -> list[str]:
        return types_to_pull(self.visit.remote, self.visit.capability)

    def _move(self, told: Manifest) -> None:
        """The next pull goes on from the export, for types that this export holds whole and that were not read before.

        A cursor that is there stays: an export does not tell for sure what was deleted since. That there is no file of a type does not say
        that there is none of it: the remote may not export it.
        """
        remote, since = self.visit.remote, told.time - timedelta(seconds=self.visit.remote.overlap)
        narrowed = {each.partition("?")[0] for each in remote.export_filter}
        whole = {"system": lambda _: True, "Patient": of_patients}.get(remote.export, lambda _: False)
        able = [type for type in self._types if whole(type) and type not in narrowed and not self.cursors.of(type).since]
        held = {file.type for file in told.output}
        there = counts(self.visit.client, {type: {} for type in able if type not in held})
        for type in able if not self.certificate.pulled.expected.get(FAULTS) else ():
            if self.certificate.adds_up(type) and there.get(type, 0) == 0:
                self.cursors.move(type, Cursor(since))


def _size(batch: tuple[Part, list[Line]]) -> int:
    """The bytes of some lines."""
    return sum(line.place.length for line in batch[1])


def _asked(remote: Remote) -> dict[str, Any]:
    """The level and parameters of a remote's export."""
    if set_ := [name for name in _NOT_EXPORTED if getattr(remote, name)]:
        name = "reference_depth" if set_[0] == "depth" else set_[0]
        raise Invalid(f"An export cannot do what the remote's setting {name} asks of a pull: pull by search, or unset it.")
    level = "" if remote.export == "system" else remote.export
    types = {"_type": ",".join(remote.types)} if remote.types else {}
    return {"level": level} | types | ({"_typeFilter": list(remote.export_filter)} if remote.export_filter else {})


def _moment(text: str) -> datetime:
    with suppress(ValueError):
        if (moment := datetime.fromisoformat(text)).tzinfo is not None:
            return moment
    raise Invalid(f"A time to export since is an instant with its zone, such as 2025-04-22T13:00:00Z, or the word {LAST}.")
