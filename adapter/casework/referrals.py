"""What is done with a referral: a provider is chosen and asked, answers or is answered for, and the service goes on as the answer says.

A provider that a FHIR endpoint reaches gets the referral, and gives its answer, by sync (`settle` takes it up); of any other the case
manager tells the answer on its behalf. docs/referrals.md
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid5

from adapter.care.follow_up import policy
from adapter.cases import referrals as rules
from adapter.cases.consequences import Effect, given_up, withdrawn
from adapter.cases.facts import Facts, day
from adapter.cases.record import Fields
from adapter.cases.schedule import business_day
from adapter.cases.wording import code
from adapter.casework.desk import Desk
from adapter.casework.directory import Found, alike
from adapter.casework.facts import records_of
from adapter.casework.receivers import check_told, receiver, to_ask
from adapter.casework.records import Kept, put_together, read, unused
from adapter.errors import CasebridgeError, Invalid, NotNow
from adapter.store.filters import KEY
from adapter.store.repository import Repository

_NAMESPACE = UUID("8c1d0c0e-6a0f-5b55-9d6f-0b6f5ad0e1f3")
_CANDIDATES = 5


@dataclass(frozen=True)
class Row:
    """A referral of a case, as it stands."""

    reference: str
    service: str
    description: str
    provider: str | None
    by_fhir: bool
    """Whether its answer comes by sync; else the case manager tells it."""
    status: str
    priority: str | None
    authored_at: str | None
    due: str | None
    overdue: bool
    reason: str | None
    """Why it was declined, not done or cancelled."""
    results: tuple[str, ...]
    """What came of it: references, codes and words."""
    leads_to: tuple[str, ...]


def refer(
    desk: Desk,
    id: str,
    to: str,
    *,
    priority: str = "routine",
    due: str | None = None,
    note: str | None = None,
    send_too: bool = False,
) -> Kept:
    """The draft of a referral of a planned service to an entry of the directory; the same provider again finds the same referral.

    `due` is until when an answer is waited for; else the follow-up policy says it. With `send_too` it is sent as well, and where that is
    refused there is no draft either. Raises NotFound; Invalid for who is not here; NotNow `receiver_inactive`, `service_over`, or
    `referral_open` with the referral that is to end first; with `send_too` what `send` raises.
    """
    service = read(desk.repository, "planned_service", id)
    own = desk.of(service.reference)
    drafted = partial(_drafted, own, id, to, priority, due, note)
    decide, activity = (partial(_drafted_and_sent, own, id, to, drafted), "referral-sent") if send_too else (drafted, "refer")
    put_together(own, service.fields.get("case", ""), decide, activity=activity)
    return _in_hand(desk.repository, service.reference, to)


def _in_hand(repository: Repository, service: str, to: str) -> Kept:
    """The referral to this provider that is open."""
    return next(kept for kept in _referrals(repository, service) if _open_to(kept, to))


def _drafted(desk: Desk, id: str, to: str, priority: str, due: str | None, note: str | None) -> list[Effect]:
    service = read(desk.repository, "planned_service", id)
    _goes_on(service)
    known = _referrals(desk.repository, service.reference)
    if any(_open_to(kept, to) for kept in known):
        return []
    if others := [kept.reference for kept in known if kept.fields["status"] in rules.OPEN]:
        raise NotNow("The service is referred already.", code="referral_open", expression=["to"], allowed=others)
    to_ask(desk.repository, to)
    fields: Fields = {
        **{name: service.fields[name] for name in ("client", "case") if name in service.fields},
        "status": "draft",
        "intent": "order",
        "priority": priority,
        "code": rules.FULFILL,
        "focus": service.reference,
        "authored_at": desk.now(),
        "requester": _requester(desk),
        "owner": to,
        **({"due": due} if due else {}),
        **({"notes": [{"text": note}]} if note else {}),
    }
    own = unused(desk.repository, lambda number: f"Task/{uuid5(_NAMESPACE, f'{service.reference} {to} {number}')}")
    return [("task", own, fields)]


def _drafted_and_sent(desk: Desk, id: str, to: str, drafted: Callable[[], Sequence[Effect]]) -> list[Effect]:
    service, made = read(desk.repository, "planned_service", id), drafted()
    tasks = [Kept(concept, reference, 0, desk.clock(), fields) for concept, reference, fields in made]
    return _sent(desk, tasks[0] if tasks else _in_hand(desk.repository, service.reference, to), service)


def _goes_on(service: Kept) -> None:
    if service.fields["status"] == "completed" or given_up(service.fields):
        raise NotNow("The service is over.", code="service_over", expression=["status"])


def _open_to(kept: Kept, to: str) -> bool:
    return kept.fields.get("owner") == to and kept.fields["status"] in rules.OPEN


def _requester(desk: Desk) -> str:
    """Who acts, in their role where it is known: SDOH Clinical Care lets no Practitioner ask."""
    role = desk.repository.find("PractitionerRole", desk.actor.reference.partition("/")[2])
    return role.reference if role and not role.deleted else desk.actor.reference


def _referrals(repository: Repository, service: str) -> list[Kept]:
    """The referrals of a service, in the order of their ids."""
    if "Task" not in repository.types():
        return []
    found = [stored for stored in repository.scan("Task", {KEY: service, "concept": "task"}) if not stored.deleted]
    kept = [read(repository, "task", stored.id) for stored in sorted(found, key=lambda stored: stored.id)]
    return [each for each in kept if each.fields.get("focus") == service and rules.is_referral(each.fields)]


def send(desk: Desk, id: str) -> Kept:
    """The referral, asked for: it is the provider's turn. Raises NotNow `referral_status_invalid`, `service_over`; RuleViolated
    `consent_missing` where the client has not agreed that they are told (V-16)."""
    task = _referral(desk.repository, id)
    return _change(desk.of(task.reference), id, _sent, "referral-sent")


def _sent(desk: Desk, task: Kept, service: Kept) -> list[Effect]:
    _goes_on(service)
    at = desk.now()
    after = rules.moved(task.fields, "requested", at)
    to = to_ask(desk.repository, task.fields["owner"])
    check_told(desk, task.fields, to)
    days = policy().referral_business_days
    due = business_day(day(at), days.get(after.get("priority", ""), days["routine"])).isoformat()
    performed = {**service.fields, "performers": [to.reference]}
    effects: list[Effect] = [("task", task.reference, {"due": due, **after})]
    return effects + ([("planned_service", service.reference, performed)] if performed != service.fields else [])


def answer(desk: Desk, id: str, status: str, *, reason: str | None = None, results: Sequence[Fields] = ()) -> Kept:
    """The referral with the provider's answer, told on its behalf: the Provenance names both; the service goes on as the answer says.

    `status` is one of ANSWERS; `results` are values (reference, code or text) of what came of it; told of the status that it has already,
    they are added, and the service stays as it is. Raises NotNow `referral_status_invalid`
    with what it can become, RuleViolated `reason_missing`, Invalid for a status that is not the provider's word.
    """
    if status not in rules.ANSWERS:
        raise Invalid(f"A provider's answer is one of {', '.join(rules.ANSWERS)}.", expression=["status"])
    task = _referral(desk.repository, id)
    behalf = receiver(desk.repository, task.fields["owner"]).acts_for if "owner" in task.fields else None
    own = desk.of(task.reference, behalf if behalf != desk.actor.reference else None)
    return _change(own, id, partial(_answered, status=status, reason=reason, results=results), f"referral-{status.replace('_', '-')}")


def _answered(desk: Desk, task: Kept, service: Kept, *, status: str, reason: str | None, results: Sequence[Fields]) -> list[Effect]:
    same = task.fields["status"] == status
    known = task.fields.get("outputs", [])
    new = [each for value in results if (each := {"type": _kind(value), "value": value}) not in known]
    if same and not new:
        return []
    after = {**task.fields, "modified_at": desk.now()} if same else rules.moved(task.fields, status, desk.now(), reason)
    effects: list[Effect] = [("task", task.reference, {**after, **({"outputs": [*known, *new]} if known or new else {})})]
    carried = None if same else rules.carried_over(after, service.fields)
    return effects + ([("planned_service", service.reference, carried)] if carried else [])


def _kind(value: Fields) -> Fields:
    done = "code" in value or value.get("reference", "").startswith("Procedure/")
    return dict(rules.ACTIVITY if done else rules.RESULT)


def cancel(desk: Desk, id: str, reason: str) -> Kept:
    """The referral taken back; its order stays in force, to be given to another. Raises NotNow `referral_status_invalid`."""
    task = _referral(desk.repository, id)
    return _change(desk.of(task.reference), id, partial(_cancelled, reason=reason), "referral-cancelled")


def _cancelled(desk: Desk, task: Kept, _: Kept, *, reason: str) -> list[Effect]:
    if task.fields["status"] == "cancelled":
        return []
    return [("task", task.reference, rules.moved(task.fields, "cancelled", desk.now(), reason))]


def _referral(repository: Repository, id: str) -> Kept:
    task = read(repository, "task", id)
    if not rules.is_referral(task.fields):
        raise Invalid("This task refers no service.", expression=["focus"])
    return task


def _change(desk: Desk, id: str, decide: Callable[[Desk, Kept, Kept], Sequence[Effect]], activity: str) -> Kept:
    """The referral after what is decided of it and its service, as they are stored."""
    task = _referral(desk.repository, id)

    def decided() -> Sequence[Effect]:
        now = _referral(desk.repository, id)
        return decide(desk, now, _service(desk.repository, now))

    put_together(desk, task.fields.get("case", ""), decided, activity=activity)
    return read(desk.repository, "task", id)


def _service(repository: Repository, task: Kept) -> Kept:
    return read(repository, "planned_service", task.fields["focus"].partition("/")[2])


def settle(desk: Desk, facts: Facts, unsettled: Callable[[str, CasebridgeError], None]) -> bool:
    """Whether something changed: services are brought to what their referrals say, which came by a sync or another door, and referrals
    of services that are not to be done any more are cancelled.

    What somebody wrote of a service after an answer stands, unless the answer is that it is done; and so does what another provider, who
    was asked since, says of it. A referral of which nothing can be made is given to `unsettled`, and keeps no other waiting.
    """
    done = False
    for reference, task in rules.referred(facts).items():
        try:
            if task["focus"] in facts.of("planned_service") and _unsettled(desk, reference):
                put_together(desk, task.get("case", ""), partial(_unsettled, desk, reference), activity="referral-settled")
                done = True
        except CasebridgeError as error:
            unsettled(reference, error)
    return done


def _unsettled(desk: Desk, reference: str) -> list[Effect]:
    """What is to change by a referral."""
    task = read(desk.repository, "task", reference.partition("/")[2])
    service = _service(desk.repository, task)
    if given_up(service.fields):
        return withdrawn({task.reference: task.fields}, {service.reference}, desk.now(), "The service was cancelled.")
    carried = rules.carried_over(task.fields, service.fields)
    if carried is None or (task.updated < service.updated and carried["status"] != "completed"):
        return []
    others = [kept.fields for kept in _referrals(desk.repository, service.reference) if kept.reference != reference]
    return [] if rules.replaced(task.fields, others) else [("planned_service", service.reference, carried)]


def of_case(desk: Desk, id: str) -> list[Row]:
    """The referrals of a case, the open ones first, then the latest. Raises NotFound, Gone."""
    case = read(desk.repository, "case", id)
    return standing(desk, Facts(records_of(desk.repository, case.reference, case.fields)))


def standing(desk: Desk, facts: Facts) -> list[Row]:
    """The referrals among these records, in the same order."""
    rows = [_row(desk, reference, task, facts) for reference, task in rules.referred(facts).items()]
    newest = sorted(rows, key=lambda row: (row.authored_at or "", row.reference), reverse=True)
    return sorted(newest, key=lambda row: not row.leads_to)


def _row(desk: Desk, reference: str, task: Fields, facts: Facts) -> Row:
    status, due = task["status"], task.get("due")
    return Row(
        reference,
        task["focus"],
        facts.of("planned_service").get(task["focus"], {}).get("description", ""),
        task.get("owner"),
        _by_fhir(desk.repository, task.get("owner")),
        status,
        task.get("priority"),
        task.get("authored_at"),
        due,
        due is not None and status in rules.UNANSWERED and day(due) < day(desk.now()),
        code(task.get("status_reason")) or None,
        tuple(_told(each["value"]) for each in task.get("outputs", [])),
        rules.STAGES[status].leads_to if status in rules.STAGES else (),
    )


def _by_fhir(repository: Repository, owner: str | None) -> bool:
    try:
        return owner is not None and receiver(repository, owner).by_fhir
    except Invalid:
        return False


def _told(value: Fields) -> str:
    return code(value["code"]) if "code" in value else str(next(iter(value.values())))


def candidates(desk: Desk, id: str) -> list[Found]:
    """Whom the service could be referred to next: directory entries like those that perform it or were asked, who can be had soonest first.

    Who was asked already is not among them. Raises NotFound, Gone.
    """
    service = read(desk.repository, "planned_service", id)
    asked = [kept.fields.get("owner", "") for kept in _referrals(desk.repository, service.reference)]
    alike_ = {found.reference: found for each in (*asked, *service.fields.get("performers", [])) for found in alike(desk, each)}
    return sorted((found for found in alike_.values() if found.reference not in asked), key=lambda found: found.rank)[:_CANDIDATES]
