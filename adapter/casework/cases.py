"""What is done with a case as a whole: opened, moved on through its process, given to a case manager."""

from collections.abc import Sequence
from functools import partial
from uuid import uuid4

from adapter.care.caseload import weight
from adapter.cases.facts import models
from adapter.cases.record import Fields
from adapter.cases.workflow import TRANSITIONS, advance, opened, way_to
from adapter.casework.desk import Desk, settled
from adapter.casework.evidence import audit_event
from adapter.casework.facts import caseload_weight, facts_of, open_cases
from adapter.casework.records import Kept, changes, check, read, write
from adapter.errors import Forbidden, Invalid, NotNow
from adapter.store.claims import Turn, turn
from adapter.store.documents import Change
from adapter.store.repository import Repository

_WAYS = frozenset(row.id for row in TRANSITIONS)
_TAKES_A_PLACE = ("TR-01", "TR-23")


def open_case(desk: Desk, fields: Fields, *, reason: str | None = None) -> Kept:
    """A new case in its first step. Raises Invalid, NotNow: `duplicate_case` (V-04), `caseload_exceeded` (V-01)."""
    id = str(uuid4())
    check("case", opened(fields, desk.now()))
    return settled(partial(_open, desk, id, fields, reason))


def _open(desk: Desk, id: str, fields: Fields, reason: str | None) -> Kept:
    database, reference = desk.repository.database, f"EpisodeOfCare/{id}"
    turns = [turn(database, f"cases of {fields['client']}"), *_caseload_turn(desk.repository, fields.get("case_manager"))]
    _only_one(desk.repository, fields)
    if manager := fields.get("case_manager"):
        _room(desk, manager, reference, fields, reason)
    _write(desk, reference, opened(fields, desk.now()), turns, "open", reason)
    return read(desk.repository, "case", id)


def _only_one(repository: Repository, fields: Fields) -> None:
    """V-04: one open case per client, type and managing organisation."""
    same = ("case_type", "managing_organization")
    for stored in repository.scan("EpisodeOfCare", {"fhir.index._key": fields["client"], "concept": "case"}):
        if stored.deleted or stored.raw.get("status") in ("finished", "cancelled", "entered-in-error"):
            continue
        if all(stored.record.get(name) == fields.get(name) for name in same):
            raise NotNow("The client has an open case of this type already.", code="duplicate_case", allowed=[stored.reference])


def _room(desk: Desk, manager: str, reference: str, fields: Fields, reason: str | None) -> None:
    """V-01. Raises NotNow where the caseload is full, naming who has room; Forbidden for an override by one who may not."""
    limit = _limit(desk.repository, manager)
    needed = weight(models(fields, desk.now()))
    if caseload_weight(open_cases(desk.repository, manager), desk.now(), but=reference) + needed <= limit:
        return
    if reason and desk.actor.supervisor:
        return
    if reason:
        raise Forbidden("Only a supervisor may go over a caseload's limit.")
    text = f"The case manager's {limit} places are taken. Ask one of those who have room, or a supervisor to go on with a reason."
    raise NotNow(text, code="caseload_exceeded", expression=["case_manager"], allowed=with_room(desk, needed))


def _limit(repository: Repository, manager: str) -> int:
    role = repository.find("PractitionerRole", manager.partition("/")[2])
    return int(role.record.get("caseload_limit", 20)) if role and not role.deleted else 20


def with_room(desk: Desk, needed: int = 1) -> list[str]:
    """The case managers who have so many places free, most first, ten at most."""
    free = []
    for stored in desk.repository.scan("PractitionerRole", {"concept": "case_manager"}):
        if stored.deleted or not stored.record.get("discipline"):
            continue
        who = f"Practitioner/{stored.id}"
        left = int(stored.record.get("caseload_limit", 20)) - caseload_weight(open_cases(desk.repository, who), desk.now())
        if left >= needed:
            free.append((-left, who))
    return [who for _, who in sorted(free)[:10]]


def transit(desk: Desk, id: str, way: str, *, reason: str | None = None, request_id: str | None = None) -> Kept:
    """The case after a transition: `way` is one of the table, such as TR-02, or the step to go to.

    The same `request_id` again changes nothing. Raises NotNow `transition_not_allowed` with the steps that are allowed, RuleViolated with
    the code of what is missing.
    """
    return settled(partial(_transit, desk, id, way, reason, request_id))


def _transit(desk: Desk, id: str, way: str, reason: str | None, request_id: str | None) -> Kept:
    reference = f"EpisodeOfCare/{id}"
    turns = [turn(desk.repository.database, reference)]
    case = read(desk.repository, "case", id)
    done = {request["id"]: request["transition"] for request in case.fields.get("requests", [])}
    transition = way if way in _WAYS else done.get(request_id or "") or way_to(case.fields, way)
    if transition in _TAKES_A_PLACE:
        turns += _caseload_turn(desk.repository, case.fields.get("case_manager"))
    facts = facts_of(desk, reference, case.fields)
    after = advance(case.fields, transition, facts, desk.now(), desk.actor.reference, reason, request_id)
    if after != case.fields:
        _write(desk, reference, after, turns, transition, reason)
    return read(desk.repository, "case", id)


def assign(desk: Desk, id: str, manager: str, *, reason: str | None = None) -> Kept:
    """The case with another primary case manager from now on; the one before ends at that moment (C-09).

    Raises NotNow `caseload_exceeded` naming who has room, Forbidden for an override that is not a supervisor's.
    """
    if not manager.startswith("Practitioner/"):
        raise Invalid("A case manager is named as Practitioner/id.", expression=["case_manager"])
    read(desk.repository, "case_manager", manager.partition("/")[2])
    return settled(partial(_assign, desk, id, manager, reason))


def _assign(desk: Desk, id: str, manager: str, reason: str | None) -> Kept:
    reference = f"EpisodeOfCare/{id}"
    turns = [turn(desk.repository.database, reference), *_caseload_turn(desk.repository, manager)]
    case = read(desk.repository, "case", id)
    if case.fields.get("case_manager") == manager:
        return case
    _room(desk, manager, reference, case.fields, reason)
    _write(desk, reference, {**case.fields, "case_manager": manager}, turns, "handover", reason)
    return read(desk.repository, "case", id)


def _caseload_turn(repository: Repository, manager: str | None) -> list[Turn]:
    return [turn(repository.database, f"caseload {manager}")] if manager else []


def _write(desk: Desk, reference: str, fields: Fields, turns: Sequence[Turn], activity: str, reason: str | None) -> None:
    """A case's new state, with its Provenance and AuditEvent."""
    check("case", fields)
    wanted = list(changes(desk.repository, "case", reference.partition("/")[2], fields, synthetic=desk.synthetic))
    operation = "update" if wanted[0].expect else "create"
    event = audit_event(reference, desk.actor.reference, desk.now(), operation=operation, subtype=activity)
    write(desk, [*wanted, Change("AuditEvent", str(uuid4()), event, 0)], turns, activity=activity, reason=reason)
