"""What the lines of an export's files mean here: resources, deletions, and what the remote says of its own failures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapter.errors import RemoteFatal
from adapter.fhir import bundle as bundles
from adapter.fhir.manifest import DELETED, ERROR, OUTPUT, File, Manifest
from adapter.fhir.ndjson import Line
from adapter.fhir.outcome import codes
from adapter.fhir.resource import Raw, version_of
from adapter.store.documents import Stored
from adapter.store.repository import Repository
from adapter.sync.edge import own_id
from adapter.sync.plan import Entry, Tally
from adapter.sync.pulling.born import know
from adapter.sync.pulling.pull import in_order, wanted
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.visit import Visit

FAULTS = "OperationOutcome"
"""The row of a certificate in which an export's own errors stand: as many as there are, and none of them fetched."""

_GRAVE = frozenset({"error", "fatal"})
# How far the remote's clock may be from ours.
_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Part:
    """One file of an export, and the name under which it is accounted for."""

    kind: str
    name: str
    file: File

    @property
    def counted(self) -> int:
        """How many resources the remote says it holds, 0 where it does not say."""
        return (self.file.count or 0) if self.kind == OUTPUT else 0


def parts_of(remote: Remote, told: Manifest) -> tuple[list[Part], list[str]]:
    """The files to read, those first that are referred to, deletions last; and the type of each that is not wanted."""
    rank = {type: place for place, type in enumerate(in_order({file.type for file in told.output}))}
    output = [Part(OUTPUT, f"{OUTPUT}{place}", file) for place, file in enumerate(told.output)]
    others = ((DELETED, told.deleted), (ERROR, told.errors))
    rest = [Part(kind, f"{kind}{place}", file) for kind, files in others for place, file in enumerate(files)]
    read = sorted((part for part in output if wanted(remote, part.file.type)), key=lambda part: rank[part.file.type])
    return read + rest, [part.file.type for part in output if not wanted(remote, part.file.type)]


@dataclass(frozen=True)
class Intake:
    """Applies lines: resources by `receive`, deletions, given by type and ids there, by `drop`."""

    visit: Visit
    repository: Repository
    receive: Callable[[str, list[Raw]], list[Entry]]
    drop: Callable[[str, list[str]], list[Entry]]

    def take(self, part: Part, lines: list[Line], doubt: datetime | None) -> Tally:
        """What became of these lines. Since `doubt` other syncs may have brought newer versions than the export has; None: never."""
        if part.kind == OUTPUT:
            return self._resources(part.file, lines, doubt)
        return self._deletions(lines) if part.kind == DELETED else _errors(lines)

    def _resources(self, file: File, lines: list[Line], doubt: datetime | None) -> Tally:
        tally, raws = Tally(), list[Raw]()
        for line in lines:
            if fault := _fault(file.type, line):
                tally.add([Entry("pull", "skip", file.type, "", reason=fault)])
            elif line.raw is not None:
                raws.append(line.raw)
        tally.fetched[file.type] = len(raws)
        if file.count is None:
            tally.expected[file.type] = len(lines)
        know(self.repository, self.visit.edge, file.type, ((f"{file.type}/{raw['id']}", id) for raw in raws if (id := own_id(raw))))
        for some in _apart(raws):
            now = self._current(file.type, some, doubt) if doubt else some
            tally.add(self.receive(file.type, now) if now else ())
            gone = Entry("pull", "skip", file.type, "", reason="no longer there as it was exported")
            tally.add([gone] * (len(some) - len(now)))
        return tally

    def _current(self, type: str, raws: list[Raw], doubt: datetime) -> list[Raw]:
        """The resources as they are there now, where another version than the exported one has come since; without those that are gone."""
        there = {f"{type}/{raw['id']}": raw for raw in raws}
        ids = {reference: self.visit.edge.local_id(reference) for reference in there}
        ours = self.repository.find_many(type, ids.values())
        moved = [reference for reference, raw in there.items() if self._moved(ours.get(ids[reference]), raw, doubt)]
        now = there | dict.fromkeys(moved) | (self.visit.single.reads(moved) if moved else {})
        return [raw for raw in now.values() if raw is not None]

    def _moved(self, stored: Stored | None, raw: Raw, doubt: datetime) -> bool:
        if stored is None or stored.updated < doubt - _SKEW:
            return False
        link = stored.link(self.visit.remote.name)
        return link is None or link.version != version_of(raw)

    def _deletions(self, lines: list[Line]) -> Tally:
        tally, ids = Tally(), dict[str, list[str]]()
        for line in lines:
            try:
                found = [*_deleted(line)]
            except RemoteFatal:
                _unread(tally, "Bundle", "a line of deletions is none")
                continue
            for type, id in found:
                if wanted(self.visit.remote, type):
                    ids.setdefault(type, []).append(id)
        for type, some in ids.items():
            tally.add(self.drop(type, some))
        return tally


def _errors(lines: list[Line]) -> Tally:
    tally = Tally()
    for line in lines:
        for severity, code, _path in codes(line.raw) if line.raw else [("error", "?", "")]:
            reason = f"the remote's export says {severity}: {code}"
            if severity in _GRAVE:
                _unread(tally, FAULTS, reason)
            else:
                tally.reasons[reason] += 1
    return tally


def _unread(tally: Tally, type: str, reason: str) -> None:
    """Count what there is and could not be had, so that the account does not add up."""
    tally.expected[type] = tally.expected.get(type, 0) + 1
    tally.add([Entry("pull", "skip", type, "", reason=reason)])


def _fault(type: str, line: Line) -> str:
    """Why a line is no resource of this type; empty where it is one."""
    if line.raw is None:
        return line.fault
    found = line.raw["resourceType"]
    if found != type:
        return f"a {found} among {type}"
    return "" if isinstance(line.raw.get("id"), str) else "a resource without an id"


def _apart(raws: list[Raw]) -> Iterator[list[Raw]]:
    """The resources in runs, in each of which an id comes once: a transaction writes a resource once."""
    run: dict[str, Raw] = {}
    for raw in raws:
        if raw["id"] in run:
            yield [*run.values()]
            run = {}
        run[raw["id"]] = raw
    if run:
        yield [*run.values()]


def _deleted(line: Line) -> Iterator[tuple[str, str]]:
    """(type, id) of each resource that a line says was deleted. http://hl7.org/fhir/uv/bulkdata/STU2/export.html#deleted-resources"""
    for entry in bundles.entries(line.raw or {"entry": line.fault}):
        request = entry.get("request", {})
        named = bundles.place(request.get("url"))
        if request.get("method") != "DELETE" or named is None:
            raise RemoteFatal("The remote's list of deletions holds an entry that is none.")
        yield named[0], named[1]
