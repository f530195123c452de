"""Saving case management records through the one write door: the faces of a record, what is derived from it, and whole stories."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pymongo.client_session import ClientSession

from adapter.care.instrument import names
from adapter.care.questionnaire import canonical, questionnaire
from adapter.cases.record import Fields
from adapter.cases.registry import RECORDS
from adapter.cases.story import Saved, Story, replay
from adapter.config import SYNTHETIC_TAG
from adapter.errors import Invalid, NotFound
from adapter.fhir.resource import Raw, has_tag
from adapter.mapping.derived import derived
from adapter.mapping.registry import faces, mappings_of
from adapter.store.documents import Change, Stored
from adapter.store.repository import Repository
from adapter.store.state import State

# What HL7 gives test data so that nobody takes it for real: http://terminology.hl7.org/CodeSystem/v3-ActReason
_TEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST", "display": "test health data"}
_INSTRUMENTS = {canonical(name): name for name in names()}


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


def save(repository: Repository, concept: str, id: str, fields: Fields, *, synthetic: bool = False) -> list[Stored]:
    """Save a record, new or not, with what is derived from it, in one transaction.

    Raises Invalid naming paths and rules where the record breaks one, NotUnderstood where its resource must not be edited.
    """
    check(concept, fields)
    return repository.commit(list(changes(repository, concept, id, fields, synthetic=synthetic)))


def check(concept: str, fields: Fields) -> None:
    """Raise Invalid unless the fields make a whole record of this concept."""
    if concept not in RECORDS:
        raise NotFound(f"There is no concept {concept}; there are {', '.join(RECORDS)}.")
    if problems := RECORDS[concept].of(fields).problems():
        raise Invalid(f"Not a whole {concept}: {'; '.join(problems[:5])}.", expression=[problem.partition(":")[0] for problem in problems])


def changes(repository: Repository, concept: str, id: str, fields: Fields, *, synthetic: bool = False) -> Iterator[Change]:
    """The writes that bring a record, and what is derived from it, to these fields."""
    local = {name: fields[name] for name in RECORDS[concept].LOCAL if name in fields}
    for mapping in faces(concept, fields):
        now = repository.find(mapping.type, id)
        raw = mapping.overlay(
            now.raw if now and not now.deleted else None, {name: fields[name] for name in mapping.attrs if name in fields}
        )
        yield _change(mapping.type, id, raw, now, local, synthetic)
        for follows in derived(concept, id, mapping.type, fields):
            kept = repository.find(follows["resourceType"], follows["id"])
            yield _change(follows["resourceType"], follows["id"], follows, kept, {}, synthetic)
    yield from _questionnaire(repository, fields, synthetic)


def _questionnaire(repository: Repository, fields: Fields, synthetic: bool) -> Iterator[Change]:
    """The instrument that the record answers, so that others can read what was asked."""
    name = _INSTRUMENTS.get(str(fields.get("instrument", "")).partition("|")[0])
    if name:
        raw = questionnaire(name)
        yield _change("Questionnaire", raw["id"], raw, repository.find("Questionnaire", raw["id"]), {}, synthetic)


def _change(type: str, id: str, raw: Raw, now: Stored | None, local: Fields, synthetic: bool) -> Change:
    return Change(type, id, _tagged(raw) if synthetic else raw, now.version if now else 0, local=local)


def _tagged(raw: Raw) -> Raw:
    meta = raw.get("meta") or {}
    tags, security = meta.get("tag", []), meta.get("security", [])
    if not has_tag(raw, SYNTHETIC_TAG):
        tags = [*tags, dict(SYNTHETIC_TAG)]
    if not any(label.get("code") == _TEST["code"] for label in security):
        security = [*security, dict(_TEST)]
    return {**raw, "meta": {**meta, "security": security, "tag": tags}}


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
        for place, (_, records) in list(enumerate(steps, start=1))[done:]:
            _commit(repository, state, story, records, {"done": place, "mark": mark})
            progress(place, len(steps))
    else:
        done = len(steps) - 1
        _commit(repository, state, story, last.values(), {"done": len(steps), "mark": mark})
        progress(len(steps), len(steps))
    counts: Counter[str] = Counter()
    for saved in last.values():
        counts.update(mapping.type for mapping in faces(saved.concept, saved.fields))
        counts.update(raw["resourceType"] for raw in derived(saved.concept, saved.id, "", saved.fields))
    case = next(saved.reference for saved in last.values() if saved.concept == "case")
    return Loaded(story.name, case, len(steps) - done, dict(counts))


def _commit(repository: Repository, state: State, story: Story, records: Iterable[Saved], progress: dict[str, Any]) -> None:
    """One entry's records, and how far the story is, in one transaction."""
    wanted: dict[tuple[str, str], Change] = {}
    for saved in records:
        for change in changes(repository, saved.concept, saved.id, saved.fields, synthetic=True):
            wanted[change.type, change.id] = change

    def remember(session: ClientSession) -> None:
        state.put("state", f"story:{story.name}", progress, session)

    repository.commit(list(wanted.values()), also=remember)


def record(repository: Repository, concept: str, id: str) -> Fields:
    """All fields of a record, from all its faces. Raises NotFound."""
    found: Fields = {}
    for mapping in mappings_of(concept):
        stored = repository.find(mapping.type, id)
        if stored and not stored.deleted and stored.concept == concept:
            found |= stored.record | stored.local
    if not found:
        raise NotFound(f"There is no {concept} with this id.")
    return found
