"""The job that writes an export, piece by piece; whoever takes it over goes on behind the last piece that is whole."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from adapter.fhir import manifest
from adapter.fhir.resource import Raw, dumps, parse
from adapter.store.documents import Document
from adapter.store.repository import Repository
from adapter.sync.exporting import account, files
from adapter.sync.exporting.asked import SYSTEM
from adapter.sync.exporting.cohort import cohort
from adapter.sync.exporting.exports import Export, Exports, Step
from adapter.sync.exporting.eyes import Eyes
from adapter.sync.exporting.selection import DELETED, MEMBERS, Selection, choices
from adapter.sync.workers.jobs import Arguments, Work

# The embedded store compares each document that it finds with each id of a list.
_NAMED = 100


def write_export(root: Path, work: Work, arguments: Arguments) -> None:
    """Write what is left of an export into files below `root`. Raises Busy where it is not to be done any more, or by another."""
    exports = Exports(work.repository)
    export = exports.take_up(arguments["export"])
    if export.finished:
        # Whoever wrote it was killed before the job was known to be done.
        return
    look = partial(_seen, work.repository, export.eyes)
    people = cohort(export.asked, look())
    if not export.steps:
        export = exports.put(export, replace(export, steps=_steps(export, look(), people)))
    referred = _referred(root, export)
    with files.Written(root, export) as written:
        writing = _Writing(root, exports, look, written, work.check)
        while export.at < len(export.steps):
            step = export.steps[export.at]
            selection = Selection(export.asked, step.choice, step.type, people, referred)
            export = writing.recent(writing.settled(export, selection), selection)
        written.add(manifest.ERROR, "OperationOutcome", map(_note, export.asked.notes))
        export = replace(export, files=written.whole(export.files))
        exports.finish(export, account.written(export, work.repository.clock))


@dataclass(frozen=True)
class _Writing:
    """Writes the steps of an export."""

    root: Path
    exports: Exports
    look: Callable[[], Repository]
    """The store as who asked may see it now: for each piece anew."""
    written: files.Written
    check: Callable[[], None]

    def settled(self, export: Export, selection: Selection) -> Export:
        """Write, in order of change, what was last changed before the export's time."""
        pace = selection.pace(self.look().database, export.steps[export.at].count)
        while not export.settled:
            self.check()
            database = self.look().database
            place = ((export.after[0],), export.after[1]) if export.after else None
            documents, place = selection.page(database, place, export.time, pace)
            self._write(selection, selection.taken(database, documents))
            done = min(export.done + len(documents), export.reach)
            further = replace(export, after=place and (place[0][0], place[1]), settled=place is None, done=done)
            if further.settled:
                # Kept together with what was changed since, which is mostly nothing.
                return replace(further, files=self.written.whole(export.files))
            # That nothing is in a window is found out again as fast as it is kept.
            export = self._put(export, further) if documents else further
        return export

    def recent(self, export: Export, selection: Selection) -> Export:
        """Write what was changed since then, so also while the rest was written, unless it is there as it was before."""
        changed = selection.changed(self.look().database, export.time)
        held = self._held(export, selection) if changed else set()
        left = [id for id in changed if f"{selection.type}/{id}" not in held]
        for start in range(0, len(left), _NAMED):
            self.check()
            database = self.look().database
            documents = selection.named(database, left[start : start + _NAMED])
            self._write(selection, selection.taken(database, documents))
            export = self._put(export, replace(export, done=min(export.done + _NAMED, export.reach)))
        return self._put(export, replace(export, at=export.at + 1, after=None, settled=False, done=export.reach))

    def _put(self, before: Export, after: Export) -> Export:
        return self.exports.put(before, replace(after, files=self.written.whole(before.files)))

    def _held(self, export: Export, selection: Selection) -> set[str]:
        """Type/id of what is in the files of a step."""
        several = [made for made in export.files if (made.kind, made.type) == _file_of(selection)]
        return {_about(parse(line), made.kind) for made in several for line in files.lines(self.root, export, made)}

    def _write(self, selection: Selection, documents: list[Document]) -> None:
        shape = selection.asked.shape()
        for document in documents:
            text = document["fhir"]["raw"] or _deletion(selection.type, document["_id"])
            line = shape(text) if shape and document["fhir"]["raw"] else text
            # As it is told: whoever takes the export over has nothing but the files to know it by.
            selection.note(line)
            self.written.add(*_file_of(selection), [line])


def _file_of(selection: Selection) -> tuple[str, str]:
    """The kind and type of the files that a step is written to."""
    return (manifest.DELETED, "Bundle") if selection.choice == DELETED else (manifest.OUTPUT, selection.type)


def _about(raw: Raw, kind: str) -> str:
    """Type/id of what a line is about."""
    return str(raw["entry"][0]["request"]["url"]) if kind == manifest.DELETED else f"{raw['resourceType']}/{raw['id']}"


def _seen(repository: Repository, eyes: Eyes | None) -> Repository:
    return eyes.on(repository) if eyes else repository


def _steps(export: Export, repository: Repository, people: frozenset[str] | None) -> tuple[Step, ...]:
    """The work, counted. Nothing that is to be looked at later is missing from it but what is made after this."""
    found = []
    for choice, type in choices(export.asked, repository.types()):
        # Makes the indexes where they are missing.
        repository.collection(type)
        selection = Selection(export.asked, choice, type, people)
        found.append(Step(choice, type, selection.count(repository.database, about=export.eyes is None)))
    return tuple(found)


def _referred(root: Path, export: Export) -> set[str]:
    """What is referred to by what is in the files already; nothing where everything is asked for, whoever refers to it."""
    if export.asked.level == SYSTEM:
        return set()
    selection = Selection(export.asked, MEMBERS, "Patient")
    for made in export.files:
        for line in files.lines(root, export, made):
            selection.note(line)
    return selection.referred


def _deletion(type: str, id: str) -> str:
    entry = {"request": {"method": "DELETE", "url": f"{type}/{id}"}}
    return dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})


def _note(text: str) -> str:
    return dumps({"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "not-supported", "diagnostics": text}]})
