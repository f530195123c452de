"""Resources from files into the store: valid ones kept whole, bad ones named, and an import that was stopped goes on where it was.

While one batch is written, the next one is read and checked: the store is another process, so both cores work.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from adapter.errors import Forbidden, Invalid, NotFound, TooLarge, VersionConflict
from adapter.fhir.plain import is_plain
from adapter.fhir.resource import Raw, check_structure, resource_type
from adapter.mapping.registry import mapping_for
from adapter.store.documents import TRANSACTION_BYTES, Change, Stored
from adapter.store.repository import Repository
from adapter.store.search_parameters import parameters
from adapter.store.state import State
from adapter.store.versions import made_by
from adapter.sync import lease
from adapter.sync.loading.files import LIMIT, Item, files, resources
from adapter.sync.loading.imports import BAD, Import, Loaded, Looked, Progress, Say, Source, Step, digest_of, importing, name_of
from adapter.sync.loading.seen import Seen, seen
from adapter.sync.loading.stretches import MB, stretch_at
from adapter.sync.workers.jobs import Arguments, Elsewhere, Job, Work

BATCH = 200
"""Resources per transaction."""
ATOMIC_LIMIT = 5000
"""Resources that one transaction may hold: MongoDB gives a transaction 60 s, and all of them are in memory until then."""
JOB_BYTES, JOB_STRETCHES = MB, 1000
"""How much a worker is given at once, as it is on the disk, in how many stretches; a larger one is a job of its own."""

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
# A code element's table is total, so what is not in it is not FHIR; other problems are only ours (a form that the record has no room for).
_UNKNOWN_CODE = "A code is not in the table"
_CAME_BEFORE = "another resource of this type and id, with other content, came before it"
_ATTEMPTS = 6


def fault_of(raw: Raw) -> str:
    """Why this resource must not be imported: type, id, structure or a code that FHIR does not have there; empty where it may be."""
    try:
        parameters(resource_type(raw))
        if not is_plain(raw):
            check_structure(raw)
    except (Invalid, NotFound) as error:
        return error.text
    if "id" not in raw:
        return "has no id"
    if not isinstance(raw["id"], str) or not _ID.fullmatch(raw["id"]):
        return "its id is not one to 64 letters, digits, - and ."
    if not isinstance(raw.get("meta", {}), dict):
        return "its meta is not an object"
    mapping = mapping_for(raw)
    problems = mapping.extract(raw).problems if mapping else ()
    unknown = (problem for problem in problems if problem.reason.startswith(_UNKNOWN_CODE))
    return "; ".join(f"{raw['resourceType']}.{problem.path}: {problem.reason}" for problem in unknown)


def load(
    repository: Repository,
    paths: Sequence[Path],
    *,
    atomic: bool = False,
    again: bool = False,
    limit: int = LIMIT,
    workers: Elsewhere | None = None,
    progress: Progress = lambda *_: None,
    say: Say = lambda _: None,
) -> Loaded:
    """Import what the paths hold, under the ids that the resources have; other content under a known id is its new version.

    The valid ones are written in batches, each in one transaction together with how far the import is: one that was stopped, however that
    was, goes on from there when it is asked for once more, unless `again`. What has changed since starts anew. With `atomic` all are
    in one transaction, and none where any is bad. `workers` divide the files among them, a large one too. `say` gets what a person should
    know. Raises Busy where the same import is running, TooLarge where there are more than fit into one transaction, WorkFailed.
    """
    found, state, name = files(paths), State(repository.database), name_of(paths)
    with lease.hold(state, name, work="import of these files") as held, repository.using(held.session):
        if atomic:
            return _load_all(repository, Import(state, "", (Source(str(path), path, None) for path in found), {}), limit, progress)
        with importing(state, name, found, repository.clock, held.session, again=again, say=say, progress=progress) as work:
            if workers:
                workers(_jobs(work), partial(_tell_all, work, progress))
                return Import.kept(state, work.run).of(work.sources).report()
            for last in _load(repository, work, limit, held.check):
                _tell(work, last, progress)
            return work.report()


def load_files(work: Work, arguments: Arguments) -> None:
    """A worker's part of an import: some stretches of its files. Raises Invalid where these are not here, or not the same."""
    part = Import.kept(work.state, arguments["run"], arguments["stretches"])
    for source in part.sources.values():
        there = source.stretch
        if there is None or stretch_at(source.path, there.start, there.line) != there:
            raise Invalid(f"{source.path} is not the same on a worker as where the import was asked for.")
    for _ in _load(work.repository, part, LIMIT, work.check):
        pass


def _load(repository: Repository, work: Import, limit: int, check: Callable[[], None]) -> Iterator[Looked]:
    """Import what is not dealt with yet; the last item of each batch, when that is written."""
    with seen() as before:
        looked = (each for source in [*work.sources.values()] for each in _looked(work, source, limit, before))
        for batch in _written(partial(_keep, repository, work, check), _batches(looked)):
            yield batch[-1]


def _jobs(work: Import) -> list[Job]:
    """The stretches as jobs for workers, the largest first; small ones together."""
    parts: list[list[str]] = []
    size = float("inf")
    for source in sorted(work.sources.values(), key=lambda source: (-source.size, source.key)):
        if size + source.size > JOB_BYTES or len(parts[-1]) == JOB_STRETCHES:
            parts.append([])
            size = 0
        parts[-1].append(source.key)
        size += source.size
    return [Job(f"load:{work.run}:{digest_of(*keys)}", "load", {"run": work.run, "stretches": keys}) for keys in parts]


def _tell_all(work: Import, progress: Progress) -> None:
    now = Import.kept(work.state, work.run).of(work.sources).sources.values()
    paths = {source.path for source in now}
    progress(f"import {len(paths)} files", sum(source.done for source in now), sum(source.lines for source in now))


def _load_all(repository: Repository, work: Import, limit: int, progress: Progress) -> Loaded:
    looked: list[Looked] = []
    with seen() as before:
        for each in (each for source in work.sources.values() for each in _looked(work, source, limit, before)):
            looked.append(each)
            if len(looked) > ATOMIC_LIMIT:
                raise TooLarge(f"Over {ATOMIC_LIMIT} resources do not fit into one transaction. Import them without --atomic, or in parts.")
            if not len(looked) % BATCH:
                progress("check", len(looked), 0)
    if any(each.fault for each in looked):
        work.took(work.after([(each, BAD) for each in looked if each.fault]))
        return work.report()
    changes, became = _planned(repository, looked)
    repository.commit(changes)
    work.took(work.after(list(zip(looked, became, strict=True))))
    progress("import", len(looked), len(looked))
    return work.report()


def _looked(work: Import, source: Source, limit: int, before: Seen) -> Iterator[Looked]:
    """The items of a stretch that have not been dealt with, each looked at."""
    for number, item in enumerate(resources(source.path, source.stretch, limit=limit), start=1):
        if number > source.done:
            yield _judged(source, number, item, before)
        elif item.raw is not None and ((bad := work.bad.get((source.key, number))) is None or bad.late):
            before.first(item.raw)


def _judged(source: Source, number: int, item: Item, before: Seen) -> Looked:
    fault = item.fault or fault_of(item.raw or {})
    if fault or item.raw is None:
        return Looked(source.key, number, item, fault)
    first = before.first(item.raw)
    if first is None:
        return Looked(source.key, number, item)
    return Looked(source.key, number, item, again=True) if first else Looked(source.key, number, item, _CAME_BEFORE)


def _batches(looked: Iterable[Looked]) -> Iterator[list[Looked]]:
    """As many as one transaction takes; what is not to be written counts little, so that what is bad is remembered too."""
    batch, weight = list[Looked](), 0.0
    for each in looked:
        batch.append(each)
        weight += max(1 / BATCH, each.item.size / TRANSACTION_BYTES) if each.wanted else 0.1 / BATCH
        if weight >= 1:
            yield batch
            batch, weight = [], 0.0
    if batch:
        yield batch


def _written(keep: Callable[[list[Looked]], None], batches: Iterable[list[Looked]]) -> Iterator[list[Looked]]:
    """The batches, each when it is kept; the next one is made meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="import") as writer:
        under_way: tuple[Future[None], list[Looked]] | None = None
        for batch in batches:
            if under_way:
                under_way[0].result()
                yield under_way[1]
            under_way = writer.submit(keep, batch), batch
        if under_way:
            under_way[0].result()
            yield under_way[1]


def _tell(work: Import, last: Looked, progress: Progress) -> None:
    path, paths = work.sources[last.source].path, [*dict.fromkeys(source.path for source in work.sources.values())]
    of_it = [source for source in work.sources.values() if source.path == path]
    place = f" ({paths.index(path) + 1} of {len(paths)} files)" if len(paths) > 1 else ""
    progress(f"import {path.name}{place}", sum(source.done for source in of_it), sum(source.lines for source in of_it))


def _keep(repository: Repository, work: Import, check: Callable[[], None], looked: list[Looked]) -> None:
    """Write a batch, and that it is; one that is too large, or may not be written, is halved down to the resource that is so."""
    check()
    try:
        work.took(_commit(repository, work, looked))
    except (Forbidden, TooLarge) as error:
        if len(looked) == 1:
            step = work.after([(replace(looked[0], fault=error.text), BAD)], late=True)
            repository.commit([], also=partial(step.write, work.state))
            work.took(step)
            return
        half = len(looked) // 2
        _keep(repository, work, check, looked[:half])
        _keep(repository, work, check, looked[half:])


def _commit(repository: Repository, work: Import, looked: list[Looked], left: int = _ATTEMPTS) -> Step:
    """Carry out what is to be done about a batch; planned again where somebody wrote in between."""
    changes, became = _planned(repository, looked)
    step = work.after(list(zip(looked, became, strict=True)))
    try:
        repository.commit(changes, also=partial(step.write, work.state))
    except VersionConflict:
        if not left:
            raise
        return _commit(repository, work, looked, left - 1)
    return step


def _planned(repository: Repository, looked: Sequence[Looked]) -> tuple[list[Change], list[str]]:
    """The changes that write these, and what each of these becomes by them."""
    raws = {(raw["resourceType"], raw["id"]): raw for each in looked if each.wanted and (raw := each.item.raw)}
    types = {type for type, _ in raws}
    known = {type: repository.find_many(type, [id for of, id in raws if of == type]) for type in types}
    changes, becoming = [], {}
    for (type, id), raw in raws.items():
        old = known[type].get(id)
        change = Change(type, id, raw, old.version if old else 0)
        becoming[type, id] = _becomes(change, old)
        if becoming[type, id] != "unchanged":
            changes.append(change)
    return changes, [_became(each, becoming) for each in looked]


def _becomes(change: Change, old: Stored | None) -> str:
    if old is None:
        return "created"
    return "unchanged" if made_by(change, old, old.updated, []).version == old.version else "updated"


def _became(looked: Looked, becoming: dict[tuple[str, str], str]) -> str:
    if looked.fault or looked.item.raw is None:
        return BAD
    return "unchanged" if looked.again else becoming[looked.item.raw["resourceType"], looked.item.raw["id"]]
