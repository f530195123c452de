"""Case management records through the one write door: the faces of a record, and what is derived from it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import count
from uuid import uuid4

from pymongo.client_session import ClientSession

from adapter.cases.consequences import Effect, given_up, reviewed, withdrawn
from adapter.cases.record import Fields
from adapter.cases.registry import RECORDS, types_of
from adapter.cases.rules import NORMAL
from adapter.casework.answers import taken_over
from adapter.casework.checks import Proposed, obey
from adapter.casework.desk import Desk, settled
from adapter.casework.edits import edited, new
from adapter.casework.evidence import provenance
from adapter.casework.held import check_held
from adapter.config import SYNTHETIC_TAG
from adapter.errors import Gone, Invalid, NotFound, StaleRecord, VersionConflict
from adapter.fhir.resource import Raw, has_tag
from adapter.ig.package import published
from adapter.mapping.claims import claimed
from adapter.mapping.derived import derived, is_derived, unfounded
from adapter.mapping.registry import faces, mappings_of
from adapter.store import reads
from adapter.store.claims import Turn, pass_on, turn
from adapter.store.documents import Change, Stored
from adapter.store.filters import KEY
from adapter.store.repository import Repository
from adapter.store.versions import made_by

# What HL7 gives test data so that nobody takes it for real: http://terminology.hl7.org/CodeSystem/v3-ActReason
_TEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST", "display": "test health data"}
# An instrument is ours, and an AuditEvent says itself who acted.
_UNSIGNED = ("Questionnaire", "AuditEvent")
_ASKED_FOR = {"planned_service": "The service was cancelled.", "transition_plan": "The transition was stopped."}
"""By concept of what others are asked for by tasks: why those end with it."""


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


def changes(
    repository: Repository, concept: str, id: str, fields: Fields, *, synthetic: bool = False, seen: Sequence[Stored] | None = None
) -> Iterator[Change]:
    """The writes that bring a record, and what is derived from it, to these fields. Raises Invalid where FHIR has no place for some.

    `seen` are its faces as they were when the fields were decided on, so that what was judged is what is written over; None reads them.
    """
    stored = {each.type: each for each in (_faces(repository, concept, id) if seen is None else seen)}
    local = {name: fields[name] for name in RECORDS[concept].LOCAL if name in fields}
    made = []
    for mapping in faces(concept, fields):
        now = stored.get(mapping.type)
        given = {name: fields[name] for name in mapping.attrs if name in fields}
        made.append((mapping, now, mapping.overlay(now.raw if now and not now.deleted else None, given)))
    check_held(concept, fields, [(mapping, raw) for mapping, _, raw in made])
    for mapping, now, raw in made:
        yield _change(mapping.type, id, raw, now, local, synthetic)
        for follows in derived(concept, id, mapping.type, fields):
            kept = repository.find(follows["resourceType"], follows["id"])
            yield _change(follows["resourceType"], follows["id"], follows, kept, {}, synthetic)
        for stale_type, stale in unfounded(concept, id, fields):
            kept = repository.find(stale_type, stale)
            if kept and not kept.deleted:
                yield Change(stale_type, stale, None, kept.version)
        for asked in _asked(raw):
            yield _change("Questionnaire", asked["id"], asked, repository.find("Questionnaire", asked["id"]), {}, synthetic)


def _asked(raw: Raw) -> Iterator[Raw]:
    """The questionnaire of ours that a response answers, and what that is made from, so that others can read what was asked."""
    # An Observation has a derivedFrom, too, of another meaning.
    if raw["resourceType"] not in ("QuestionnaireResponse", "Questionnaire"):
        return
    for url in raw.get("derivedFrom", [raw.get("questionnaire", "")]):
        if found := published().get(url.partition("|")[0]):
            yield found
            yield from _asked(found)


def _change(type: str, id: str, raw: Raw, now: Stored | None, local: Fields, synthetic: bool) -> Change:
    # What was born elsewhere says of itself what its makers say of it.
    ours = raw if now and now.born else claimed(raw)
    return Change(type, id, _tagged(ours) if synthetic else ours, now.version if now else 0, local=local)


def _tagged(raw: Raw) -> Raw:
    meta = raw.get("meta") or {}
    tags, security = meta.get("tag", []), meta.get("security", [])
    if not has_tag(raw, SYNTHETIC_TAG):
        tags = [*tags, dict(SYNTHETIC_TAG)]
    if not any(label.get("code") == _TEST["code"] for label in security):
        security = [*security, dict(_TEST)]
    return {**raw, "meta": {**meta, "security": security, "tag": tags}}


def _faces(repository: Repository, concept: str, id: str) -> list[Stored]:
    """What is stored under the types and the id of a record's faces, deleted or not."""
    return [stored for mapping in mappings_of(concept) if (stored := repository.find(mapping.type, id))]


def read(repository: Repository, concept: str, id: str) -> Kept:
    """A record, from all its faces. Raises NotFound; Gone for one that was deleted."""
    found = [stored for stored in _faces(repository, concept, id) if _is(stored, concept)]
    if not found:
        raise NotFound(f"There is no {concept} with this id.")
    if all(stored.deleted for stored in found):
        raise Gone(f"This {concept} was deleted.")
    return whole(concept, id, found)


def whole(concept: str, id: str, faces: Sequence[Stored]) -> Kept:
    """The record that these faces are, of which one at least is not deleted."""
    fields: Fields = {}
    for stored in faces:
        fields |= {} if stored.deleted else stored.record | stored.local
    reference = f"{types_of(concept, fields)[0]}/{id}"
    return Kept(concept, reference, sum(stored.version for stored in faces), max(stored.updated for stored in faces), fields)


def _is(stored: Stored, concept: str) -> bool:
    return stored.deleted or stored.concept == concept


def put(
    desk: Desk,
    concept: str,
    id: str | None,
    fields: Fields,
    *,
    expect: int | None = None,
    activity: str | None = None,
    reason: str | None = None,
) -> Kept:
    """Save a record whole, new or not, with what follows from it and a Provenance that names the actor, in one transaction.

    `expect` is the version that it was made against, None for any; an `id` of None makes a new one. `reason` is kept in the Provenance,
    and lets those rules be passed that yield to one. Raises Invalid naming paths and rules, RuleViolated or NotNow with the code of the
    rule that is broken, VersionConflict, NotUnderstood.
    """
    normal = NORMAL[concept](fields) if concept in NORMAL else fields
    check(concept, normal)
    own = id or str(uuid4())
    return settled(partial(_put, desk, concept, own, normal, expect, activity, reason))


def _put(desk: Desk, concept: str, id: str, fields: Fields, expect: int | None, activity: str | None, reason: str | None) -> Kept:
    reference = f"{types_of(concept, fields)[0]}/{id}"
    turns = _turns(desk.repository, Kept(concept, reference, 0, desk.clock(), fields).case)
    found = _faces(desk.repository, concept, id)
    now = sum(stored.version for stored in found)
    if expect is not None and expect != now:
        raise StaleRecord(f"This {concept} is at version {now}; look at it again before you change it.")
    before = whole(concept, id, found).fields if any(not stored.deleted and stored.concept == concept for stored in found) else {}
    if concept == "case":
        fields = edited(concept, before, fields) if before else new(concept, fields)
    obey(desk, [Proposed(concept, reference, fields, before)], reason)
    wanted = list(changes(desk.repository, concept, id, fields, synthetic=desk.synthetic, seen=found))
    answered = taken_over(desk.repository, concept, reference, fields, before, desk.now())
    for each, of, content in (*_follows(desk.repository, concept, reference, fields, desk.now()), *answered):
        wanted += changes(desk.repository, each, of.partition("/")[2], content, synthetic=desk.synthetic)
    write(desk, wanted, turns, activity=activity, reason=reason)
    return read(desk.repository, concept, id)


def _follows(repository: Repository, concept: str, reference: str, fields: Fields, at: str) -> list[Effect]:
    """What changes with a record: the goals that a contact reviews, what was asked about what is not to be done any more."""
    if concept == "follow_up":
        goals = repository.find_many("Goal", [review["goal"].partition("/")[2] for review in fields.get("goal_reviews", [])])
        return reviewed(fields, {goal.reference: goal.record for goal in goals.values() if not goal.deleted and goal.concept == "goal"})
    if concept in _ASKED_FOR and given_up(fields) and "Task" in repository.types():
        tasks = [task for task in repository.scan("Task", {KEY: reference, "concept": "task"}) if not task.deleted]
        return withdrawn({task.reference: task.record for task in tasks}, {reference}, at, _ASKED_FOR[concept])
    return []


def amend(
    desk: Desk, concept: str, id: str, change: Callable[[Kept], Fields], *, activity: str | None = None, reason: str | None = None
) -> Kept:
    """The record as `change` makes it of what is stored, asked again where another writes in between. Raises as `put`, NotFound, Gone."""
    return settled(partial(_amend, desk, concept, id, change, activity, reason))


def _amend(desk: Desk, concept: str, id: str, change: Callable[[Kept], Fields], activity: str | None, reason: str | None) -> Kept:
    kept = read(desk.repository, concept, id)
    fields = change(kept)
    check(concept, fields)
    try:
        return _put(desk, concept, id, fields, kept.version, activity, reason)
    except StaleRecord as error:
        raise VersionConflict(error.text) from None


def put_together(
    desk: Desk, case: str, decide: Callable[[], Sequence[Effect | Change]], *, activity: str, reason: str | None = None
) -> None:
    """Save records of a case in one transaction: what `decide` makes of what is stored, asked again where another writes in between.

    A Change among them is of a resource that is the face of no record. Raises as `put` does.
    """
    settled(partial(_put_together, desk, case, decide, activity, reason))


def _put_together(desk: Desk, case: str, decide: Callable[[], Sequence[Effect | Change]], activity: str, reason: str | None) -> None:
    turns = _turns(desk.repository, case)
    decided = _and_follows(desk, decide())
    effects = [
        (effect, _faces(desk.repository, effect[0], effect[1].partition("/")[2])) for effect in decided if not isinstance(effect, Change)
    ]
    proposed = [Proposed(*effect, before=_fields(found, *effect[:2])) for effect, found in effects]
    for each in proposed:
        check(each.concept, each.fields)
    obey(desk, proposed, reason)
    beside = [each for each in decided if isinstance(each, Change)]
    wanted = [replace(each, raw=_tagged(each.raw)) if desk.synthetic and each.raw is not None else each for each in beside]
    for (concept, reference, fields), found in effects:
        wanted += changes(desk.repository, concept, reference.partition("/")[2], fields, synthetic=desk.synthetic, seen=found)
    if wanted:
        write(desk, wanted, turns, activity=activity, reason=reason)


def unused(repository: Repository, name: Callable[[int], str]) -> str:
    """The first of the references that `name` makes of 0, 1, … under which there never was anything: deleted things keep theirs."""
    return next(each for each in map(name, count()) if repository.find(*each.split("/")) is None)


def _and_follows(desk: Desk, decided: Sequence[Effect | Change]) -> list[Effect | Change]:
    """What was decided, and what changes with it that nothing was decided of."""
    effects = [each for each in decided if not isinstance(each, Change)]
    follows = {each[1]: each for effect in effects for each in _follows(desk.repository, *effect, desk.now())}
    named = {reference for _, reference, _ in effects}
    return [*decided, *(each for reference, each in follows.items() if reference not in named)]


def _fields(faces: Sequence[Stored], concept: str, reference: str) -> Fields:
    there = [stored for stored in faces if not stored.deleted]
    return whole(concept, reference.partition("/")[2], there).fields if there else {}


def remove(desk: Desk, concept: str, id: str, *, expect: int | None = None, reason: str | None = None) -> None:
    """Delete a record with what is derived from it, and a Provenance that names the actor; the versions stay.

    Raises NotFound, Gone, and StaleRecord where it is not at the version `expect`; None for any.
    """
    settled(partial(_remove, desk, concept, id, expect, reason))


def _remove(desk: Desk, concept: str, id: str, expect: int | None, reason: str | None) -> None:
    kept = read(desk.repository, concept, id)
    if expect is not None and expect != kept.version:
        raise StaleRecord(f"This {concept} is at version {kept.version}; look at it again before you delete it.")
    turns = _turns(desk.repository, kept.case)
    own = [mapping.type for mapping in faces(concept, kept.fields)]
    follows = [(raw["resourceType"], raw["id"]) for type in own for raw in derived(concept, id, type, kept.fields)]
    gone = [(type, id) for type in own] + follows
    there = [stored for type, each in gone if (stored := desk.repository.find(type, each)) and not stored.deleted]
    write(desk, [Change(stored.type, stored.id, None, stored.version) for stored in there], turns, reason=reason)


def _turns(repository: Repository, case: str | None) -> list[Turn]:
    return [turn(repository.database, case)] if case else []


def write(
    desk: Desk, wanted: Sequence[Change], turns: Sequence[Turn] = (), *, activity: str | None = None, reason: str | None = None
) -> None:
    """Commit these changes with a Provenance of the actor's for what is not derived, using the turns that they were decided under.

    Raises VersionConflict where somebody wrote since the turns or versions were read, or since what is changed was first looked at.
    """
    reads.check(wanted)
    who = desk.actor
    proof = proven(desk.repository, wanted, who.reference, desk.now(), activity=activity, reason=reason, on_behalf_of=who.on_behalf_of)

    def use(session: ClientSession) -> None:
        for each in turns:
            pass_on(desk.repository.database, each, session)

    desk.repository.commit([*wanted, *proof], also=use)
    reads.forget()


def proven(
    repository: Repository,
    wanted: Sequence[Change],
    who: str,
    at: str,
    *,
    activity: str | None = None,
    reason: str | None = None,
    on_behalf_of: str | None = None,
) -> list[Change]:
    """The Provenance of the versions that these changes make, but of what is derived; nothing where they make none."""
    made = [
        (change, version)
        for change in wanted
        if not (change.type in _UNSIGNED or (change.raw is not None and is_derived(change.raw)))
        and (version := _version(repository, change)) != change.expect
    ]
    if not made:
        return []
    changed = [change for change, _ in made]
    operation = "delete" if all(change.raw is None for change in changed) else "update" if changed[0].expect else "create"
    targets = [(f"{change.type}/{change.id}", version) for change, version in made]
    raw = provenance(targets, who, at, operation=operation, activity=activity, reason=reason, on_behalf_of=on_behalf_of)
    tagged = any(change.raw is not None and has_tag(change.raw, SYNTHETIC_TAG) for change in changed)
    return [Change("Provenance", str(uuid4()), _tagged(raw) if tagged else raw, 0)]


def _version(repository: Repository, change: Change) -> int:
    """The version that a change makes: its expected one where it changes nothing."""
    old = repository.find(change.type, change.id) if change.expect else None
    return made_by(change, old, repository.clock(), []).version
