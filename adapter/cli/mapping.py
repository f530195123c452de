"""`casebridge mapping`: what the mapping tables make of a resource, and whether they keep their laws on it."""

import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import click

from adapter.cli.exits import Failure
from adapter.cli.laws import Explained, broken, explain
from adapter.cli.terminal import as_json, line, progress, say, table
from adapter.fhir.resource import dumps
from adapter.mapping.registry import mapping_for
from adapter.sync.loading.files import Item, files, resources

_SHOWN = 40
_VALUE = 60
_UNKNOWN_MODIFIER = "a modifier that is not known here, so nothing is read and it is not edited"


@click.group()
def mapping() -> None:
    """The tables between FHIR resources and case records."""


@mapping.command("explain")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1), help="How many resources to explain.")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def explain_(file: Path, limit: int, json: bool) -> None:
    """Show what is read of a resource, and what passes through.

    For each resource in FILE: which element is read into which field of the record, which elements are kept as sent, and what could not
    be read. Nothing is stored, and no database is needed.

    \b
      casebridge mapping explain patient.json
    """
    found = [item for path in files([file]) for item in islice(resources(path), limit)][:limit]
    explained = [(item, explain(item.raw)) for item in found if item.raw is not None]
    if json:
        as_json([_as_json(item, each) for item, each in explained])
    else:
        for item, each in explained:
            _show(item, each)
    bad = [item for item in found if item.fault]
    for item in bad:
        say(f"{item.place}: {item.fault}")
    if bad:
        raise Failure


def _name(item: Item) -> str:
    raw = item.raw or {}
    return f"{raw.get('resourceType')}/{raw['id']}" if "id" in raw else str(raw.get("resourceType"))


def _show(item: Item, each: Explained) -> None:
    line(f"{_name(item)} ({item.place})")
    if each.mapping is None:
        line("  Its type or kind is not mapped: all of it passes through, is kept as sent, and can be searched.\n")
        return
    line(f"  read as: {each.mapping.concept}{'' if each.understood else f'; it has {_UNKNOWN_MODIFIER}'}\n")
    read = [(f"  {_shorter(path)}", attr, _brief(value)) for path, attr, value in each.read]
    passed = [(f"  {_shorter(path)}", _brief(value)) for path, value in each.passed]
    problems = [(f"  {problem.path}", problem.reason) for problem in each.problems]
    for columns, rows in (
        (("  element", "of the record", "value"), read),
        (("  passes through as sent", "value"), passed),
        (("  could not be read", "why"), problems),
    ):
        if rows:
            table(columns, rows)
            line("")


def _shorter(path: str) -> str:
    """The path with the last part of each url only."""
    return re.sub(r"\[\w+:[^\]]*?([^\]/:]+)\]", r"[\1]", path)


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else dumps(value)
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 1]}…"


def _as_json(item: Item, each: Explained) -> dict[str, Any]:
    return {
        "resource": _name(item),
        "place": str(item.place),
        "concept": each.mapping.concept if each.mapping else None,
        "understood": each.understood,
        "read": [{"path": path, "record": attr, "value": value} for path, attr, value in each.read],
        "passed": [{"path": path, "value": value} for path, value in each.passed],
        "problems": [{"path": problem.path, "reason": problem.reason} for problem in each.problems],
    }


@mapping.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "json", is_flag=True, help="As JSON.")
def check(paths: tuple[Path, ...], json: bool) -> None:
    """Try the mapping's laws on any resources.

    PATHS are .json and .ndjson files, both also .gz or .zst, and folders. GetPut: putting a resource's own record back leaves its text
    as it was. PutGet: its record, put onto nothing and read again, is the same record. Each difference is shown by its path; the exit
    code is 1 on any, and for what cannot be read. No database is needed.

    \b
      casebridge mapping check Patient.ndjson.zst bundles/
    """
    tried: Counter[str] = Counter()
    unmapped: Counter[str] = Counter()
    faults: list[dict[str, str]] = []
    done = 0
    with progress() as report:
        for path in files(paths):
            for item in resources(path):
                done += 1
                if not done % 100:
                    report("check", done, 0)
                faults += _faults(item, tried, unmapped)
    if json:
        as_json({"checked": dict(sorted(tried.items())), "not mapped": dict(sorted(unmapped.items())), "differences": faults})
    else:
        for fault in faults[:_SHOWN]:
            line(f"{fault['place']}: {fault['law']} {fault['path']}".rstrip())
        if len(faults) > _SHOWN:
            line(f"… and {len(faults) - _SHOWN} more; --json lists all.")
        table(("concept", "resources"), sorted(tried.items()), numbers=("resources",))
        verdict = f"{len(faults)} differences" if faults else "GetPut and PutGet hold"
        line(f"{verdict}: {tried.total()} resources tried, {unmapped.total()} of types or kinds that are not mapped.")
    if faults:
        raise Failure


def _faults(item: Item, tried: Counter[str], unmapped: Counter[str]) -> list[dict[str, str]]:
    place = str(item.place)
    if item.raw is None:
        # A Bundle's entry without a resource is a request: there is nothing to map.
        return [] if item.place.path else [{"place": place, "law": item.fault, "path": ""}]
    found = mapping_for(item.raw)
    if found is None:
        unmapped[str(item.raw.get("resourceType"))] += 1
        return []
    tried[found.concept] += 1
    return [{"place": f"{place} {_name(item)}", "law": law, "path": path} for law, path in broken(item.raw)]
