"""What is measured on: the Synthea sets beside the project where they are there, else the fixture."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

from adapter.fhir.resource import Raw, parse, resource_type
from tests.bench.figures import Skipped
from tests.mapping.data import SHARED, synthea

Readable = Callable[[], Iterator[bytes]]
"""Resources that can be read more than once, one text each."""

# Who is referred to before who refers: HAPI refuses a reference to what it does not have yet.
_FIRST = ("Organization", "Location", "Practitioner", "Patient", "Medication", "Device", "Encounter", "Condition", "CareTeam")


def small() -> tuple[str, list[bytes]]:
    """What it is called and its resources, one text each: some thousand."""
    paths = sorted((SHARED / "synthea-s").glob("*.ndjson"))
    if not paths:
        return "fixtures/fhir/synthea (../shared/synthea-s is not here)", list(synthea())
    return "../shared/synthea-s", [line for path in paths for line in path.read_bytes().splitlines() if line.strip()]


def large() -> Iterator[bytes]:
    """The resources of ../shared/synthea-a, one text each, as they are read. Raises Skipped where it is not there."""
    paths = large_files()
    return (line.rstrip(b"\n") for path in paths for line in lines(path) if line.strip())


def large_files() -> list[Path]:
    """The files of ../shared/synthea-a. Raises Skipped where it is not there."""
    paths = sorted((SHARED / "synthea-a").glob("*.ndjson.zst"))
    if not paths:
        raise Skipped("../shared/synthea-a is not here")
    return paths


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a file that zstandard compressed."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
        yield from io.BufferedReader(stream)


def ordered(texts: list[bytes]) -> list[Raw]:
    """The resources, those that others refer to first."""
    rank = {type: place for place, type in enumerate(_FIRST)}
    return sorted((parse(text) for text in texts), key=lambda raw: rank.get(resource_type(raw), len(rank)))
