"""Eligibility and authorisations, asked for and answered: by hand, and by an insurer's resources that come in by another door."""

import pytest

from adapter.casework import insurance
from adapter.casework.records import put, read
from adapter.casework.watch import Watch
from adapter.errors import NotNow, RuleViolated
from adapter.fhir.resource import parse
from adapter.store.documents import Change
from tests.casework.shelf import Shelf

SERVICE, COVERAGE, PAYER = "ServiceRequest/therapy", "Coverage/plan", "Organization/payer"
THERAPY = {
    "status": "not_started",
    "intent": "order",
    "kind": "therapy",
    "code": {"system": "http://snomed.info/sct", "code": "91251008"},
    "description": "Kanarifugl's therapy",
    "performers": ["Organization/clinic"],
    "timing": {"start": "2026-04-01", "count": 12},
    "medical_necessity": {"determination": "necessary"},
    "estimated_cost": {"value": 900, "currency": "USD"},
}


@pytest.fixture
def case(desk):
    """A case with an insurer, a coverage, the client's consent and a service."""
    shelf = Shelf(desk.repository)
    reference = shelf.case("alma", tier="low")
    shelf.contact("alma", "2026-03-02T08:00:00Z", type="visit")
    put(desk, "stakeholder", "payer", {"kind": "insurer", "name": "Example Plan"})
    put(desk, "coverage", "plan", {"client": "Patient/alma", "status": "active", "payers": [PAYER], "member_id": "M-1"})
    agreed = {"client": "Patient/alma", "status": "active", "scope": "sharing_payer", "decision": "permit", "performers": ["Patient/alma"]}
    put(desk, "consent", "payer", agreed)
    put(desk, "planned_service", "therapy", {"client": "Patient/alma", "case": reference, **THERAPY})
    return reference


@pytest.fixture
def watch(desk, case):
    found = Watch(desk.repository)
    found.look()
    return found


def service(desk):
    return read(desk.repository, "planned_service", "therapy").fields


def authorisation(desk, reference):
    return read(desk.repository, "authorisation", reference.partition("/")[2]).fields


def row(desk):
    [found] = insurance.insurance(desk, "c-alma").services
    return found


def tasks(desk):
    if "Task" not in desk.repository.types():
        return {}
    return {stored.record["code"]["code"]: stored.record for stored in desk.repository.scan("Task") if not stored.deleted}


def response(request, outcome="complete", **elements):
    """An insurer's answer as it writes it, with nothing of ours in it."""
    return {
        "resourceType": "ClaimResponse",
        "status": "active",
        "use": "preauthorization",
        "type": {"coding": [{"code": "professional"}]},
        "patient": {"reference": "Patient/alma"},
        "created": "2026-03-02",
        "insurer": {"reference": PAYER},
        "request": {"reference": request},
        "outcome": outcome,
        **elements,
    }


def arrives(desk, id, raw):
    """The resource, as a remote's that a pull brought."""
    now = desk.repository.find(raw["resourceType"], id)
    desk.repository.commit([Change(raw["resourceType"], id, raw, now.version if now else 0, born="insurer")])


def denied(desk):
    asked = insurance.ask_authorisation(desk, SERVICE)
    return insurance.answer_authorisation(desk, asked.id, {"status": "denied", "denial_reason": "Kanarifugl is not covered"})


def test_an_answer_about_eligibility_says_what_its_services_need(desk, case, watch):
    """C-22"""
    asked = insurance.ask_eligibility(desk, [SERVICE])
    assert (asked.fields["purposes"], asked.fields["items"][0]["services"]) == (["auth_requirements", "benefits"], [SERVICE])
    assert insurance.ask_eligibility(desk, [SERVICE]) == asked
    assert row(desk).next == ("ask_authorisation", "answer_eligibility")
    limits = [{"type": {"text": "visits"}, "allowed": {"units": 60}}]
    needs = {"category": {"text": "therapy"}, "authorization_required": True, "limits": limits}
    told = {"outcome": "complete", "as_of": "2026-03-02", "in_force": True, "benefits": [needs]}
    answer = insurance.answer_eligibility(desk, asked.id, told)
    assert insurance.answer_eligibility(desk, asked.id, told) == answer
    assert service(desk)["authorisation_required"] == "yes"
    found = insurance.insurance(desk, "c-alma")
    assert found.coverages[0].benefits == ({"benefit": needs, "as_of": "2026-03-02"},)
    assert (found.services[0].required, found.services[0].limits, found.services[0].as_of) == ("yes", tuple(limits), "2026-03-02")
    watch.look()
    assert tasks(desk)["authorisation-needed"]["focus"] == SERVICE
    assert watch.look().tasks == 0


def test_an_answer_that_arrives_says_what_services_need_and_a_later_word_of_a_person_s_stands(desk, case, watch):
    """C-22"""
    asked = insurance.ask_eligibility(desk, [SERVICE])
    text = f"""{{"resourceType": "CoverageEligibilityResponse", "status": "active", "purpose": ["benefits"], "created": "2026-03-02",
        "patient": {{"reference": "Patient/alma"}}, "request": {{"reference": "{asked.reference}"}}, "outcome": "complete",
        "insurer": {{"reference": "{PAYER}"}}, "insurance": [{{"coverage": {{"reference": "{COVERAGE}"}},
        "item": [{{"category": {{"text": "therapy"}}, "authorizationRequired": true}}]}}]}}"""
    arrives(desk, "theirs", parse(text))
    watch.look()
    assert service(desk)["authorisation_required"] == "yes"
    put(desk, "planned_service", "therapy", service(desk) | {"authorisation_required": "no"})
    watch.look()
    assert service(desk)["authorisation_required"] == "no"


def test_a_request_that_is_not_complete_is_refused_naming_what_is_missing(desk, case):
    """C-22"""
    bare = {name: value for name, value in service(desk).items() if name not in ("code", "performers")}
    put(desk, "planned_service", "therapy", bare)
    with pytest.raises(RuleViolated) as refused:
        insurance.ask_authorisation(desk, SERVICE)
    assert (refused.value.code, refused.value.expression) == ("request_incomplete", ("code", "performers"))
    put(desk, "coverage", "plan", read(desk.repository, "coverage", "plan").fields | {"status": "cancelled"})
    with pytest.raises(RuleViolated) as refused:
        insurance.ask_eligibility(desk, [SERVICE])
    assert refused.value.expression == ("coverage",)


def test_nothing_leaves_for_the_insurer_without_the_client_s_consent_but_for_a_reason(desk, case):
    """V-16"""
    agreed = read(desk.repository, "consent", "payer").fields
    put(desk, "consent", "payer", agreed | {"status": "inactive"})
    for ask in (
        lambda **reason: insurance.ask_eligibility(desk, [SERVICE], **reason),
        lambda **r: insurance.ask_authorisation(desk, SERVICE, **r),
    ):
        with pytest.raises(RuleViolated) as refused:
            ask()
        assert refused.value.code == "consent_missing"
        kept = ask(reason="Kanarifugl agreed by phone")
        [proof] = [
            raw
            for raw in (stored.raw for stored in desk.repository.scan("Provenance"))
            if f"{kept.reference}/_history/1" in str(raw["target"])
        ]
        assert proof["reason"] == [{"text": "Kanarifugl agreed by phone"}]


def test_an_authorisation_is_asked_for_once_and_approved_once(desk, case):
    """C-22"""
    asked = insurance.ask_authorisation(desk, SERVICE, priority="stat")
    request = read(desk.repository, "preauthorisation", asked.fields["preauthorisation"].partition("/")[2]).fields
    assert (request["coverage"], request["provider"], request["priority"]["code"]) == (COVERAGE, "Organization/clinic", "stat")
    assert (request["lines"][0]["service"], request["total"]) == (SERVICE, THERAPY["estimated_cost"])
    assert insurance.ask_authorisation(desk, SERVICE) == asked
    assert row(desk).next[:2] == ("answer_authorisation", "withdraw")
    word = {"status": "approved", "number": "A-1", "validity": {"start": "2026-04-01", "end": "2026-06-30"}, "decided_at": "2026-03-02"}
    with pytest.raises(RuleViolated) as refused:
        insurance.answer_authorisation(desk, asked.id, {"status": "approved"})
    assert refused.value.code == "answer_incomplete"
    approved = insurance.answer_authorisation(desk, asked.id, word)
    assert insurance.answer_authorisation(desk, asked.id, word) == approved
    assert service(desk)["insurance"] == [asked.reference]
    with pytest.raises(NotNow) as later:
        insurance.answer_authorisation(desk, asked.id, {"status": "denied", "denial_reason": "Kanarifugl"})
    assert later.value.code == "not_waiting"


@pytest.mark.parametrize(
    ("elements", "status", "more"),
    [
        ({"preAuthRef": "A-7", "preAuthPeriod": {"start": "2026-03-02", "end": "2026-09-01"}}, "approved", {"number": "A-7"}),
        (
            {"item": [{"adjudication": [{"category": {"coding": [{"code": "benefit"}]}, "amount": {"value": 0, "currency": "USD"}}]}]}
            | {"disposition": "Kanarifugl is not covered"},
            "denied",
            {"denial_reason": "Kanarifugl is not covered"},
        ),
        ({"outcome": "queued"}, "requested", {}),
        ({"outcome": "partial", "preAuthRef": "A-7"}, "requested", {}),
    ],
    ids=["approved", "denied", "queued", "partial"],
)
def test_an_insurer_s_response_that_arrives_settles_the_service_s_authorisation_once(desk, case, watch, elements, status, more):
    """C-22"""
    asked = insurance.ask_authorisation(desk, SERVICE)
    theirs = response(asked.fields["preauthorisation"], **elements)
    arrives(desk, "theirs", theirs)
    watch.look()
    settled = read(desk.repository, "authorisation", asked.id)
    assert settled.fields.items() >= {"status": status, "service": SERVICE, **more}.items()
    watch.look()
    Watch(desk.repository).look()
    assert read(desk.repository, "authorisation", asked.id) == settled
    kept = desk.repository.read("ClaimResponse", "theirs")
    assert (kept.version, kept.raw["outcome"]) == (1, theirs["outcome"])
    assert ("authorisation-denied" in tasks(desk)) is (status == "denied")
    assert "answer-unread" not in tasks(desk)


def test_a_response_written_into_ours_by_a_plain_server_settles_it_too(desk, case, watch):
    """C-22"""
    asked = insurance.ask_authorisation(desk, SERVICE)
    now = desk.repository.read("ClaimResponse", asked.id)
    told = now.raw | {"outcome": "complete", "preAuthRef": "A-8", "created": "2026-03-02T09:30:00Z"}
    desk.repository.commit([Change("ClaimResponse", asked.id, told, now.version)])
    watch.look()
    assert authorisation(desk, asked.reference).items() >= {"status": "approved", "number": "A-8"}.items()


def test_a_response_that_says_not_what_was_decided_is_left_to_a_person(desk, case, watch):
    """C-22"""
    asked = insurance.ask_authorisation(desk, SERVICE)
    arrives(desk, "theirs", response(asked.fields["preauthorisation"], "error", error=[{"code": {"text": "Kanarifugl"}}]))
    watch.look()
    assert authorisation(desk, asked.reference)["status"] == "requested"
    assert tasks(desk)["answer-unread"]["focus"] == "ClaimResponse/theirs"


def test_an_answer_to_a_request_that_was_withdrawn_is_kept_and_told_and_changes_nothing(desk, case, watch):
    """C-22"""
    asked = insurance.ask_authorisation(desk, SERVICE)
    withdrawn = insurance.withdraw(desk, asked.id, reason="Kanarifugl pays herself")
    assert withdrawn.fields["status"] == "cancelled"
    assert read(desk.repository, "preauthorisation", asked.fields["preauthorisation"].partition("/")[2]).fields["status"] == "cancelled"
    arrives(desk, "late", response(asked.fields["preauthorisation"], preAuthRef="A-9"))
    watch.look()
    assert authorisation(desk, asked.reference) == withdrawn.fields
    assert tasks(desk)["answer-unread"]["focus"] == "ClaimResponse/late"
    with pytest.raises(NotNow) as refused:
        insurance.answer_authorisation(desk, asked.id, {"status": "approved", "number": "A-9"})
    assert refused.value.code == "request_withdrawn"
    again = insurance.ask_authorisation(desk, SERVICE)
    assert (again.id != asked.id, again.fields["status"]) == (True, "requested")


def test_a_decision_that_an_insurer_takes_back_is_taken_over(desk, case, watch, time):
    """C-22"""
    asked = insurance.ask_authorisation(desk, SERVICE)
    arrives(desk, "theirs", response(asked.fields["preauthorisation"], preAuthRef="A-7"))
    watch.look()
    time.forward(days=1)
    nothing = [{"category": {"coding": [{"code": "benefit"}]}, "amount": {"value": 0, "currency": "USD"}, "reason": {"text": "Kanarifugl"}}]
    arrives(desk, "later", response(asked.fields["preauthorisation"], created="2026-03-03", adjudication=nothing))
    watch.look()
    assert authorisation(desk, asked.reference)["status"] == "denied"
    assert "answer-unread" not in tasks(desk)


@pytest.mark.parametrize(
    ("answer", "denial", "advocacy", "result", "task"),
    [
        ({"status": "approved", "number": "A-2"}, "cancelled", "completed", "overturned", "completed"),
        ({"status": "denied", "denial_reason": "Kanarifugl"}, "denied", "completed", "upheld", "completed"),
        (None, "denied", "stopped", "withdrawn", "cancelled"),
    ],
    ids=["overturned", "upheld", "withdrawn"],
)
def test_an_appeal_settles_the_denial_the_word_that_was_put_in_and_its_deadline(desk, case, answer, denial, advocacy, result, task):
    """P-25"""
    first = denied(desk)
    assert row(desk).next[0] == "appeal"
    new = insurance.appeal(desk, first.id, issue="Kanarifugl needs it", action="Kanarifugl's letter", due="2026-03-20")
    request = read(desk.repository, "preauthorisation", new.fields["preauthorisation"].partition("/")[2]).fields
    assert request["appeals"] == first.fields["preauthorisation"]
    assert authorisation(desk, first.reference)["status"] == "appealed"
    [word] = list(desk.repository.scan("Communication"))
    assert (word.record["about"], word.record["addressed_to"]) == ([first.reference, new.reference], [PAYER])
    assert (tasks(desk)["appeal"]["due"], tasks(desk)["appeal"]["focus"]) == ("2026-03-20", new.reference)
    if answer:
        insurance.answer_authorisation(desk, new.id, answer)
    else:
        insurance.withdraw(desk, new.id)
    assert authorisation(desk, first.reference)["status"] == denial
    settled = read(desk.repository, "advocacy", word.id).fields
    assert (settled["status"], result in settled["result"]) == (advocacy, True)
    assert tasks(desk)["appeal"]["status"] == task
    with pytest.raises(NotNow) as refused:
        insurance.answer_authorisation(desk, first.id, {"status": "approved", "number": "A-9"})
    assert refused.value.code == ("request_withdrawn" if denial == "cancelled" else "not_waiting")


def test_each_coverage_is_asked_by_itself_and_an_authorisation_waits_at_one(desk, case):
    """C-22"""
    put(desk, "coverage", "second", read(desk.repository, "coverage", "plan").fields | {"member_id": "M-2", "order": 2})
    first = insurance.ask_eligibility(desk, [SERVICE])
    second = insurance.ask_eligibility(desk, [SERVICE], coverage="Coverage/second")
    assert (first.fields["coverage"], second.fields["coverage"]) == (COVERAGE, "Coverage/second")
    assert insurance.ask_eligibility(desk, [SERVICE], coverage=COVERAGE) == first
    assert insurance.ask_eligibility(desk, [SERVICE], coverage="Coverage/second") == second
    waits = insurance.ask_authorisation(desk, SERVICE, coverage="Coverage/second")
    with pytest.raises(NotNow) as refused:
        insurance.ask_authorisation(desk, SERVICE, coverage=COVERAGE)
    assert (refused.value.code, refused.value.allowed) == ("asked_elsewhere", ("Coverage/second",))
    assert insurance.ask_authorisation(desk, SERVICE) == insurance.ask_authorisation(desk, SERVICE, coverage="Coverage/second") == waits


@pytest.mark.parametrize("answer", [None, {"status": "approved", "number": "A-2"}], ids=["waits", "approved"])
def test_a_denial_is_not_appealed_while_a_later_request_counts(desk, case, answer):
    """P-25"""
    first = denied(desk)
    again = insurance.ask_authorisation(desk, SERVICE)
    if answer:
        insurance.answer_authorisation(desk, again.id, answer)
    with pytest.raises(NotNow) as refused:
        insurance.appeal(desk, first.id, issue="Kanarifugl needs it", action="Kanarifugl's letter", due="2026-03-20")
    assert (refused.value.code, refused.value.allowed) == ("asked_anew", (again.reference,))
    assert authorisation(desk, first.reference) == first.fields


def test_a_denial_of_what_was_to_be_renewed_is_appealed_although_it_was_approved_before(desk, case):
    """P-25"""
    asked = insurance.ask_authorisation(desk, SERVICE)
    approved = {"status": "approved", "number": "A-1", "validity": {"start": "2026-03-01", "end": "2026-03-10"}}
    insurance.answer_authorisation(desk, asked.id, approved)
    renewal = denied(desk)
    new = insurance.appeal(desk, renewal.id, issue="Kanarifugl needs it", action="Kanarifugl's letter", due="2026-03-20")
    assert (new.fields["status"], authorisation(desk, renewal.reference)["status"]) == ("requested", "appealed")


def test_an_authorisation_that_names_no_service_is_of_no_case(desk, case):
    """P-25"""
    kept = insurance.ask_authorisation(desk, SERVICE)
    put(desk, "authorisation", kept.id, {name: value for name, value in kept.fields.items() if name not in ("service", "preauthorisation")})
    for step in (
        lambda: insurance.withdraw(desk, kept.id),
        lambda: insurance.appeal(desk, kept.id, issue="Kanarifugl", action="Kanarifugl", due="2026-03-20"),
    ):
        with pytest.raises(NotNow) as refused:
            step()
        assert refused.value.code == "no_case"


def test_an_answer_to_an_appeal_that_arrives_overturns_the_denial(desk, case, watch):
    """P-25"""
    first = denied(desk)
    watch.look()
    assert tasks(desk)["authorisation-denied"]["status"] == "requested"
    new = insurance.appeal(desk, first.id, issue="Kanarifugl needs it", action="Kanarifugl's letter", due="2026-03-20")
    assert tasks(desk)["authorisation-denied"]["status"] == "completed"
    arrives(desk, "theirs", response(new.fields["preauthorisation"], preAuthRef="A-3"))
    watch.look()
    assert (authorisation(desk, new.reference)["status"], authorisation(desk, first.reference)["status"]) == ("approved", "cancelled")
    assert row(desk).status == "approved"


def test_an_approval_ends_with_its_last_day_and_can_be_asked_for_again_before(desk, case, watch, time):
    """C-22"""
    asked = insurance.ask_authorisation(desk, SERVICE)
    word = {"status": "approved", "number": "A-1", "validity": {"start": "2026-03-01", "end": "2026-03-10"}}
    insurance.answer_authorisation(desk, asked.id, word)
    put(desk, "planned_service", "therapy", service(desk) | {"authorisation_required": "yes"})
    booked = {"client": "Patient/alma", "case": case, "status": "booked", "client_attendance": "accepted", "services": [SERVICE]}
    assert put(desk, "appointment", None, booked | {"start": "2026-03-10T09:00:00Z"}).fields["status"] == "booked"
    with pytest.raises(NotNow) as refused:
        put(desk, "appointment", None, booked | {"start": "2026-03-11T09:00:00Z"})
    assert (refused.value.code, "does not hold" in refused.value.text) == ("authorisation_missing", True)
    assert "ask_authorisation" in row(desk).next
    time.forward(days=8)
    watch.look()
    assert authorisation(desk, asked.reference)["status"] == "approved"
    time.forward(days=1)
    watch.look()
    assert authorisation(desk, asked.reference)["status"] == "expired"
    assert row(desk).status == "expired"
