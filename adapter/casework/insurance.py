"""What is done about the insurance of a case: eligibility and authorisations asked for, answered, appealed, withdrawn; how it stands."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any
from uuid import uuid5

from adapter.cases import insurance_requests as requests
from adapter.cases.consequences import Effect
from adapter.cases.facts import Facts
from adapter.cases.insurance import IDS, OVER, Insurance, named_in, of_service, question_for, record_for, request_for, standing, waiting
from adapter.cases.insurance_answers import DECIDED, OPEN, settled
from adapter.cases.record import Fields
from adapter.casework.answers import look
from adapter.casework.desk import Desk
from adapter.casework.facts import facts_about
from adapter.casework.records import Kept, amend, put, put_together, read, unused
from adapter.errors import NotNow, RuleViolated
from adapter.mapping.task import KINDS


def insurance(desk: Desk, id: str) -> Insurance:
    """How the insurance of a case stands now. Raises NotFound, Gone."""
    case = read(desk.repository, "case", id)
    return standing(facts_about(desk, case.reference, case.fields), desk.now())


def ask_eligibility(desk: Desk, services: Sequence[str], *, coverage: str | None = None, reason: str | None = None) -> Kept:
    """The question to the insurer what it pays for of these services of a case; one that waits for its answer is not asked again (C-22).

    `coverage` is the one to ask about; None is one about which a question waits, else the usual one. Raises RuleViolated
    `request_incomplete` naming what is missing, `consent_missing` (V-16), which yields to a reason; NotNow `service_over`, `no_case`.
    """
    case = _case_of(desk, services)

    def decide() -> list[Effect]:
        facts = _facts(desk, case)
        if _asked(facts, services, coverage):
            return []
        fields = requests.eligibility(services, facts, desk.now(), desk.actor.reference, coverage)
        return [("eligibility_request", unused(desk.repository, lambda number: question_for(case.reference, number)), fields)]

    put_together(desk, case.reference, decide, activity="eligibility-asked", reason=reason)
    return read(desk.repository, "eligibility_request", _asked(_facts(desk, case), services, coverage).partition("/")[2])


def ask_eligibility_of_plan(desk: Desk, id: str, *, coverage: str | None = None, reason: str | None = None) -> Kept:
    """The same, of all services of a plan that go on. Raises NotNow `service_over` where there is none."""
    plan = read(desk.repository, "plan", id)
    known = [read(desk.repository, "planned_service", each.partition("/")[2]) for each in plan.fields.get("services", [])]
    going = [each.reference for each in known if each.fields["status"] not in OVER and each.fields["intent"] != "proposal"]
    if not going:
        raise NotNow("No service of the plan goes on.", code="service_over", expression=["services"])
    return ask_eligibility(desk, going, coverage=coverage, reason=reason)


def answer_eligibility(desk: Desk, id: str, told: Fields) -> Kept:
    """What an insurer answered to the question, entered by hand; told otherwise again, the later word counts.

    `told` are the outcome and, as they are known, `as_of`, `in_force`, `benefits`, `disposition` and `number`. What services need is set
    in the same moment. Raises NotNow `request_withdrawn`.
    """
    asked = read(desk.repository, "eligibility_request", id)
    if asked.fields["status"] != "active":
        raise NotNow("The question was withdrawn.", code="request_withdrawn", expression=["status"])
    own = str(uuid5(IDS, asked.reference))
    before = desk.repository.find("CoverageEligibilityResponse", own)
    as_of = told.get("as_of") or (before.record["as_of"] if before and not before.deleted else desk.now())
    said = {name: told[name] for name in ("in_force", "benefits") if name in told}
    fields: Fields = {
        **{name: asked.fields[name] for name in ("client", "case", "insurer", "purposes") if name in asked.fields},
        **{name: told[name] for name in ("outcome", "disposition", "number") if name in told},
        "status": "active",
        "request": asked.reference,
        "as_of": as_of,
        "insurance": [{"coverage": asked.fields["coverage"], **said}],
    }
    return put(desk, "eligibility_response", own, fields, activity="insurer-answer")


def ask_authorisation(desk: Desk, service: str, *, reason: str | None = None, **wanted: Any) -> Kept:
    """The authorisation of a service, asked for and waiting; one that waits is not asked for again (C-22).

    `wanted` are the coverage, provider and priority where they are not the usual ones. Raises as `ask_eligibility` does, and NotNow
    `authorised_already` where an approval has no end, `asked_elsewhere` naming another coverage of which an answer is waited for.
    """
    case = _case_of(desk, [service])

    def decide() -> list[Effect]:
        facts = _facts(desk, case)
        latest = next(reversed(of_service(service, facts).values()), {})
        if latest.get("status") == "requested":
            _same_coverage(latest, wanted.get("coverage"))
            return []
        if latest.get("status") == "approved" and "end" not in latest.get("validity", {}):
            raise NotNow("The service is authorised, without an end.", code="authorised_already", expression=["service"])
        return _request(desk, service, requests.preauthorisation(service, facts, desk.now(), desk.actor.reference, **wanted))

    put_together(desk, case.reference, decide, activity="authorisation-asked", reason=reason)
    return _latest(desk, case, service)


def _same_coverage(waits: Fields, wanted: str | None) -> None:
    there = waits.get("coverage")
    if wanted and there and there != wanted:
        text = "The service's authorisation waits for the answer of another coverage's insurer."
        raise NotNow(text, code="asked_elsewhere", expression=["coverage"], allowed=[there])


def _request(desk: Desk, service: str, fields: Fields) -> list[Effect]:
    """A request of a service, and the authorisation that waits for its answer."""
    request = unused(desk.repository, lambda number: request_for(service, number))
    waits: Fields = {
        **{name: fields[name] for name in ("client", "case", "coverage", "insurer") if name in fields},
        "service": service,
        "preauthorisation": request,
        "requestor": fields["provider"],
        "request": "preauthorisation",
        "status": "requested",
        "requested_at": fields["created_at"],
    }
    return [("preauthorisation", request, fields), ("authorisation", record_for(request, service), waits)]


def answer_authorisation(desk: Desk, id: str, told: Fields) -> Kept:
    """The authorisation as the insurer decided, entered by hand; the same again changes nothing.

    `told` are the status (approved, denied, or requested while it is not decided), number, validity, denial_reason and decided_at. An
    appeal's answer settles the denial, too. Raises RuleViolated `answer_incomplete`; NotNow `request_withdrawn`, `not_waiting`.
    """

    def answered(kept: Kept) -> Fields:
        said = {**told, **({"decided_at": desk.now()} if told["status"] in DECIDED and "decided_at" not in told else {})}
        if all(kept.fields.get(name) == value for name, value in told.items()):
            return kept.fields
        _waits(kept)
        missing = {"approved": "number", "denied": "denial_reason"}.get(told["status"], "status")
        if missing not in told:
            raise RuleViolated(f"An answer that is {told['status']} has its {missing}.", code="answer_incomplete", expression=[missing])
        return {**kept.fields, **said}

    return amend(desk, "authorisation", id, answered, activity="insurer-answer")


def _waits(authorisation: Kept) -> None:
    status = authorisation.fields["status"]
    if status == "cancelled":
        raise NotNow("The request was withdrawn, or its denial overturned.", code="request_withdrawn", expression=["status"])
    if status != "requested":
        raise NotNow(f"The authorisation is {status} and waits for no answer.", code="not_waiting", expression=["status"])


def appeal(desk: Desk, id: str, *, issue: str, action: str, due: str, reason: str | None = None) -> Kept:
    """The authorisation that is asked for anew against a denial: with a request related to the former, the word that was put in, and a task
    with the deadline (P-25).

    Raises NotNow `not_denied`, `asked_anew` where a later request of the service waits or is approved, and as `ask_authorisation` does.
    """
    denied = read(desk.repository, "authorisation", id)
    service = denied.fields.get("service", "")
    case = _case_of(desk, [service])

    def decide() -> list[Effect]:
        now, facts = read(desk.repository, "authorisation", id), _facts(desk, case)
        if now.fields["status"] != "denied":
            raise NotNow("Only an authorisation that is denied is appealed.", code="not_denied", expression=["status"])
        _not_asked_anew(now, of_service(service, facts))
        asked = requests.preauthorisation(service, facts, desk.now(), desk.actor.reference, coverage=now.fields.get("coverage"))
        former = {"appeals": now.fields["preauthorisation"]} if "preauthorisation" in now.fields else {}
        made = _request(desk, service, asked | former)
        new = made[-1][1]
        return [
            *made,
            ("authorisation", now.reference, {**now.fields, "status": "appealed", "appeal": action}),
            ("advocacy", f"Communication/{uuid5(IDS, new)}", _word(desk, asked, [now.reference, new], issue, action)),
            ("task", f"Task/{uuid5(IDS, new)}", _deadline(desk, case, new, due)),
            *(
                ("task", key, {**task, "status": "completed"})
                for key, task in facts.of("task").items()
                if task.get("focus") == now.reference and task["status"] in OPEN
            ),
        ]

    put_together(desk, case.reference, decide, activity="appeal", reason=reason)
    return _latest(desk, case, service)


def _not_asked_anew(denied: Kept, several: dict[str, Fields]) -> None:
    """Of the authorisations of a service, the latest last."""
    since = takewhile(lambda reference: reference != denied.reference, reversed(several))
    if open_ := [each for each in since if several[each]["status"] in ("requested", "approved")]:
        text = "The service was asked for anew since: that request counts."
        raise NotNow(text, code="asked_anew", expression=["service"], allowed=open_)


def _word(desk: Desk, asked: Fields, about: Sequence[str], issue: str, action: str) -> Fields:
    """What is said to the insurer for the client."""
    return {
        **{name: asked[name] for name in ("client", "case") if name in asked},
        "status": "in_progress",
        "kind": "advocacy",
        "issue": issue,
        "sender": desk.actor.reference,
        "addressed_to": [asked["insurer"]],
        "about": list(about),
        "action": action,
        "at": desk.now(),
    }


def _deadline(desk: Desk, case: Kept, appeal: str, due: str) -> Fields:
    return {
        "client": case.fields["client"],
        "case": case.reference,
        "status": "requested",
        "intent": "order",
        "code": KINDS["appeal"],
        "focus": appeal,
        "authored_at": desk.now(),
        "requester": desk.actor.reference,
        "owner": case.fields.get("case_manager", desk.actor.reference),
        "due": due,
    }


def withdraw(desk: Desk, id: str, *, reason: str | None = None) -> Kept:
    """The authorisation, no longer asked for, with its request cancelled; of an appeal, the denial stands again.

    An answer that comes all the same is kept and told, and changes nothing. Raises NotNow `not_waiting`, `request_withdrawn`, `no_case`.
    """
    kept = read(desk.repository, "authorisation", id)
    case = _case_of(desk, [kept.fields.get("service", "")])

    def decide() -> list[Effect]:
        now, facts = read(desk.repository, "authorisation", id), _facts(desk, case)
        _waits(now)
        records = {concept: dict(known) for concept, known in facts.records.items()}
        records["authorisation"][now.reference] = {**now.fields, "status": "cancelled"}
        request = records.get("preauthorisation", {}).get(now.fields.get("preauthorisation", ""))
        if request:
            records["preauthorisation"][now.fields["preauthorisation"]] = {**request, "status": "cancelled"}
        follow = {key: (concept, key, fields) for concept, key, fields in settled(look(desk.repository, Facts(records), desk.now()))}
        changed = [(concept, key, fields) for concept, known in records.items() for key, fields in known.items()]
        return [*(each for each in changed if each[2] != facts.of(each[0]).get(each[1]) and each[1] not in follow), *follow.values()]

    put_together(desk, case.reference, decide, activity="withdrawn", reason=reason)
    return read(desk.repository, "authorisation", id)


def _case_of(desk: Desk, services: Sequence[str]) -> Kept:
    """The one case that services belong to; an empty one, of an authorisation that names none, to no case. Raises NotNow `no_case`."""
    found = {read(desk.repository, "planned_service", each.partition("/")[2]).fields.get("case") if each else None for each in services}
    case = found.pop() if len(found) == 1 else None
    if case is None:
        raise NotNow("The services belong to no case, or to several.", code="no_case", expression=["case"])
    return read(desk.repository, "case", case.partition("/")[2])


def _facts(desk: Desk, case: Kept) -> Facts:
    return facts_about(desk, case.reference, case.fields)


def _asked(facts: Facts, services: Sequence[str], coverage: str | None) -> str:
    """The question about these services, and this coverage where one is given, that waits for its answer; empty where there is none."""
    known = ((key, each) for key, each in waiting(facts).items() if coverage in (None, each["coverage"]))
    return next((key for key, each in known if set(services) <= named_in(each)), "")


def _latest(desk: Desk, case: Kept, service: str) -> Kept:
    found = next(reversed(of_service(service, _facts(desk, case))))
    return read(desk.repository, "authorisation", found.partition("/")[2])
