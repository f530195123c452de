"""The two stories, read as the loader reads them."""

from pathlib import Path
from typing import Any

from adapter.cases.story import Story, parse
from adapter.fhir.resource import parse as read

FOLDER = Path(__file__).parents[2] / "fixtures" / "cases"
NAMES = ("river", "alma")


def raw(name: str) -> dict[str, Any]:
    return read((FOLDER / f"{name}.json").read_bytes())


def story(name: str) -> Story:
    return parse(raw(name))
