"""`casebridge import` and `casebridge export`: resources from files and into files."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from adapter.cli.connection import repository
from adapter.cli.exits import Failure
from adapter.cli.terminal import Report, as_json, line, progress, say, table
from adapter.cli.watch import look_once
from adapter.config import Settings
from adapter.errors import Invalid, NotFound
from adapter.store.repository import Repository
from adapter.sync.loading.imports import Loaded
from adapter.sync.loading.load import load
from adapter.sync.workers import tasks

_SHOWN = 40


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--atomic", is_flag=True, help="All in one transaction, and nothing if any is bad.")
@click.option("--again", is_flag=True, help="From the start, though this import was stopped in the midst.")
@click.option("--json", "json", is_flag=True, help="The report as JSON.")
def import_(paths: tuple[Path, ...], atomic: bool, again: bool, json: bool) -> None:
    """Import FHIR resources from files or folders.

    Read are .json (also Bundles) and .ndjson, both also .gz or .zst. Resources keep their ids. The same content again changes nothing;
    other content is a new version. What is bad is named with file, line and reason and left out, the rest is imported, and the exit code
    is 1. An import that was stopped, in whatever way, goes on where it was when the same command is given again; what has changed in a
    file since then starts anew.

    \b
      casebridge import patients.ndjson.gz bundle.json
      casebridge import export/ --atomic
    """
    with repository() as opened, progress() as report:
        workers = tasks.workers(Settings.from_env(), opened, say)
        # Workers are elsewhere in the file system.
        named = [path.absolute() for path in paths] if workers else paths
        loaded = load(opened, named, atomic=atomic, again=again, workers=workers, progress=report, say=say)
        look_once(opened)
    if json:
        as_json(loaded.to_json())
    else:
        _show(loaded, atomic)
    if loaded.bad:
        raise Failure


def _show(loaded: Loaded, atomic: bool) -> None:
    for bad in loaded.bad[:_SHOWN]:
        say(f"{bad.place}: {bad.reason}")
    if len(loaded.bad) > _SHOWN:
        say(f"… and {len(loaded.bad) - _SHOWN} more; --json lists all.")
    types = sorted({*loaded.created, *loaded.updated, *loaded.unchanged})
    if types:
        rows = [(type, loaded.created[type], loaded.updated[type], loaded.unchanged[type]) for type in types]
        table(("type", "created", "updated", "unchanged"), rows, numbers=("created", "updated", "unchanged"))
    if loaded.bad and atomic:
        line(f"Nothing was imported: {len(loaded.bad)} bad.")
    else:
        written = loaded.created.total() + loaded.updated.total()
        line(f"{written} imported, {loaded.unchanged.total()} unchanged, {len(loaded.bad)} bad.")


@click.command()
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this resource type; repeatable.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder (one TYPE.ndjson each), or a file .ndjson or .ndjson.gz.")
def export(types: tuple[str, ...], out: Path | None) -> None:
    """Write the current resources as NDJSON.

    Each is as a read would answer it. Without --out they go to standard output. A file appears under its name when it is whole.

    \b
      casebridge export --type Patient | head -1
      casebridge export --out backup/
      casebridge export --out all.ndjson.gz
    """
    with repository() as opened, progress() as report:
        known = opened.types()
        if unknown := sorted(set(types) - set(known)):
            raise NotFound(f"Nothing of type {', '.join(unknown)} is stored; stored are: {', '.join(known) or 'none'}.")
        wanted = [type for type in known if type in types or not types]
        if out is None:
            for type in wanted:
                for text in _texts(opened, type, report):
                    line(text)
            return
        written = _to_folder(opened, wanted, out, report) if _is_folder(out) else _to_file(opened, wanted, out, report)
    say(f"{written} resources written to {out}.")


def _is_folder(out: Path) -> bool:
    if out.is_dir() or not out.suffix:
        return True
    if not out.name.endswith((".ndjson", ".ndjson.gz")):
        raise Invalid("--out is a folder, or a file that ends in .ndjson or .ndjson.gz.")
    return False


def _texts(opened: Repository, type: str, report: Report) -> Iterator[str]:
    total = opened.collection(type).estimated_document_count()
    for done, stored in enumerate(opened.scan(type), start=1):
        report(f"export {type}", done, total)
        if not stored.deleted:
            yield stored.text


def _to_folder(opened: Repository, types: list[str], out: Path, report: Report) -> int:
    out.mkdir(parents=True, exist_ok=True)
    return sum(_to_file(opened, [type], out / f"{type}.ndjson", report) for type in types)


def _to_file(opened: Repository, types: list[str], out: Path, report: Report) -> int:
    count = 0
    with whole(out) as file:
        for type in types:
            for text in _texts(opened, type, report):
                file.write(text.encode() + b"\n")
                count += 1
    return count


@contextmanager
def whole(out: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """A file of its owner's alone that takes its name when it is complete; before that, and if it never is, there is none."""
    partial = out.with_name(f".{out.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            if out.suffix == ".gz":
                with gzip.GzipFile(filename="", fileobj=file, mode="wb") as packed:
                    yield packed
            else:
                yield file
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
