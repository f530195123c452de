"""`casebridge case`: whole case stories in, one case out."""

from pathlib import Path

import click

from adapter.cases import story
from adapter.cli.connection import repository
from adapter.cli.terminal import as_json, line, progress, say, table
from adapter.errors import CasebridgeError, Invalid, NotFound
from adapter.fhir.resource import parse
from adapter.store.casework import load_story, record
from adapter.store.repository import Repository


@click.group()
def case() -> None:
    """Cases: load a story, show a case."""


@case.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "json", is_flag=True, help="As JSON.")
def load(files: tuple[Path, ...], json: bool) -> None:
    """Load case stories: what was recorded and which steps were taken, moment by moment.

    All FILES are checked before any is loaded. Each moment of a story is one transaction; loading a story again goes on where it stopped.
    Everything in a story is tagged as synthetic.

    \b
      casebridge case load fixtures/cases/river.json
    """
    stories = [(path, _story(path)) for path in files]
    loaded = []
    with repository() as opened, progress() as report:
        for path, each in stories:
            loaded.append(load_story(opened, each, progress=lambda done, total, path=path: report(f"load {path.name}", done, total)))
    if json:
        as_json([vars(each) for each in loaded])
        return
    for done in loaded:
        line(f"{done.story}: {done.steps} moments loaded, {sum(done.counts.values())} resources. casebridge case show {done.case.partition('/')[2]}")


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
@click.option("--json", "json", is_flag=True, help="As JSON.")
def show(case_: str | None, json: bool) -> None:
    """Show CASE (its number or id) and what belongs to it. Without CASE: which cases there are.

    \b
      casebridge case show
      casebridge case show CM-2025-0007 --json
    """
    with repository() as opened:
        cases = {stored.id: record(opened, "case", stored.id) for stored in opened.scan("EpisodeOfCare", {"fhir.deleted": False}) if stored.concept == "case"}
        if case_ is None:
            _list(cases, json)
            return
        wanted = case_.removeprefix("EpisodeOfCare/")
        id = next((id for id, fields in cases.items() if wanted in (id, fields.get("case_number"))), None)
        if id is None:
            raise NotFound("There is no case of this number or id; `casebridge case show` lists those that there are.")
        belongs = _belongings(opened, f"EpisodeOfCare/{id}")
    if json:
        as_json({"id": id, "case": cases[id], "records": belongs})
        return
    for name, value in cases[id].items():
        line(f"{name}: {_short(value)}")
    rows = [(concept, reference, _short(fields.get("status", ""))) for concept, found in belongs.items() for reference, fields in found.items()]
    table(("record", "resource", "status"), rows, title="Belonging to it")
