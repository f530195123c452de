"""The two stories, read as the loader reads them."""

from pathlib import Path
from typing import Any

from adapter.cases.facts import Facts, Situation
from adapter.cases.story import Story, parse, replay
from adapter.fhir.resource import parse as read

FOLDER = Path(__file__).parents[2] / "fixtures" / "cases"
NAMES = ("river", "alma")


def raw(name: str) -> dict[str, Any]:
    return read((FOLDER / f"{name}.json").read_bytes())


def story(name: str) -> Story:
    return parse(raw(name))


def situation(name: str, transition: str) -> Situation:
    """The situation just before the story's first transition of that id."""
    now: dict[str, dict[str, Any]] = {}
    for entry, written in replay(story(name)):
        if entry.transition == transition and entry.case:
            return Situation(now["case"][entry.case], Facts(now, entry.open_cases), entry.at, entry.by, entry.reason)
        for saved in written:
            now.setdefault(saved.concept, {})[saved.reference] = saved.fields
    raise AssertionError(f"the story {name} has no {transition}")
