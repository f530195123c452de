"""Whole case stories, lived moment by moment in the store."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pymongo.client_session import ClientSession

from adapter.cases.story import Entry, Saved, Story, replay
from adapter.casework.records import changes, proven
from adapter.mapping.derived import derived
from adapter.mapping.registry import faces
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.state import State


@dataclass(frozen=True)
class Loaded:
    """What loading a story came to."""

    story: str
    case: str
    """The case's reference."""
    steps: int
    """How many of the story's entries were new."""
    counts: dict[str, int]
    """Resources of the story by type."""


def silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


def load_story(repository: Repository, story: Story, *, progress: Callable[[int, int], None] = silent) -> Loaded:
    """Live a story: each entry in one transaction, its transitions by the workflow. Loading it again goes on where it stopped.

    A story whose file changed since is not lived again: its records are brought to their last state. All of it is tagged as synthetic.
    Raises RuleViolated where the process does not allow what the story tells.
    """
    state = State(repository.database)
    mark = hashlib.sha256(repr(story.entries).encode()).hexdigest()
    known = state.get("state", f"story:{story.name}")
    steps = list(replay(story))
    last = {saved.reference: saved for _, records in steps for saved in records}
    if known is None or known["mark"] == mark:
        done = known["done"] if known else 0
        for place, (entry, records) in list(enumerate(steps, start=1))[done:]:
            _commit(repository, state, story, entry, records, {"done": place, "mark": mark})
            progress(place, len(steps))
    else:
        done = len(steps) - 1
        _commit(repository, state, story, story.entries[-1], last.values(), {"done": len(steps), "mark": mark})
        progress(len(steps), len(steps))
    counts: Counter[str] = Counter()
    for saved in last.values():
        counts.update(mapping.type for mapping in faces(saved.concept, saved.fields))
        counts.update(raw["resourceType"] for raw in derived(saved.concept, saved.id, "", saved.fields))
    case = next(saved.reference for saved in last.values() if saved.concept == "case")
    return Loaded(story.name, case, len(steps) - done, dict(counts))


def _commit(repository: Repository, state: State, story: Story, entry: Entry, records: Iterable[Saved], progress: dict[str, Any]) -> None:
    """One entry's records with who made them, and how far the story is, in one transaction."""
    wanted: dict[tuple[str, str], Change] = {}
    for saved in records:
        for change in changes(repository, saved.concept, saved.id, saved.fields, synthetic=True):
            wanted[change.type, change.id] = change
    proof = proven(repository, list(wanted.values()), entry.by, entry.at, activity=entry.transition, reason=entry.reason)

    def remember(session: ClientSession) -> None:
        state.put("state", f"story:{story.name}", progress, session)

    repository.commit([*wanted.values(), *proof], also=remember)
