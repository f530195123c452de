"""What is done with a plan: options shown and chosen, the client's answer, adjustments proposed, accepted and carried out."""

from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID, uuid5

from adapter.cases.consequences import Effect
from adapter.cases.facts import Facts, plan_in_hand
from adapter.cases.options import Compared, compared
from adapter.cases.record import Fields
from adapter.casework.desk import Desk
from adapter.casework.records import Kept, amend, put, put_together, read
from adapter.casework.services import ordered
from adapter.errors import NotFound, NotNow, RuleViolated, StaleRecord
from adapter.store.filters import KEY

_ONE_PLAN_ONLY = ("acceptance", "adjustments", "options", "schedule", "requests")
"""What a new plan does not take over from the one that it replaces."""
_PARTS = {
    "Goal": ("goals", "goal", "lifecycle", ("proposed", "planned")),
    "ServiceRequest": ("services", "planned_service", "status", ("not_started",)),
}
"""What a plan consists of, by type: its field, the concept, the field of its state, and the states of what nobody has begun."""
_EMPTY: tuple[object, ...] = (None, [], {}, "")
_NAMESPACE = UUID("0f6d2b9e-5c1d-5e0b-8a55-6f3b1c4d7e21")


def drafted(facts: Facts) -> str | None:
    """The draft that goals and services are planned in, by reference; None where there is no plan yet. Raises NotNow `plan_in_force`."""
    reference, plan = plan_in_hand(facts)
    if reference:
        _draft(plan)
    return reference or None


def _draft(plan: Fields) -> None:
    if plan["status"] != "draft":
        raise NotNow("The plan is no draft any more; propose an adjustment.", code="plan_in_force", expression=["status"])


def leave_out(desk: Desk, id: str, element: str) -> Kept:
    """The draft without this goal or service: what a template brought and this client does not need (C-08).

    It is cancelled, unless it was begun, or a plan that the draft replaces has it: that plan is in force until the draft is. Raises NotNow
    `plan_in_force`.
    """
    plan = read(desk.repository, "plan", id)
    put_together(desk, plan.fields.get("case", ""), partial(_without, desk, id, element), activity="left-out")
    return read(desk.repository, "plan", id)


def _without(desk: Desk, id: str, element: str) -> list[Effect]:
    plan = read(desk.repository, "plan", id)
    _draft(plan.fields)
    type, _, own = element.partition("/")
    if type not in _PARTS or element not in plan.fields.get(_PARTS[type][0], ()):
        return []
    name, concept, state, waiting = _PARTS[type]
    left = {**plan.fields, name: [each for each in plan.fields[name] if each != element]}
    now = read(desk.repository, concept, own).fields
    replaced = desk.repository.find_many("CarePlan", [each.partition("/")[2] for each in plan.fields.get("replaces", ())])
    needed = any(element in each.record.get(name, ()) for each in replaced.values() if not each.deleted)
    dropped: list[Effect] = [(concept, element, {**now, state: "cancelled"})] if now[state] in waiting and not needed else []
    return [("plan", plan.reference, {key: value for key, value in left.items() if value}), *dropped]


def options(desk: Desk, id: str) -> list[Compared]:
    """The plan's options and the case's plans of intent `option`, compared by cost against the plan's goals (C-06)."""
    plan = read(desk.repository, "plan", id)
    others = _alternatives(desk, plan)
    choices = [*plan.fields.get("options", []), *others]
    services = _services(desk, [reference for choice in choices for reference in choice.get("services", [])])
    return compared(plan.fields.get("goals", []), choices, services)


def _alternatives(desk: Desk, plan: Kept) -> list[Fields]:
    client, case = plan.fields["client"], plan.fields.get("case")
    found = [stored for stored in desk.repository.scan("CarePlan", {KEY: client, "concept": "plan"}) if not stored.deleted]
    return [
        {"id": stored.id, "title": stored.record.get("title", stored.id), "services": stored.record.get("services", [])}
        for stored in found
        if stored.record["intent"] == "option" and stored.record.get("case") == case
    ]


def _services(desk: Desk, references: Sequence[str]) -> dict[str, Fields]:
    found = desk.repository.find_many("ServiceRequest", [reference.partition("/")[2] for reference in references])
    return {stored.reference: stored.record for stored in found.values() if not stored.deleted}


def show(desk: Desk, id: str) -> Kept:
    """The plan, its options shown to the client now, or as before. Raises RuleViolated `plain_text_missing` (P-10)."""

    def shown(plan: Kept) -> Fields:
        at = desk.now()
        return {**plan.fields, "options": [{"presented_at": at, **option} for option in plan.fields.get("options", [])]}

    return amend(desk, "plan", id, shown, activity="options-shown")


def choose(desk: Desk, id: str, option: str) -> Kept:
    """The plan with the option that the client chose; each of its proposals becomes an order in the plan, the others stay proposals (P-29).

    Choosing again while the plan is a draft cancels the orders of the choice before. Raises NotFound for another option, NotNow
    `plan_in_force`, RuleViolated `option_not_shown`.
    """
    plan = read(desk.repository, "plan", id)
    put_together(desk, plan.fields.get("case", ""), partial(_chosen, desk, id, option), activity="option-chosen")
    return read(desk.repository, "plan", id)


def _chosen(desk: Desk, id: str, option: str) -> list[Effect]:
    plan = read(desk.repository, "plan", id)
    wanted = next((each for each in plan.fields.get("options", []) if each["id"] == option), None)
    if wanted is None:
        raise NotFound("The plan has no option of this id.")
    if wanted.get("chosen"):
        return []
    _draft(plan.fields)
    if "presented_at" not in wanted:
        raise RuleViolated("An option is chosen after it was shown to the client.", code="option_not_shown", expression=["options"])
    at = desk.now()
    before = [ordered(reference) for each in plan.fields["options"] if each.get("chosen") for reference in each.get("services", [])]
    dropped = {
        reference: fields for reference, fields in _services(desk, before).items() if fields["status"] in ("not_started", "scheduled")
    }
    proposals = _services(desk, wanted.get("services", []))
    orders = {
        ordered(reference): {**fields, "intent": "order"} for reference, fields in proposals.items() if fields["intent"] == "proposal"
    }
    kept = [reference for reference in plan.fields.get("services", []) if reference not in dropped]
    choices = [
        {**each, "chosen": True, "chosen_at": at} if each is wanted else {**_unchosen(each), "chosen": False}
        for each in plan.fields["options"]
    ]
    fields = {**plan.fields, "options": choices, "services": list(dict.fromkeys([*kept, *orders]))}
    return [
        *(("planned_service", reference, content) for reference, content in orders.items()),
        *(("planned_service", reference, {**content, "status": "cancelled"}) for reference, content in dropped.items()),
        ("plan", plan.reference, {name: value for name, value in fields.items() if value}),
    ]


def _unchosen(option: Fields) -> Fields:
    return {name: value for name, value in option.items() if name != "chosen_at"}


def answer(desk: Desk, id: str, status: str, by: str) -> Kept:
    """The plan with the client's word on it: `accepted` or `declined`, by them or who speaks for them. Raises NotNow `plan_in_force`."""

    def answered(plan: Kept) -> Fields:
        _draft(plan.fields)
        return {**plan.fields, "acceptance": {"status": status, "by": by, "at": desk.now()}}

    return amend(desk, "plan", id, answered, activity=f"plan-{status}")


def propose(
    desk: Desk,
    id: str,
    *,
    reason: str,
    severity: str,
    changes: Sequence[Fields] = (),
    by: str | None = None,
    request_id: str | None = None,
) -> Kept:
    """The plan with an adjustment that somebody proposes, named by the moment (P-19). Raises NotNow `plan_not_active`.

    The same `request_id` again changes nothing, here and in the steps that follow; RuleViolated `request_reused` for another step.
    """

    def proposed(plan: Kept) -> Fields:
        _active(plan)
        new: Fields = {"proposed_at": desk.now(), "proposed_by": by or desk.actor.reference, "reason": reason, "severity": severity}
        return {
            **plan.fields,
            "adjustments": [*plan.fields.get("adjustments", []), {**new, **({"changes": list(changes)} if changes else {})}],
        }

    return _step(desk, id, "proposed", proposed, request_id)


def accept(desk: Desk, id: str, proposed_at: str, *, accepted: bool = True, request_id: str | None = None) -> Kept:
    """The plan with the client's word on an adjustment. Raises NotFound, NotNow `adjustment_applied`."""
    return _step(desk, id, "answered", lambda plan: _adjusted(plan, proposed_at, {"accepted_by_client": accepted}), request_id)


def carry_out(
    desk: Desk,
    id: str,
    proposed_at: str,
    updates: Fields,
    *,
    reason: str | None = None,
    request_id: str | None = None,
    expect: int | None = None,
) -> Kept:
    """The plan's next version, with a minor adjustment that the client accepted: `updates` are fields of the plan (P-19, TR-15).

    A field that is empty among them is taken out of the plan. The version before stays readable. Raises RuleViolated `plan_not_accepted`,
    `adjustment_major`; NotNow `adjustment_applied`; NotFound; StaleRecord where the plan is not at the version `expect`, None for any.
    """

    def carried(plan: Kept) -> Fields:
        if expect is not None and plan.version != expect:
            raise StaleRecord("Somebody changed the plan meanwhile. What you typed is kept; look at it again before you send it.")
        _active(plan)
        adjustment = _accepted(plan, proposed_at)
        if adjustment["severity"] != "minor":
            raise RuleViolated("A major adjustment needs a new plan.", code="adjustment_major", expression=["adjustments"])
        done: Fields = {"applied_at": desk.now(), "resulting_plan_version": plan.version + 1}
        if "changes" not in adjustment:
            done["changes"] = [{"op": _operation(plan, name, updates[name]), "path": name} for name in sorted(updates)]
        return {name: value for name, value in {**_adjusted(plan, proposed_at, done), **updates}.items() if value not in _EMPTY}

    return _step(desk, id, "applied", carried, request_id, reason=reason or _reason(desk, id, proposed_at))


def _operation(plan: Kept, name: str, value: object) -> str:
    return "remove" if value in _EMPTY else "update" if name in plan.fields else "add"


def _step(desk: Desk, id: str, step: str, change: Callable[[Kept], Fields], request_id: str | None, *, reason: str | None = None) -> Kept:
    """The plan after a step of an adjustment, which is taken once for each request id."""

    def taken(plan: Kept) -> Fields:
        past = plan.fields.get("requests", [])
        known = next((each["step"] for each in past if each["id"] == request_id), None)
        if known == step:
            return plan.fields
        if known:
            raise RuleViolated("This request id was used for another step.", code="request_reused", expression=["requests"])
        request = {"id": request_id, "step": step, "at": desk.now(), "by": desk.actor.reference}
        return {**change(plan), **({"requests": [*past, request]} if request_id else {})}

    return amend(desk, "plan", id, taken, activity=f"adjustment-{step}", reason=reason)


def redraft(desk: Desk, id: str, proposed_at: str, updates: Fields) -> Kept:
    """The draft that is to replace the plan, for a major adjustment that the client accepted; asked for again, the same draft (TR-14).

    The old plan stays in force until the draft is put into force, by TR-08. Raises RuleViolated `plan_not_accepted`; NotFound.
    """
    plan = read(desk.repository, "plan", id)
    _active(plan)
    _accepted(plan, proposed_at)
    new = str(uuid5(_NAMESPACE, f"{id}/{proposed_at}"))
    known = desk.repository.find("CarePlan", new)
    if known and not known.deleted:
        return read(desk.repository, "plan", new)
    over = {name: value for name, value in plan.fields.items() if name not in _ONE_PLAN_ONLY}
    draft = {**over, **updates, "status": "draft", "created_at": desk.now(), "replaces": [plan.reference]}
    return put(desk, "plan", new, draft, expect=0, activity="redraft", reason=_reason(desk, id, proposed_at))


def _active(plan: Kept) -> None:
    if plan.fields["status"] != "active":
        raise NotNow("Only the plan that is in force is adjusted.", code="plan_not_active", expression=["status"])


def _adjustment(plan: Kept, proposed_at: str) -> Fields:
    adjustments: list[Fields] = plan.fields.get("adjustments", [])
    found = next((each for each in adjustments if each["proposed_at"] == proposed_at), None)
    if found is None:
        raise NotFound("The plan has no adjustment that was proposed at this moment.")
    if "applied_at" in found:
        raise NotNow("The adjustment was carried out already.", code="adjustment_applied", expression=["adjustments"])
    return found


def _accepted(plan: Kept, proposed_at: str) -> Fields:
    found = _adjustment(plan, proposed_at)
    if not found.get("accepted_by_client"):
        raise RuleViolated("The client must accept the adjustment first.", code="plan_not_accepted", expression=["adjustments"])
    return found


def _adjusted(plan: Kept, proposed_at: str, more: Fields) -> Fields:
    wanted = _adjustment(plan, proposed_at)
    return {**plan.fields, "adjustments": [{**each, **more} if each is wanted else each for each in plan.fields["adjustments"]]}


def _reason(desk: Desk, id: str, proposed_at: str) -> str | None:
    adjustments = read(desk.repository, "plan", id).fields.get("adjustments", [])
    return next((str(each["reason"]) for each in adjustments if each["proposed_at"] == proposed_at), None)
