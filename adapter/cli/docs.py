"""`casebridge docs`: the documents that are made from tables and code, written or compared."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from adapter import errors
from adapter.care import document as care
from adapter.cli.domain_coverage import document as domain_coverage
from adapter.cli.exits import CODES, Failure
from adapter.cli.terminal import line, say
from adapter.errors import CasebridgeError, Invalid
from adapter.mapping.document import document
from adapter.store.search_document import document as search_document
from adapter.sync.remotes.document import tables

_ROOT = Path(__file__).parents[2]
_MADE = "by `make docs`; do not edit it."


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a document is not current.")
@click.pass_context
def docs(ctx: click.Context, check: bool) -> None:
    """Write the documents that are made from code.

    They are docs/mapping.md, cli.md, domain-coverage.md, errors.md, instruments.md, operations.md, search.md and the tables in api.md,
    care.md and remotes.md of a source checkout.

    \b
      casebridge docs --check
    """
    # What the server needs costs every other command half a second.
    from server.api import document as api
    from server.fhir.operations import document as operations

    folder = _ROOT / "docs"
    if not (_ROOT / "pyproject.toml").exists():
        raise Invalid("The documents belong to a source checkout; this is an installed casebridge.")
    made: dict[str, Callable[[], str]] = {
        "mapping.md": document,
        "api.md": lambda: filled((folder / "api.md").read_text("utf-8"), api.tables()),
        "care.md": lambda: filled((folder / "care.md").read_text("utf-8"), care.tables()),
        "cli.md": lambda: commands(ctx.find_root().command),
        "domain-coverage.md": lambda: domain_coverage(_ROOT / "tests"),
        "errors.md": error_table,
        "instruments.md": care.instruments,
        "operations.md": operations.document,
        "remotes.md": lambda: filled((folder / "remotes.md").read_text("utf-8"), tables()),
        "search.md": search_document,
    }
    stale = []
    for name, make in made.items():
        path, text = folder / name, make()
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text, "utf-8")
            say(f"docs/{name} written.")
    if check and stale:
        line(f"Not current: {', '.join(f'docs/{name}' for name in stale)}. `make docs` writes them.")
        raise Failure


def commands(root: click.Command) -> str:
    """The command line as Markdown: every command's help, and the exit codes."""
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in CODES.items())
    parts = [
        f"# Command line\n\nMade from the commands in `adapter/cli` {_MADE}\n\n## Exit codes\n\n| code | meaning |\n|---|---|\n{codes}\n"
    ]
    parts += [f"## {path}\n\n```\n{text}\n```\n" for path, text in _helps(root, "casebridge", None)]
    return "\n".join(parts)


def _helps(command: click.Command, path: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    # A fixed width, or the text would depend on whose terminal makes it.
    settings = {**command.context_settings, "terminal_width": 100, "max_content_width": 100}
    ctx = click.Context(command, info_name=command.name if parent else path, parent=parent, **settings)
    yield path, command.get_help(ctx).rstrip()
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from _helps(inner, f"{path} {name}", ctx)


def filled(page: str, tables: Mapping[str, str]) -> str:
    """The page with each table in its place, which is from a line `<!-- NAME -->` to the next `<!-- end -->`."""
    for name, table in tables.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page = place.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", page)  # type: ignore[misc]
    return page


def error_table() -> str:
    """Every kind of error as Markdown: what an API caller and a script see of it."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, CasebridgeError) and kind is not CasebridgeError
    ]
    rows = [f"| {kind.__name__} | {kind.status} | {kind.issue_code} | {kind.exit_code} | {_first(kind)} |" for kind in kinds]
    head = "| error | HTTP status | FHIR issue code | exit code | meaning |\n|---|---|---|---|---|"
    intro = "An error's text never holds a value of a resource or record; `expression` names elements."
    return "\n".join([f"# Errors\n\nMade from `adapter/errors.py` {_MADE}\n\n{intro}\n", head, *rows]) + "\n"


def _first(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0].replace("|", "\\|")
