"""`casebridge case`: whole case stories in, one case out."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from adapter.cases import story
from adapter.cases.headline import headline
from adapter.cases.record import Fields
from adapter.casework.facts import records_of
from adapter.casework.records import read
from adapter.casework.stories import load_story
from adapter.casework.trace import trace
from adapter.cli.connection import repository
from adapter.cli.terminal import as_json, line, progress, say, table
from adapter.errors import CasebridgeError, Invalid, NotFound
from adapter.fhir.resource import dumps, parse
from adapter.store.filters import KEY
from adapter.store.repository import Repository
from adapter.store.resolving import resolve

_VALUE = 100


@click.group()
def case() -> None:
    """Cases: load a story, show a case, ask why."""


_json = click.option("--json", "json", is_flag=True, help="As JSON.")


@case.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@_json
def load(files: tuple[Path, ...], json: bool) -> None:
    """Load whole case stories.

    A story says what was recorded and which steps were taken, moment by moment. All FILES are checked before any is loaded. Each moment
    of a story is one transaction; loading a story again goes on where it stopped. Everything in a story is tagged as synthetic.

    \b
      casebridge case load fixtures/cases/river.json
    """
    stories = [(path, _story(path)) for path in files]
    loaded = []
    with repository() as opened, progress() as report:
        for path, each in stories:
            loaded.append(load_story(opened, each, progress=partial(report, f"load {path.name}")))
    if json:
        as_json([vars(each) for each in loaded])
        return
    for done in loaded:
        line(f"{done.story}: {done.steps} moments loaded, {sum(done.counts.values())} resources in all.")
        say(f"casebridge case show {done.case.partition('/')[2]}")


def _story(path: Path) -> story.Story:
    """The checked story in a file. Raises Invalid naming the file and every fault's place."""
    try:
        return story.parse(parse(path.read_bytes()))
    except FileNotFoundError:
        raise Invalid(f"There is no file {path}.") from None
    except CasebridgeError as error:
        raise Invalid(f"{path}: {error.text}", expression=error.expression) from None


@case.command()
@click.argument("case_", metavar="CASE", required=False)
@_json
def show(case_: str | None, json: bool) -> None:
    """Show a case, or which cases there are.

    CASE is its number or id; with it comes what belongs to the case.

    \b
      casebridge case show
      casebridge case show CM-2025-0007 --json
    """
    with repository() as opened:
        cases = _cases(opened)
        if case_ is None:
            _list(cases, json)
            return
        id = _known(cases, case_)
        records = _records(opened, f"EpisodeOfCare/{id}", cases[id])
    if json:
        as_json({"id": id, "case": cases[id], "records": records})
        return
    table(("case", cases[id].get("case_number", id)), [(name, _short(value)) for name, value in cases[id].items()])
    line("")
    rows = [(each["concept"], each["resource"], each["fields"].get("status", "")) for each in records]
    table(("record", "resource", "status"), rows)


@case.command("trace")
@click.argument("case_", metavar="CASE")
@click.argument("element", required=False)
@_json
def trace_(case_: str, element: str | None, json: bool) -> None:
    """Show why something is in a case, and whether it helped.

    ELEMENT is a reference such as ServiceRequest/…, or a part of what the element is called, such as "physical therapy"; without one all
    services and goals of the case are listed. Each link says who made its record, when, and which version it is.

    \b
      casebridge case trace CM-2025-0042
      casebridge case trace CM-2025-0042 "physical therapy"
    """
    with repository() as opened:
        id = _known(_cases(opened), case_)
        kept = read(opened, "case", id)
        records = records_of(opened, kept.reference, kept.fields)
        called = {key: headline(concept, fields) for concept in _TRACED for key, fields in records.get(concept, {}).items()}
        if element is None:
            table(("element", "called"), sorted(called.items(), key=lambda each: each[1]))
            return
        named = [key for key, text in called.items() if element.casefold() in text.casefold()]
        if "/" not in element and len(named) != 1:
            raise Invalid(f"{len(named)} elements are called so; name one by its reference: `casebridge case trace {case_}` lists them.")
        found = trace(opened, id, named[0] if len(named) == 1 and "/" not in element else element)
    if json:
        as_json({"of": found.of, "what": found.what, **{way: [vars(link) for link in getattr(found, way)] for way in ("why", "helped")}})
        return
    line(found.what)
    for title, links in (("Why", found.why), ("Did it help", found.helped)):
        rows = [(link.relation, link.what, link.state, link.when[:10], link.by or "", link.version) for link in links]
        table(("", "what", "state", "when", "made by", "version"), rows, numbers=("version",), title=title)


_TRACED = ("planned_service", "goal", "plan")


def _cases(opened: Repository) -> dict[str, Fields]:
    return {stored.id: stored.record | stored.local for stored in opened.scan("EpisodeOfCare", _CASES)}


def _known(cases: dict[str, Fields], named: str) -> str:
    """The id of the case of this number or id. Raises NotFound."""
    wanted = named.removeprefix("EpisodeOfCare/")
    id = next((id for id, fields in cases.items() if wanted in (id, fields.get("case_number"))), None)
    if id is None:
        raise NotFound("There is no case of this number or id; `casebridge case show` lists those that there are.")
    return id


_CASES = {"concept": "case", "fhir.deleted": False}


def _list(cases: dict[str, Fields], json: bool) -> None:
    columns = ("case_number", "step", "status", "case_type", "tier", "opened_at")
    if json:
        as_json([{"id": id, **{name: fields.get(name) for name in columns}} for id, fields in cases.items()])
    elif cases:
        table(("number", *columns[1:]), [[fields.get(name, "") for name in columns] for fields in cases.values()])
    else:
        say("There is none. `casebridge case load FILE` loads a story.")


def _records(opened: Repository, reference: str, case: Fields) -> list[dict[str, Any]]:
    """What says that it belongs to the case, and what the case names."""
    of_client = (stored for type in opened.types() for stored in opened.scan(type, {KEY: case["client"], "fhir.deleted": False}))
    mine = [stored for stored in of_client if stored.record.get("case") == reference]
    named = [found for name in dict.fromkeys(_references(case)) if (found := resolve(opened, name)) and not found.deleted]
    each = {stored.reference: stored for stored in (*named, *mine) if stored.concept and stored.reference != reference}
    return [{"concept": stored.concept, "resource": name, "fields": stored.record | stored.local} for name, stored in each.items()]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _references(item)
    elif isinstance(value, str):
        yield value


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) if all(isinstance(item, str) for item in value) else f"{len(value)}, in full with --json"
    text = value if isinstance(value, str) else dumps(value)
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 1]}…"
