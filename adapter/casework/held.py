"""Whether the resources that are to be a record hold all that it says. Nothing is dropped in silence."""

from collections.abc import Iterable

from adapter.cases.record import Fields
from adapter.cases.registry import RECORDS
from adapter.errors import Invalid
from adapter.fhir.resource import Raw, same
from adapter.mapping.table import Mapping


def check_held(concept: str, fields: Fields, faces: Iterable[tuple[Mapping, Raw]]) -> None:
    """Raise Invalid, naming the fields of which FHIR has no place for all: the gender of an organisation, the text beside a Coding."""
    held: Fields = {}
    for mapping, raw in faces:
        held |= mapping.extract(raw).fields
    lost = [name for name, value in fields.items() if name not in RECORDS[concept].LOCAL and not _both(held.get(name), value)]
    if lost:
        raise Invalid(
            f"FHIR has no place for what this {concept} says: look at {', '.join(lost)}.",
            expression=lost,
            reasons=[(name, "has parts that FHIR has no place for here") for name in lost],
        )


def _both(held: object, said: object) -> bool:
    return held == said or same(held, said)
