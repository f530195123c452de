"""What an insurer's ClaimResponse says in our words, by R4's own elements."""

from typing import Any

import pytest

from adapter.mapping.authorisation import AUTHORISATION, answer

RESPONSE = {
    "resourceType": "ClaimResponse",
    "status": "active",
    "use": "preauthorization",
    "type": {"text": "x"},
    "patient": {"reference": "Patient/1"},
    "created": "2025-04-25",
    "insurer": {"reference": "Organization/1"},
    "request": {"reference": "Claim/1"},
    "outcome": "complete",
}


def benefit(value: int, **more: Any) -> dict[str, Any]:
    return {"category": {"coding": [{"code": "benefit"}]}, "amount": {"value": value, "currency": "USD"}, **more}


@pytest.mark.parametrize(
    ("elements", "status", "reason"),
    [
        ({"outcome": "queued"}, "requested", None),
        ({"outcome": "partial", "preAuthRef": "A-1"}, "requested", None),
        ({"outcome": "error", "error": [{"code": {"text": "x"}}]}, "unknown", None),
        ({}, "unknown", None),
        ({"preAuthRef": "A-1"}, "approved", None),
        ({"preAuthRef": "A-1", "item": [{"itemSequence": 1, "adjudication": [benefit(120)]}]}, "approved", None),
        ({"adjudication": [benefit(0, reason={"text": "not covered"})]}, "denied", "not covered"),
        ({"adjudication": [benefit(0, reason={"coding": [{"code": "ar001"}]})]}, "denied", "ar001"),
        ({"item": [{"itemSequence": 1, "adjudication": [benefit(0)]}], "disposition": "not covered"}, "denied", "not covered"),
        ({"adjudication": [benefit(0)]}, "denied", None),
        ({"preAuthRef": "A-1", "adjudication": [benefit(0)]}, "unknown", None),
        ({"status": "cancelled", "preAuthRef": "A-1"}, "cancelled", None),
    ],
)
def test_a_response_says_what_was_decided_or_leaves_it_to_a_person(elements: dict[str, Any], status: str, reason: str | None):
    """C-22"""
    found = answer(RESPONSE | elements)
    assert (found["status"], found.get("denial_reason")) == (status, reason)


def test_our_own_word_for_what_was_decided_counts_before_all_else():
    """C-22"""
    fields = {"client": "Patient/1", "insurer": "Organization/1", "request": "preauthorisation", "status": "denied", "number": "A-1"}
    raw = AUTHORISATION.overlay(None, fields)
    assert answer(raw)["status"] == "denied"
