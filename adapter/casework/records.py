"""Case management records through the one write door: the faces of a record, and what is derived from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import uuid4

from pymongo.client_session import ClientSession

from adapter.care.instrument import names
from adapter.care.questionnaire import canonical, questionnaire
from adapter.cases.record import Fields
from adapter.cases.registry import RECORDS, types_of
from adapter.casework.desk import Desk, settled
from adapter.casework.evidence import provenance
from adapter.config import SYNTHETIC_TAG
from adapter.errors import Gone, Invalid, NotFound, StaleRecord
from adapter.fhir.resource import Raw, has_tag
from adapter.mapping.derived import derived, is_derived
from adapter.mapping.registry import faces, mappings_of
from adapter.store.claims import Turn, pass_on, turn
from adapter.store.documents import Change, Stored
from adapter.store.repository import Repository

# What HL7 gives test data so that nobody takes it for real: http://terminology.hl7.org/CodeSystem/v3-ActReason
_TEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST", "display": "test health data"}
_INSTRUMENTS = {canonical(name): name for name in names()}


@dataclass(frozen=True)
class Kept:
    """A record as it is stored."""

    concept: str
    reference: str
    """`Type/id`, by the record's usual type."""
    version: int
    """Grows with each change of any of its faces."""
    updated: datetime
    fields: Fields

    @property
    def id(self) -> str:
        return self.reference.partition("/")[2]

    @property
    def case(self) -> str | None:
        """The case that it belongs to, or is."""
        return self.reference if self.concept == "case" else self.fields.get("case")


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


def read(repository: Repository, concept: str, id: str) -> Kept:
    """A record, from all its faces. Raises NotFound; Gone for one that was deleted."""
    found = [stored for mapping in mappings_of(concept) if (stored := repository.find(mapping.type, id)) and _is(stored, concept)]
    if not found:
        raise NotFound(f"There is no {concept} with this id.")
    there = [stored for stored in found if not stored.deleted]
    if not there:
        raise Gone(f"This {concept} was deleted.")
    fields: Fields = {}
    for stored in there:
        fields |= stored.record | stored.local
    reference = f"{types_of(concept, fields)[0]}/{id}"
    return Kept(concept, reference, sum(stored.version for stored in found), max(stored.updated for stored in found), fields)


def _is(stored: Stored, concept: str) -> bool:
    return stored.deleted or stored.concept == concept


def put(desk: Desk, concept: str, id: str | None, fields: Fields, *, expect: int | None = None, activity: str | None = None) -> Kept:
    """Save a record whole, new or not, with what follows from it and a Provenance that names the actor, in one transaction.

    `expect` is the version that it was made against, None for any; an `id` of None makes a new one. Raises Invalid naming paths and rules,
    RuleViolated, VersionConflict, NotUnderstood.
    """
    check(concept, fields)
    own = id or str(uuid4())
    return settled(partial(_put, desk, concept, own, fields, expect, activity))


def _put(desk: Desk, concept: str, id: str, fields: Fields, expect: int | None, activity: str | None) -> Kept:
    turns = _turns(desk.repository, Kept(concept, f"{types_of(concept, fields)[0]}/{id}", 0, desk.clock(), fields).case)
    wanted = list(changes(desk.repository, concept, id, fields, synthetic=desk.synthetic))
    faced = {mapping.type for mapping in faces(concept, fields)}
    now = sum(change.expect for change in wanted if change.id == id and change.type in faced)
    if expect is not None and expect != now:
        raise StaleRecord(f"This {concept} is at version {now}; look at it again before you change it.")
    write(desk, wanted, turns, activity=activity)
    return read(desk.repository, concept, id)


def _turns(repository: Repository, case: str | None) -> list[Turn]:
    return [turn(repository.database, case)] if case else []


def write(
    desk: Desk, wanted: Sequence[Change], turns: Sequence[Turn] = (), *, activity: str | None = None, reason: str | None = None
) -> None:
    """Commit these changes with a Provenance of the actor's for what is not derived, using the turns that they were decided under.

    Raises VersionConflict where somebody wrote since the turns or versions were read.
    """
    made = [
        (f"{change.type}/{change.id}", change.expect + 1)
        for change in wanted
        if change.raw is None or not (change.type == "Questionnaire" or is_derived(change.raw))
    ]
    operation = "delete" if all(change.raw is None for change in wanted) else "update" if wanted[0].expect else "create"
    proof = provenance(made, desk.actor.reference, desk.now(), operation=operation, activity=activity, reason=reason)
    if desk.synthetic or any(change.raw is not None and has_tag(change.raw, SYNTHETIC_TAG) for change in wanted):
        proof = _tagged(proof)

    def use(session: ClientSession) -> None:
        for each in turns:
            pass_on(desk.repository.database, each, session)

    desk.repository.commit([*wanted, Change("Provenance", str(uuid4()), proof, 0)], also=use)


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
