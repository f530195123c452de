"""What is done with a case as a whole: opened, moved on through its process, given to a case manager, led by other models."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import partial
from uuid import uuid4

from adapter.care.model import STANDARD_CASELOAD, rules
from adapter.cases.alerts import Alert
from adapter.cases.alerts import alerts as alerts_of
from adapter.cases.consequences import Effect, consequences
from adapter.cases.credentials import certified
from adapter.cases.facts import Situation, models
from adapter.cases.guards import OPENING, OPENING_ALONE, TAKING_ON, violations
from adapter.cases.record import Fields
from adapter.cases.succession import handed_over, models_changed
from adapter.cases.workflow import TERMINAL, TRANSITIONS, advance, opened, placed, refusal, taken_up, way_to
from adapter.casework.desk import Desk, settled
from adapter.casework.evidence import audit_event
from adapter.casework.facts import facts_of, open_cases, places
from adapter.casework.records import Kept, changes, check, read, write
from adapter.errors import Forbidden, Invalid, NotNow, StaleRecord
from adapter.store.claims import Turn, turn
from adapter.store.documents import Change
from adapter.store.repository import Repository

_WAYS = frozenset(row.id for row in TRANSITIONS)
_LED = "process of {}"
"""The turn that is used each time a case's process is moved on."""
_TAKES_A_PLACE = ("TR-01", "TR-23")


def open_case(desk: Desk, fields: Fields, *, id: str | None = None, reason: str | None = None) -> Kept:
    """A new case in its first step. An `id` of None makes one; StaleRecord where there is, or was, a case of the id.

    Raises Invalid; NotNow: `duplicate_case` (V-04) with the case that is open, `caseload_exceeded` (V-01) with those who have room;
    RuleViolated: `credential_invalid`, `clinical_role_invalid`, `case_type_ineligible`. A supervisor goes over a limit with a reason.
    """
    check("case", opened(fields, desk.now()))
    return settled(partial(_open, desk, id or str(uuid4()), fields, reason))


def _open(desk: Desk, id: str, fields: Fields, reason: str | None) -> Kept:
    turns = _opening_turns(desk, fields)
    if desk.repository.find("EpisodeOfCare", id):
        raise StaleRecord("There is a case of this id already.")
    return _begin(desk, id, opened(fields, desk.now()), turns, reason)


def take_up(desk: Desk, id: str, *, reason: str | None = None) -> Kept:
    """A case that is stored and that no process leads, such as one that came by FHIR, in its first step; one that has a step as it is.

    What else its resource says stays. Raises as `open_case` does, NotFound, Gone, Invalid where it is not a whole case.
    """
    return settled(partial(_take_up, desk, id, reason))


def _take_up(desk: Desk, id: str, reason: str | None) -> Kept:
    turns = [turn(desk.repository.database, f"EpisodeOfCare/{id}")]
    case = read(desk.repository, "case", id)
    if "step" in case.fields:
        return case
    fields = taken_up(case.fields, desk.now())
    check("case", fields)
    return _begin(desk, id, fields, [*turns, *_opening_turns(desk, fields)], reason)


def _opening_turns(desk: Desk, fields: Fields) -> list[Turn]:
    client = turn(desk.repository.database, f"cases of {fields['client']}")
    return [client, *_caseload_turn(desk.repository, fields.get("case_manager"))]


def _begin(desk: Desk, id: str, fields: Fields, turns: Sequence[Turn], reason: str | None) -> Kept:
    reference = f"EpisodeOfCare/{id}"
    now = _situation(desk, reference, fields, desk.now(), reason)
    _only_one(now)
    if manager := fields.get("case_manager"):
        _room(desk, manager, reference, fields, reason)
    _demand(OPENING if manager else OPENING_ALONE, now, "The case cannot be opened.")
    _write(desk, reference, fields, turns, "open", reason)
    return read(desk.repository, "case", id)


def _situation(desk: Desk, reference: str, fields: Fields, at: str, reason: str | None = None) -> Situation:
    return Situation(fields, facts_of(desk, reference, fields), at, desk.actor.reference, reason)


def _demand(guards: tuple[str, ...], now: Situation, what: str) -> None:
    if missing := violations(guards, now):
        raise refusal(missing, what)


def _only_one(now: Situation) -> None:
    """V-04, told with the case that is open."""
    if violations(("V-04",), now):
        raise NotNow("The client has an open case of this type already.", code="duplicate_case", allowed=sorted(now.facts.siblings))


def _room(desk: Desk, manager: str, reference: str, fields: Fields, reason: str | None) -> None:
    """V-01. Raises NotNow where the caseload is full, naming who has room; Forbidden for an override by one who may not."""
    limit = _limit(desk.repository, manager)
    needed = rules(models(fields, desk.now())).places
    if places(open_cases(desk.repository.whole, manager), desk.now(), but=reference) + needed <= limit:
        return
    if reason and desk.actor.supervisor:
        return
    if reason:
        raise Forbidden("Only a supervisor may go over a caseload's limit.")
    text = f"The case manager's {limit} places are taken. Ask one of those who have room, or a supervisor to go on with a reason."
    raise NotNow(text, code="caseload_exceeded", expression=["case_manager"], allowed=with_room(desk, needed, fields.get("tier")))


def _limit(repository: Repository, manager: str) -> int:
    role = repository.find("PractitionerRole", manager.partition("/")[2])
    return int(role.record.get("caseload_limit", STANDARD_CASELOAD)) if role and not role.deleted else STANDARD_CASELOAD


def with_room(desk: Desk, needed: Fraction | int = 1, tier: str | None = None) -> list[str]:
    """The case managers who have so many places free, most first, ten at most; for a complex case those with a CCM first (K-01)."""
    at, free = desk.now(), []
    for stored in desk.repository.scan("PractitionerRole", {"concept": "case_manager"}):
        if stored.deleted or not stored.record.get("discipline"):
            continue
        who = f"Practitioner/{stored.id}"
        left = stored.record.get("caseload_limit", STANDARD_CASELOAD) - places(open_cases(desk.repository.whole, who), at)
        if left >= needed:
            free.append((tier == "complex" and not _certified(desk.repository, stored.id, at), -left, who))
    return [who for *_, who in sorted(free)[:10]]


def _certified(repository: Repository, id: str, at: str) -> bool:
    person = repository.find("Practitioner", id)
    return person is not None and certified(person.record, at)


def transit(desk: Desk, id: str, way: str, *, reason: str | None = None, request_id: str | None = None) -> Kept:
    """The case after a transition, with what changes beside it: `way` is one of the table, such as TR-02, or the step to go to.

    The same `request_id` again changes nothing. Raises NotNow `transition_not_allowed` with the steps that are allowed, RuleViolated with
    the code of what is missing, NotResponsible for what only others may do.
    """
    return settled(partial(_transit, desk, id, way, reason, request_id))


def _transit(desk: Desk, id: str, way: str, reason: str | None, request_id: str | None) -> Kept:
    reference = f"EpisodeOfCare/{id}"
    turns = [turn(desk.repository.database, reference)]
    case = read(desk.repository, "case", id)
    done = {request["id"]: request["transition"] for request in case.fields.get("requests", [])}
    transition = way if way in _WAYS else done.get(request_id or "") or way_to(case.fields, way)
    if request_id not in done and transition in _TAKES_A_PLACE:
        turns += [turn(desk.repository.database, f"cases of {case.fields['client']}")]
        turns += _caseload_turn(desk.repository, case.fields.get("case_manager"))
    at = desk.now()
    now = _situation(desk, reference, case.fields, at, reason)
    try:
        after = advance(case.fields, transition, now.facts, at, desk.actor.reference, reason, request_id)
    except NotNow as refused:
        if refused.code == "caseload_exceeded":
            _room(desk, case.fields["case_manager"], reference, case.fields, reason)
        raise
    if after != case.fields:
        _write(desk, reference, after, turns, transition, reason, consequences(transition, now))
    return read(desk.repository, "case", id)


def assign(desk: Desk, id: str, manager: str, *, reason: str | None = None) -> Kept:
    """The case with another primary case manager from now on; the seat of the one before ends in the care team at that moment (C-09).

    Raises NotNow `caseload_exceeded` naming who has room, Forbidden for an override that is not a supervisor's, RuleViolated
    `credential_invalid` or `clinical_role_invalid` for somebody who may not follow the case's models.
    """
    if not manager.startswith("Practitioner/"):
        raise Invalid("A case manager is named as Practitioner/id.", expression=["case_manager"])
    read(desk.repository, "case_manager", manager.partition("/")[2])
    return settled(partial(_assign, desk, id, manager, reason))


def _assign(desk: Desk, id: str, manager: str, reason: str | None) -> Kept:
    reference = f"EpisodeOfCare/{id}"
    turns = [turn(desk.repository.database, reference), *_caseload_turn(desk.repository, manager)]
    case = read(desk.repository, "case", id)
    former = case.fields.get("case_manager")
    if former == manager:
        return case
    _going_on(case)
    _room(desk, manager, reference, case.fields, reason)
    at = desk.now()
    fields = placed({**case.fields, "case_manager": manager}, at)
    now = _situation(desk, reference, fields, at, reason)
    _demand(TAKING_ON, now, "The case cannot be given to this case manager.")
    team, seats = _team(now, id)
    seated = handed_over(seats, former, manager, at, case.fields.get("opened_at", at))
    fields["team"] = list(dict.fromkeys([*fields.get("team", []), team]))
    _write(desk, reference, fields, turns, "handover", reason, [("care_team", team, seated)])
    return read(desk.repository, "case", id)


def _going_on(case: Kept) -> None:
    if case.fields.get("step") in TERMINAL:
        raise NotNow("The case is over.", code="case_over", expression=["step"])


def _team(now: Situation, id: str) -> tuple[str, Fields]:
    """The case's care team that is at work, or a new one with the id of the case."""
    working = {key: team for key, team in now.facts.of("care_team").items() if team["status"] in ("active", "proposed")}
    named = [key for key in now.case.get("team", []) if key in working]
    for key in (*named, *working):
        return key, working[key]
    return f"CareTeam/{id}", {"client": now.case["client"], "case": f"EpisodeOfCare/{id}", "status": "active"}


def follow_models(desk: Desk, id: str, wanted: Sequence[Fields], *, reason: str | None = None) -> Kept:
    """The case, led by these models from now on; those that it leaves stay in its record, ended at that moment (M-05).

    `wanted` are models without a period, exactly one of them primary. Raises as `assign` does: other models may take more places, or
    need another licence.
    """
    if sum(bool(model.get("primary")) for model in wanted) != 1 or any("period" in model for model in wanted):
        raise Invalid("Models are given without a period, and exactly one of them is primary.", expression=["models"])
    return settled(partial(_follow_models, desk, id, wanted, reason))


def _follow_models(desk: Desk, id: str, wanted: Sequence[Fields], reason: str | None) -> Kept:
    reference = f"EpisodeOfCare/{id}"
    turns = [turn(desk.repository.database, reference)]
    case = read(desk.repository, "case", id)
    _going_on(case)
    manager, at = case.fields.get("case_manager"), desk.now()
    turns += _caseload_turn(desk.repository, manager)
    fields = {**case.fields, "models": models_changed(case.fields.get("models", []), wanted, at)}
    if manager:
        _room(desk, manager, reference, fields, reason)
        _demand(TAKING_ON, _situation(desk, reference, fields, desk.now(), reason), "The case cannot follow these models.")
    _write(desk, reference, fields, turns, "models", reason)
    return read(desk.repository, "case", id)


def alerts(desk: Desk, id: str) -> list[Alert]:
    """What about the case is worth a warning now. Raises NotFound, Gone."""
    case = read(desk.repository, "case", id)
    return alerts_of(_situation(desk, case.reference, case.fields, desk.now()))


def led_here(repository: Repository, id: str) -> bool:
    """Whether the case's process was ever moved on here, and not only at another casebridge that the case came from."""
    return turn(repository.database, _LED.format(f"EpisodeOfCare/{id}")).number > 0


def _caseload_turn(repository: Repository, manager: str | None) -> list[Turn]:
    return [turn(repository.database, f"caseload {manager}")] if manager else []


def _write(
    desk: Desk, reference: str, fields: Fields, turns: Sequence[Turn], activity: str, reason: str | None, effects: Iterable[Effect] = ()
) -> None:
    """A case's new state with what follows from it, and its Provenance and AuditEvent."""
    wanted: list[Change] = []
    for concept, each, content in (("case", reference, fields), *effects):
        check(concept, content)
        wanted += changes(desk.repository, concept, each.partition("/")[2], content, synthetic=desk.synthetic)
    operation = "update" if wanted[0].expect else "create"
    event = audit_event(reference, desk.actor.reference, desk.now(), operation=operation, subtype=activity)
    leading = turn(desk.repository.database, _LED.format(reference))
    write(desk, [*wanted, Change("AuditEvent", str(uuid4()), event, 0)], [*turns, leading], activity=activity, reason=reason)
