"""`Group/[id]/$davinci-data-export` of Da Vinci's Member Attribution: an export for a use that its `exportType` names.

http://hl7.org/fhir/us/davinci-atr/OperationDefinition/davinci-data-export; the uses are those of ATR and of PDex.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType

from adapter.errors import Invalid
from adapter.sync.exporting.asked import Asked
from server.fhir.messages import Answer
from server.fhir.operations import export
from server.fhir.operations.call import Call


@dataclass(frozen=True)
class Use:
    """What an export is for: the types that it can hold, all where none is named, and how long ago they were changed at most."""

    types: tuple[str, ...] = ()
    within: timedelta | None = None


USES: Mapping[str, Use] = MappingProxyType(
    {
        "hl7.fhir.us.davinci-atr": Use(
            ("Coverage", "Location", "Organization", "Patient", "Practitioner", "PractitionerRole", "RelatedPerson"),
        ),
        "hl7.fhir.us.davinci-pdex": Use(),
        "hl7.fhir.us.davinci-pdex#payertopayer": Use(within=timedelta(days=5 * 365 + 1)),
    }
)
"""By exportType."""


def run(call: Call) -> Answer:
    """202, and where to ask how far the export is, as `$export` answers. Raises Invalid for a use that is not served, and as that does."""
    named = call.inputs.one("exportType")
    if named is not None and named not in USES:
        raise Invalid(f"An exportType is one of {', '.join(USES)}.", expression=["exportType"])
    return export.begin(call, _narrowed(export.asked(call), USES[named] if named else Use(), call))


def _narrowed(asked: Asked, use: Use, call: Call) -> Asked:
    if stray := [type for type in asked.types if use.types and type not in use.types]:
        raise Invalid(f"An export for this use holds no {stray[0]}.", expression=["_type"])
    recent = call.repository.clock() - use.within if use.within else asked.recent
    return replace(asked, types=asked.types or use.types, recent=recent)
