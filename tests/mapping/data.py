"""Foreign resources to try the mappings on."""

import gzip
from collections.abc import Iterator
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures"
# Data that stands beside the project on its makers' machines and is not part of it.
SHARED = Path(__file__).parents[3] / "shared"


def synthea() -> Iterator[bytes]:
    """The resources of the Synthea fixture, one text each."""
    for path in sorted((FIXTURES / "fhir" / "synthea").glob("*.ndjson.gz")):
        with gzip.open(path) as lines:
            yield from (line.strip() for line in lines)


def examples() -> list[bytes]:
    """HL7's R4 examples (CC0); none where they are not at hand."""
    return [path.read_bytes() for path in sorted((SHARED / "examples").glob("[A-Z]*/*.json"))]
