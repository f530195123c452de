"""`casebridge care`: the care knowledge that is used here, casebridge's own and the site's."""

from pathlib import Path

import click

from adapter.care import check as knowledge
from adapter.care.check import Checked
from adapter.care.template import plan_definition
from adapter.cli.exits import Failure
from adapter.cli.terminal import as_json, line, say, table
from adapter.errors import Invalid
from adapter.fhir.resource import Raw, check_structure, parse


@click.group()
def care() -> None:
    """Care knowledge: check a site's own files.

    A site's models, instruments, plan templates, policies and groupings of codes stand in the folder that CASEBRIDGE_CARE names.

    \b
      casebridge care check
    """


@care.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--as", "kind", type=click.Choice(knowledge.KINDS), help="What FILE is.  [the name of its folder]")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def check(file: Path | None, kind: str | None, json: bool) -> None:
    """Say whether data files can be used, else where and why.

    Without FILE all that is used here is checked: casebridge's own and what is in the folder that CASEBRIDGE_CARE names. The exit code is
    1 where a file cannot be used; the server then does not start.

    \b
      casebridge care check
      casebridge care check instruments/who5.json
      casebridge care check draft.json --as models
    """
    found = [_file(file, kind)] if file else [_used(each) for each in knowledge.everything()]
    if json:
        as_json([{"kind": each.kind, "name": each.name, "problem": each.problem, "warning": each.warning} for each in found])
    else:
        for each in found:
            if each.problem or each.warning:
                say(each.problem or f"{each.name}: {each.warning}")
        used = [each for each in found if not each.problem]
        table(("kind", "files"), [(kind, sum(each.kind == kind for each in used)) for kind in knowledge.KINDS], numbers=("files",))
        line("All can be used." if len(used) == len(found) else f"{len(found) - len(used)} cannot be used.")
    if any(each.problem for each in found):
        raise Failure


def _file(path: Path, kind: str | None) -> Checked:
    kind = kind or path.absolute().parent.name
    if kind not in knowledge.KINDS:
        raise Invalid(f"Of a file in no folder of care knowledge, --as says what it is: {', '.join(knowledge.KINDS)}.")
    found = knowledge.file(path, kind)
    return found if found.problem or kind != "templates" else _structure(found, parse(path.read_bytes()))


def _used(found: Checked) -> Checked:
    return found if found.problem or found.kind != "templates" else _structure(found, plan_definition(found.name))


def _structure(found: Checked, raw: Raw) -> Checked:
    """A template is a PlanDefinition too, and has to be one that FHIR allows."""
    try:
        for resource in (raw, *raw.get("contained", ())):
            check_structure(resource)
    except Invalid as error:
        where = f" - at {', '.join(error.expression)}" if error.expression else ""
        return Checked(found.kind, found.name, f"{found.name}.json: {error.text}{where}")
    return found
