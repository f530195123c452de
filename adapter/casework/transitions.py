"""What is done with a transition of care: made ready, its summary sent to who takes over, and their word taken up. docs/transitions.md"""

from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid5

from adapter.care.follow_up import policy
from adapter.cases import transitions as rules
from adapter.cases.consequences import Effect, given_up, withdrawn
from adapter.cases.facts import Facts, Situation, day
from adapter.cases.record import Fields
from adapter.cases.referrals import OPEN, moved
from adapter.cases.schedule import business_day
from adapter.casework.desk import Desk
from adapter.casework.facts import facts_about
from adapter.casework.receivers import check_told, receiver, to_ask
from adapter.casework.records import Kept, amend, put_together, read, unused
from adapter.casework.transfer_summary import summary
from adapter.errors import CasebridgeError, Invalid, NotFound, NotNow, RuleViolated
from adapter.fhir.resource import Raw, parse
from adapter.mapping.transfer_summary import document_in, reference_to, replaced_by
from adapter.store.documents import Change, Stored

_NAMESPACE = UUID("9b6f4b0a-2f0b-5c7e-8c55-6d0c9a1f4e02")
_PACKAGE = {"text": "transfer summary"}
ANSWERS = ("received", "accepted", "rejected")


def prepare(desk: Desk, id: str) -> Kept:
    """The transition plan, its checklist brought to what the record tells, with why; what a person said stays (P-23).

    Raises NotNow `transition_over`.
    """

    def ready(plan: Kept) -> Fields:
        _going_on(plan)
        case = read(desk.repository, "case", plan.fields["case"].partition("/")[2]).fields
        now = Situation(case, facts_about(desk, plan.fields["case"], case), desk.now(), desk.actor.reference, None)
        return rules.prepared(plan.fields, now)

    return amend(desk, "transition_plan", id, ready, activity="transition-prepared")


def _going_on(plan: Kept) -> None:
    if given_up(plan.fields):
        raise NotNow("The transition is over.", code="transition_over", expression=["status"])


def send(desk: Desk, id: str, *, due: str | None = None) -> Kept:
    """The transition plan, its transfer summary made and sent to the receiver, who is asked to take over by a task.

    The same state of the record makes the same summary, and nothing is sent twice; another makes one that replaces the former, in the
    same task as long as that is open. `due` is until when the receiver's word is waited for; else the target date, and else the follow-up
    policy, say it. Raises RuleViolated `receiver_missing`, `consent_missing` (V-16); NotNow `transition_over`, `receiver_inactive`.
    """
    plan = read(desk.repository, "transition_plan", id)
    own = desk.of(plan.reference)
    put_together(own, plan.fields["case"], partial(_sent, own, id, due), activity="transition-sent")
    return read(desk.repository, "transition_plan", id)


def _sent(desk: Desk, id: str, due: str | None) -> list[Effect | Change]:
    plan = read(desk.repository, "transition_plan", id)
    _going_on(plan)
    if "receiver" not in plan.fields:
        raise RuleViolated("Who takes over must be named first.", code="receiver_missing", expression=["receiver"])
    to = to_ask(desk.repository, plan.fields["receiver"])
    check_told(desk, plan.fields, to)
    case = read(desk.repository, "case", plan.fields["case"].partition("/")[2]).fields
    facts = facts_about(desk, plan.fields["case"], case)
    former = _package(desk, plan.fields)
    made = _summary(desk, plan, case, facts, former)
    package = made[0] if made else former.reference if former else ""
    wanted: list[Effect | Change] = [*(made[1] if made else [])]
    asked = _asked(desk, plan, facts, to.reference, package, due)
    wanted += asked
    after = rules.packed(plan.fields, package)
    if any(reference not in facts.of("task") for _, reference, _ in asked):
        after = rules.asked_anew(after)
    return wanted + ([("transition_plan", plan.reference, after)] if after != plan.fields else [])


def _package(desk: Desk, plan: Fields) -> Stored | None:
    """The DocumentReference that was sent last."""
    type, _, id = plan.get("package", "").partition("/")
    stored = desk.repository.find(type, id) if type == "DocumentReference" else None
    return stored if stored and not stored.deleted else None


def _summary(desk: Desk, plan: Kept, case: Fields, facts: Facts, former: Stored | None) -> tuple[str, list[Change]] | None:
    """The new package and what is written for it; None where the former one says the same."""
    make = partial(summary, desk.repository, plan.reference, plan.fields, case, facts, desk.now())
    text = document_in(former.raw) if former else ""
    if former and text and make(replaced_by(parse(text))).text == text:
        return None
    before = parse(text)["identifier"]["value"] if text else None
    made = make(before)
    id = str(uuid5(_NAMESPACE, made.identifier))
    raw = reference_to(made.text, made.head, made.identifier, made.security, replaces=former.reference if former else None)
    old = desk.repository.find("DocumentReference", id)
    written = [Change("DocumentReference", id, raw, old.version if old else 0)]
    if former:
        written.append(Change("DocumentReference", former.id, {**former.raw, "status": "superseded"}, former.version))
    return f"DocumentReference/{id}", written


def _asked(desk: Desk, plan: Kept, facts: Facts, to: str, package: str, due: str | None) -> list[Effect]:
    """The task for the receiver, new or with another package; what another receiver was asked is taken back."""
    at = desk.now()
    known = rules.handovers(plan.reference, facts)
    others = {key: task for key, task in known.items() if task.get("owner") != to}
    withdrew = withdrawn(others, {plan.reference}, at, "Another receiver takes over.")
    inputs = [{"type": _PACKAGE, "value": {"reference": package}}]
    mine = next((key for key, task in known.items() if key not in others and task["status"] in (*OPEN, *rules.TAKEN)), None)
    if mine:
        task = known[mine]
        return withdrew + ([("task", mine, {**task, "inputs": inputs, "modified_at": at})] if task.get("inputs") != inputs else [])
    fields: Fields = {
        **{name: plan.fields[name] for name in ("client", "case", "encounter")},
        "status": "requested",
        "intent": "order",
        "priority": "routine",
        "focus": plan.reference,
        "description": "Take over the client's care",
        "authored_at": at,
        "requester": desk.actor.reference,
        "owner": to,
        "due": due or _until(plan.fields, at),
        "inputs": inputs,
    }
    own = unused(desk.repository, lambda number: f"Task/{uuid5(_NAMESPACE, f'{plan.reference} {to} {number}')}")
    return [*withdrew, ("task", own, fields)]


def _until(plan: Fields, at: str) -> str:
    """Until when the receiver's word is waited for: the day of the transition, unless that has passed; else as the policy says."""
    if "target_date" in plan:
        return str(max(plan["target_date"][:10], at[:10]))
    return business_day(day(at), policy().referral_business_days["routine"]).isoformat()


def answer(desk: Desk, id: str, status: str, *, reason: str | None = None) -> Kept:
    """The transition plan with the receiver's word, told on its behalf: the Provenance names both (P-24).

    `accepted` makes it acknowledged, and plans the first contact with the client. Raises NotFound where nothing was sent, NotNow
    `transition_over`, `referral_status_invalid` with what can be said, RuleViolated `reason_missing`.
    """
    if status not in ANSWERS:
        raise Invalid(f"A receiver's answer is one of {', '.join(ANSWERS)}.", expression=["status"])
    plan = read(desk.repository, "transition_plan", id)
    to = receiver(desk.repository, plan.fields["receiver"]) if "receiver" in plan.fields else None
    behalf = to.acts_for if to and to.acts_for != desk.actor.reference else None
    own = desk.of(plan.reference, behalf)
    decide = partial(_answered, own, id, status, reason)
    put_together(own, plan.fields["case"], decide, activity=f"transition-{status}")
    return read(desk.repository, "transition_plan", id)


def _answered(desk: Desk, id: str, status: str, reason: str | None) -> list[Effect]:
    plan = read(desk.repository, "transition_plan", id)
    _going_on(plan)
    case = read(desk.repository, "case", plan.fields["case"].partition("/")[2]).fields
    asked = rules.handovers(plan.reference, facts_about(desk, plan.fields["case"], case))
    mine = sorted((task["authored_at"], key) for key, task in asked.items() if task.get("owner") == plan.fields.get("receiver"))
    if not mine:
        raise NotFound("Nothing was sent to the receiver yet.")
    key = mine[-1][1]
    if asked[key]["status"] == status:
        return []
    task = moved(asked[key], status, desk.now(), reason)
    return [("task", key, task), *_taken_over(desk, plan, task)]


def _taken_over(desk: Desk, plan: Kept, task: Fields) -> list[Effect]:
    """What follows once the receiver has taken over: the plan says so, and the first contact is planned."""
    after = rules.acknowledged(plan.fields, task, desk.now(), policy().discharge_contact_business_days)
    return [("transition_plan", plan.reference, after), *_contact(desk, plan.reference, after)] if after else []


def _contact(desk: Desk, plan: str, after: Fields) -> list[Effect]:
    """The first contact: of a former receiver's time moved where it is still planned, and else one for this receiver."""
    first, own = (uuid5(_NAMESPACE, f"{plan} {name}") for name in ("first contact", f"first contact {after['receiver']}"))
    known = desk.repository.find("Encounter", str(first))
    if known and not known.deleted and (fields := read(desk.repository, "follow_up", known.id).fields)["status"] == "planned":
        return [("follow_up", known.reference, {**fields, "planned_at": after["first_follow_up_due_at"]})]
    id = str(own if known else first)
    return [] if desk.repository.find("Encounter", id) else [("follow_up", f"Encounter/{id}", rules.first_contact(after))]


def settle(desk: Desk, facts: Facts, unsettled: Callable[[str, CasebridgeError], None]) -> bool:
    """Whether something changed: a receiver's word, or that a transition was stopped, which came by a sync or another door, is taken up.

    A task of which nothing can be made is given to `unsettled`, and keeps no other waiting.
    """
    done = False
    for reference, plan in facts.of("transition_plan").items():
        for key in rules.handovers(reference, facts):
            try:
                if _told(desk, reference, key):
                    put_together(desk, plan["case"], partial(_told, desk, reference, key), activity="transition-settled")
                    done = True
            except CasebridgeError as error:
                unsettled(key, error)
    return done


def _told(desk: Desk, plan: str, task: str) -> list[Effect]:
    """What follows from a receiver's word as it is stored; of a transition that was stopped the asking is taken back."""
    said = read(desk.repository, "task", task.partition("/")[2]).fields
    kept = read(desk.repository, "transition_plan", plan.partition("/")[2])
    if given_up(kept.fields):
        return withdrawn({task: said}, {plan}, desk.now(), "The transition was stopped.")
    return _taken_over(desk, kept, said)


def package(desk: Desk, id: str) -> Raw:
    """The document that was sent last: a Bundle. Raises NotFound where none was."""
    stored = _package(desk, read(desk.repository, "transition_plan", id).fields)
    text = document_in(stored.raw) if stored else ""
    if not text:
        raise NotFound("No transfer summary was sent yet.")
    return parse(text)
