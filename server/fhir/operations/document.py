"""The operations as a document, from their definitions. A pure function; `casebridge docs` writes what it gives."""

from collections.abc import Iterator

from server.fhir.operations.definition import Definition, Parameter, definitions

_HEAD = """# Operations

Made from `server/fhir/operations/definitions` by `make docs`; do not edit it.

Parameters come in a Parameters resource by POST or, where all are simple, in the query; those that are not named below are refused, or left
out under `Prefer: handling=lenient`. An operation that changes nothing can be asked by GET. Each definition is readable at
`/fhir/OperationDefinition/<id>`, unless somebody stored another there. Any other operation is answered 404.
"""
_LIMITS = """## Limits

- `$everything` of a patient has its devices too, which R4 puts into no compartment. It takes members by the search parameters that are
  indexed (docs/search.md), does not follow `Patient.link`, and of what is only referred to has the types that no patient's record has.
  Without `_count` a page has up to 1000 resources. `start` and `end` are about dates of care (`adapter/store/care_dates.py`): a
  condition lasts from its onset to its abatement, an order is of when it was made; what says no such date is of any time.
- `$export` is answered with an address at which to ask how far it is, and its files can be read for a day: docs/export.md.
- `$payer-packet` is asked by POST alone, and answers 422 for everybody whose record the caller does not see: docs/packet.md.
- `$member-match` compares identifiers of the patient and of the coverage, and then family name, date of birth, gender and first name, so
  that twins with one contract are not taken for each other; who was replaced by somebody is nobody. `CoverageToLink` and `Consent` are
  read and not kept, and a consent that is not in force or denies is refused.
- `$bulk-member-match` answers at once, of 500 members at most, and matches those alone whose Consent that is kept here names who asks;
  `$davinci-data-export` takes the `exportType`s of ATR and of PDex's payer-to-payer: docs/export.md.
- `$meta` is asked of one resource, not of a type or the system; adding and deleting makes a version as any change does.
- `$validate` checks no profile and says so. Its last issue lists what was not checked.
- `$lastn` takes parameters that find, none that sort, page or include.
- `$lookup`, `$expand` and `$translate` know what is stored here and casebridge's own code systems. An expansion needs each code system
  that it takes whole to be held here, filters by `is-a` and `descendent-of` only, and has 10,000 codes at most.
- `$evaluate-measure` knows casebridge's own measures (docs/measures.md) and stores nothing. It takes no practitioner; `by=manager` tells of
  each.
- `$extract` returns a transaction and stores nothing. Extraction contexts are resource types, not queries. An earlier extract's resources
  are looked for up to the 50th answer to a question.
- `$populate` evaluates the part of FHIRPath that FHIRPath Patch has, on resources named in `subject` and `context`. Population by
  observations or by StructureMap is not done.
- `$apply` stores what it makes. A template with `condition`, `dynamicValue`, `transform` or `definitionUri` is refused; activities become
  ServiceRequest, Task, CommunicationRequest or MedicationRequest.
"""


def document() -> str:
    """All operations, as Markdown."""
    return "\n".join([_HEAD, *(line for definition in definitions().values() for line in _section(definition)), _LIMITS])


def _section(definition: Definition) -> Iterator[str]:
    raw = definition.raw
    types = ["<type>" if type == "Resource" else type for type in raw.get("resource", ())]
    paths = [f"${definition.code}"] if raw["system"] else []
    paths += [
        f"{type}{'/<id>' if level == 'instance' else ''}/${definition.code}"
        for type in types
        for level in ("type", "instance")
        if raw[level]
    ]
    yield f"## {', '.join(f'`{path}`' for path in paths)}\n"
    yield f"{raw['description']} {'By POST only.' if definition.writes else ''}".rstrip() + "\n"
    yield f"Definition: `{definition.id}`" + (f", after <{raw['base']}>.\n" if "base" in raw else ", casebridge's own.\n")
    if definition.parameters:
        yield "| parameter | type | how often |\n|---|---|---|"
        yield from (line for row in definition.parameters.values() for line in _rows(row, ""))
        yield ""


def _rows(row: Parameter, before: str) -> Iterator[str]:
    least, most = int(row.required), "any" if row.repeats else "1"
    yield f"| {before}{row.name} | {row.type or 'parts'} | {most if str(least) == most else f'{least} to {most}'} |"
    for part in row.parts:
        yield from _rows(part, f"{before}{row.name}.")
