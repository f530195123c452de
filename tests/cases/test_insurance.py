"""What must be authorised, what stands, and what an insurer's answer changes: pure functions, each both ways."""

from typing import Any

import pytest

from adapter.cases.facts import Facts, Situation
from adapter.cases.insurance import record_for, requirement, standing, unauthorised
from adapter.cases.insurance_answers import Look, settled, unsettled
from adapter.cases.insurance_requests import preauthorisation
from adapter.errors import NotNow

AT = "2025-05-01T12:00:00Z"
SERVICE, CLAIM = "ServiceRequest/1", "Claim/1"
OWN, THEIRS = record_for(CLAIM, SERVICE), "ClaimResponse/theirs"
THERAPY = {"status": "not_started", "intent": "order", "kind": "therapy", "code": {"code": "91251008"}, "description": "Kanarifugl"}
REQUEST = {
    "client": "Patient/1",
    "case": "EpisodeOfCare/1",
    "status": "active",
    "coverage": "Coverage/1",
    "provider": "Organization/clinic",
    "created_at": "2025-04-20",
    "lines": [{"sequence": 1, "service": SERVICE}],
}
WAITS = {"service": SERVICE, "preauthorisation": CLAIM, "status": "requested", "requested_at": "2025-04-20", "insurer": "Organization/1"}
APPROVED = {"status": "approved", "number": "A-1", "decided_at": "2025-04-25"}
DENIED = {"status": "denied", "denial_reason": "Kanarifugl", "decided_at": "2025-04-25"}


def word(as_of: str, *benefits: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An insurer's answer about what a coverage pays for."""
    insurance = [{"coverage": "Coverage/1", "benefits": list(benefits)}]
    return {"status": "active", "outcome": "complete", "as_of": as_of, "request": "Q", "insurance": insurance} | fields


def needs(required: bool, **about: Any) -> dict[str, Any]:
    return {"authorization_required": required} | about


KIND, CODE = {"category": {"text": "therapy"}}, {"code": {"code": "91251008"}}


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([], "unknown"),
        ([word("2025-01-01", needs(True, **KIND))], "yes"),
        ([word("2025-01-01", needs(True, **KIND)), word("2025-02-01", needs(False, **KIND))], "no"),
        ([word("2025-02-01", needs(False, **KIND)), word("2025-01-01", needs(True, **KIND))], "no"),
        ([word("2025-01-01", needs(True, **KIND), needs(False, **CODE))], "no"),
        ([word("2025-01-01", needs(True, category={"text": "transport"}))], "unknown"),
        ([word("2025-01-01", needs(True, **KIND), outcome="error")], "unknown"),
        ([word("2025-01-01", needs(True, **KIND), status="entered_in_error")], "unknown"),
    ],
)
def test_what_a_service_needs_is_the_insurer_s_latest_and_most_special_word(answers: list[dict[str, Any]], found: str):
    """C-22"""
    facts = Facts({"eligibility_response": {f"R/{number}": answer for number, answer in enumerate(answers)}})
    assert requirement(THERAPY, facts) == found
    assert requirement(THERAPY | {"authorisation_required": "yes"}, facts) == "yes"


@pytest.mark.parametrize(
    ("status", "validity", "at", "holds"),
    [
        ("approved", {}, AT, True),
        ("approved", {"end": "2025-05-01"}, AT, True),
        ("approved", {"end": "2025-04-30"}, AT, False),
        ("approved", {"start": "2025-05-02"}, AT, False),
        ("approved", {"start": "2025-05-02"}, "2025-05-03T09:00:00Z", True),
        ("expired", {}, AT, False),
        ("requested", {}, AT, False),
    ],
)
def test_an_approval_counts_while_it_is_valid(status: str, validity: dict[str, str], at: str, holds: bool):
    """C-22, V-11"""
    service = THERAPY | {"authorisation_required": "yes"}
    now = Situation({}, Facts({"authorisation": {OWN: {"service": SERVICE, "status": status, "validity": validity}}}), AT, "", None)
    assert (unauthorised(SERVICE, service, now, at) is None) is holds
    assert (unauthorised(SERVICE, service | {"status": "completed"}, now, at) is None) is (status != "requested")
    assert unauthorised(SERVICE, THERAPY, now, at) is None


def look(answer: dict[str, Any] | None = None, own: dict[str, Any] | None = None, **request: Any) -> Look:
    """Our record that waits, or none of it, and what the insurer says."""
    known = {} if own is None else {OWN: WAITS | own}
    said = {} if answer is None else {THEIRS: {"preauthorisation": CLAIM, "insurer": "Organization/1"} | answer}
    facts = Facts({"authorisation": known | said, "preauthorisation": {CLAIM: REQUEST | request}, "planned_service": {SERVICE: THERAPY}})
    return Look(facts, known | said, AT, lambda *_: True, lambda _: True)


def became(found: Look) -> dict[str, Any]:
    return {reference: fields for _, reference, fields in settled(found)}


def test_an_answer_settles_the_record_that_waits_or_begins_it():
    """C-22"""
    for own in ({}, None):
        found = became(look(APPROVED, own))
        assert found[OWN].items() >= {**APPROVED, "service": SERVICE, "preauthorisation": CLAIM, "requested_at": "2025-04-20"}.items()
        assert found[SERVICE]["insurance"] == [OWN]
        assert THEIRS not in found


@pytest.mark.parametrize(
    ("answer", "own", "request_status", "told"),
    [
        (APPROVED, APPROVED, "active", False),
        (DENIED, DENIED | {"status": "appealed"}, "active", False),
        (DENIED, DENIED | {"status": "cancelled"}, "active", False),
        (DENIED, APPROVED, "active", True),
        (APPROVED, {"status": "cancelled"}, "cancelled", True),
        (APPROVED, {}, "cancelled", True),
        ({"status": "requested"}, {"status": "cancelled"}, "cancelled", False),
        ({"status": "unknown"}, {}, "active", True),
        ({"status": "unknown"}, APPROVED, "active", False),
    ],
)
def test_an_answer_that_changes_nothing_is_told_where_it_says_something_else(
    answer: dict[str, Any], own: dict[str, Any], request_status: str, told: bool
):
    """C-22"""
    found = look(answer, own, status=request_status)
    assert OWN not in became(found)
    assert set(unsettled(found)) == ({THEIRS} if told else set())


def test_a_later_decision_of_the_insurer_s_takes_the_place_of_the_first():
    """C-22"""
    later = look(DENIED | {"decided_at": "2025-04-28"}, APPROVED)
    assert became(later)[OWN].items() >= {"status": "denied", "decided_at": "2025-04-28"}.items()
    assert "number" not in became(later)[OWN]
    assert unsettled(later) == {}


def test_an_answer_that_names_its_service_is_about_no_other_line_of_the_request():
    """C-22"""
    second = "ServiceRequest/2"
    known = {OWN: WAITS, record_for(CLAIM, second): WAITS | {"service": second}}
    said = {key: fields | {"preauthorisation": CLAIM, "insurer": "Organization/1"} for key, fields in known.items()}
    said[THEIRS] = {"preauthorisation": CLAIM, "insurer": "Organization/1", "service": SERVICE} | APPROVED
    request = REQUEST | {"lines": [{"sequence": place, "service": each} for place, each in enumerate((SERVICE, second), 1)]}
    records = {"authorisation": {**known, THEIRS: said[THEIRS]}, "preauthorisation": {CLAIM: request}}
    found = became(Look(Facts(records), said, AT, lambda *_: True, lambda _: True))
    assert found.keys() == {OWN}
    assert found[OWN]["status"] == "approved"


@pytest.mark.parametrize(("said", "set_to"), [("no", None), ("yes", "no"), ("unknown", "no")])
def test_an_older_word_of_the_insurer_s_that_arrives_late_overrules_no_newer_one(said: str, set_to: str | None):
    """C-22"""
    answers = {
        "CoverageEligibilityResponse/newer": word("2025-05-10", needs(False, **KIND)),
        "CoverageEligibilityResponse/older": word("2025-05-01", needs(True, **KIND)),
    }
    records = {
        "planned_service": {SERVICE: THERAPY | {"authorisation_required": said}},
        "eligibility_request": {"Q": {"status": "active", "items": [{"services": [SERVICE]}]}},
        "eligibility_response": answers,
    }
    found = became(Look(Facts(records), {}, AT, lambda *_: True, lambda _: True))
    assert found.get(SERVICE, {}).get("authorisation_required") == set_to


def test_an_approval_that_has_ended_expires_where_it_is_ours_and_its_service_goes_on():
    """C-22"""
    ended = look(None, APPROVED | {"validity": {"end": "2025-04-30"}})
    assert became(ended)[OWN]["status"] == "expired"
    theirs = Look(ended.facts, ended.said, AT, ended.later, lambda _: False)
    assert became(theirs).get(OWN) is None
    assert OWN not in became(look(None, APPROVED | {"validity": {"end": "2025-05-01"}}))


@pytest.mark.parametrize(
    ("own", "required", "status", "following"),
    [
        (None, "unknown", None, ("ask_authorisation", "ask_eligibility")),
        (None, "no", None, ("ask_eligibility",)),
        ({}, "yes", "requested", ("answer_authorisation", "withdraw", "ask_eligibility")),
        (DENIED, "yes", "denied", ("appeal", "ask_authorisation", "ask_eligibility")),
        (APPROVED, "yes", "approved", ("ask_eligibility",)),
        (APPROVED | {"validity": {"end": "2025-06-01"}}, "yes", "approved", ("ask_authorisation", "ask_eligibility")),
        (APPROVED | {"validity": {"end": "2025-04-01"}}, "yes", "expired", ("ask_authorisation", "ask_eligibility")),
    ],
)
def test_what_stands_says_what_can_be_done_next(own: dict[str, Any] | None, required: str, status: str | None, following: tuple[str, ...]):
    """C-22"""
    facts = look(None, own).facts
    service = THERAPY | {"authorisation_required": required}
    [row] = standing(Facts({**facts.records, "planned_service": {SERVICE: service}}), AT).services
    assert (row.status, row.next) == (status, following)


def test_nothing_is_asked_of_an_insurer_for_a_proposal_or_what_is_over():
    for fields in ({"intent": "proposal"}, {"status": "completed"}):
        facts = Facts({"planned_service": {SERVICE: THERAPY | fields}})
        with pytest.raises(NotNow) as refused:
            preauthorisation(SERVICE, facts, AT, "Practitioner/dana")
        assert refused.value.code == "service_over"
