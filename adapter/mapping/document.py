"""The mapping tables as a document, for people who review or extend them. Pure functions; `casebridge docs` writes what they give."""

import re
import sys
from collections.abc import Iterator

from adapter.cases.record import Record
from adapter.cases.registry import RECORDS
from adapter.config import BASE, EXT
from adapter.mapping.registry import MAPPINGS
from adapter.mapping.rules import Row
from adapter.mapping.table import Mapping

_OWN = re.compile(rf"{re.escape(EXT)}/([a-z0-9-]+)")

_HEAD = f"""# Mapping

Made from the tables in `adapter/mapping` and the records in `adapter/cases` by `make docs`; do not edit it.

One table per concept and FHIR type, read in both directions. *Element* is the path in the resource, a list's item named by what
selects it, never by position; *record* is the field of our record. What no row names passes through a resource untouched, both ways.

Our own extensions and code systems begin with `{BASE}`, written `…` below.
"""


def document() -> str:
    """All of it, as Markdown."""
    return "\n".join([_HEAD, *_contents(), *(line for concept in RECORDS for line in _concept(concept)), *_extensions()]) + "\n"


def _contents() -> Iterator[str]:
    yield "| concept | FHIR type | fields |"
    yield "|---|---|---|"
    for concept, record in RECORDS.items():
        types = ", ".join(mapping.type for mapping in _tables(concept))
        yield f"| [{concept}](#{concept}) | {types} | {len(record.keys())} |"
    yield ""


def _tables(concept: str) -> list[Mapping]:
    return [mapping for mapping in MAPPINGS if mapping.concept == concept]


def _concept(concept: str) -> Iterator[str]:
    record = RECORDS[concept]
    yield f"## {concept}\n"
    yield (sys.modules[record.__module__].__doc__ or "").strip().partition("\n\n")[0] + "\n"
    for mapping in _tables(concept):
        yield from _table(mapping)
    yield from _local(record)
    yield from _elsewhere(record)


def _table(mapping: Mapping) -> Iterator[str]:
    yield f"### {mapping.concept} ⇄ {mapping.type}\n"
    if mapping.note:
        yield mapping.note + "\n"
    yield "| element | record | kind | note |"
    yield "|---|---|---|---|"
    for row in rows(mapping):
        yield f"| `{_cell(row.path)}` | `{_cell(row.attr)}` | {_cell(row.kind)} | {_cell(row.note)} |"
    yield ""
    if mapping.const:
        yield f"A new resource starts with `{'`, `'.join(mapping.const)}`.\n"
    for element, owner in mapping.owners.items():
        yield f"Where both sides changed `{element}`: {owner}.\n"


def rows(mapping: Mapping) -> Iterator[Row]:
    """The rows of a mapping's table, inner ones included."""
    for rule in mapping.rules:
        yield from rule.rows()


def _cell(text: str) -> str:
    return text.replace(BASE, "…").replace("|", "\\|")


def _local(record: type[Record]) -> Iterator[str]:
    if record.LOCAL:
        yield f"Kept here only, with no place in FHIR: `{'`, `'.join(sorted(record.LOCAL))}`.\n"


def _elsewhere(record: type[Record]) -> Iterator[str]:
    if record.ELSEWHERE:
        yield "Elsewhere:\n"
        yield from (f"- `{name}`: {why}" for name, why in record.ELSEWHERE.items())
        yield ""


def _extensions() -> Iterator[str]:
    """Our extensions, with where they stand."""
    places: dict[str, dict[str, None]] = {}
    for mapping in MAPPINGS:
        for row in rows(mapping):
            for name in _OWN.findall(row.path):
                places.setdefault(name, {})[f"{mapping.type} ({mapping.concept})"] = None
    yield "## Extensions\n"
    yield f"Ours, each with the URL `{EXT}/<name>`.\n"
    yield "| name | on |"
    yield "|---|---|"
    yield from (f"| `{name}` | {', '.join(where)} |" for name, where in sorted(places.items()))
