"""Saving case management records through the one write door: the faces of a record, what is derived from it, and whole stories."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pymongo.client_session import ClientSession

from adapter.care.instrument import names
from adapter.care.questionnaire import canonical, questionnaire
from adapter.cases.record import Fields
from adapter.cases.registry import RECORDS
from adapter.cases.story import Story, replay
from adapter.config import SYNTHETIC_TAG
from adapter.errors import Invalid, NotFound
from adapter.fhir.resource import Raw, dumps
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
    if not any(tag.get("code") == SYNTHETIC_TAG["code"] and tag.get("system") == SYNTHETIC_TAG["system"] for tag in tags):
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
    print_ = hashlib.sha256(
        dumps([vars(entry) | {"saves": [vars(saved) for saved in entry.saves]} for entry in story.entries]).encode()
    ).hexdigest()
    known: dict[str, Any] = state.get("state", f"story:{story.name}") or {}
    done = known.get("done", 0) if known.get("print", print_) == print_ else 0
    changed_since = bool(known) and known.get("print") != print_
    written: dict[str, tuple[str, str, Fields]] = {}
    steps = list(replay(story))
    for place, (_, records) in enumerate(steps, start=1):
        written.update({saved.reference: (saved.concept, saved.id, saved.fields) for saved in records})
        if place > done and not changed_since:
            _commit(repository, state, story, [vars(saved) for saved in records], place, print_)
            progress(place, len(steps))
    if changed_since:
        records_now = [{"concept": concept, "id": id, "fields": fields} for concept, id, fields in written.values()]
        _commit(repository, state, story, records_now, len(steps), print_)
        progress(len(steps), len(steps))
    case = next(reference for reference, (concept, _, _) in written.items() if concept == "case")
    counts: dict[str, int] = {}
    for concept, id, fields in written.values():
        for type in {mapping.type for mapping in faces(concept, fields)} | {
            raw["resourceType"] for raw in derived(concept, id, "", fields)
        }:
            counts[type] = counts.get(type, 0) + 1
    return Loaded(story.name, case, len(steps) - done, counts)


def _commit(repository: Repository, state: State, story: Story, records: list[dict[str, Any]], place: int, print_: str) -> None:
    """One entry's records; several versions of one resource in an entry would be the last of them."""
    wanted: dict[tuple[str, str], Change] = {}
    for saved in records:
        for change in changes(repository, saved["concept"], saved["id"], saved["fields"], synthetic=True):
            wanted[change.type, change.id] = change

    def remember(session: ClientSession) -> None:
        state.put("state", f"story:{story.name}", {"done": place, "print": print_}, session)

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
