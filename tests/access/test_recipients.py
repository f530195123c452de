"""Whom a Consent ties to its patient: those whom a permission names as who may be told, while it lasts."""

from datetime import UTC, datetime

import pytest

from adapter.access.consent import compiled
from adapter.access.ties import recipients

PRIVACY = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
ALWAYS = {day: {"recipient=Organization/new"} for day in (1, 10, 20, 30)}


def actor(name, role="IRCP"):
    return {"role": {"coding": [{"code": role}]}, "reference": {"reference": f"Organization/{name}"}}


def held(provision, **more):
    """The keys of the ties on some days of a month."""
    consent = compiled({"resourceType": "Consent", "status": "active", "scope": PRIVACY, "provision": provision, **more})
    made = recipients(consent) if consent else []
    return {day: {tie.key for tie in made if tie.holds(datetime(2025, 4, day, 12, tzinfo=UTC))} for day in ALWAYS}


NEW = {"type": "permit", "actor": [actor("new")]}
SOME_DAYS = {"start": "2025-04-05", "end": "2025-04-15"}
NOBODY = dict.fromkeys(ALWAYS, set())


@pytest.mark.parametrize(
    ("provision", "expected"),
    [
        (NEW, ALWAYS),
        ({"provision": [NEW]}, ALWAYS),
        (NEW | {"actor": [actor("new", "GRANTEE"), actor("city", "CST"), actor("else", "AUT"), {"role": {}}]}, ALWAYS),
        (NEW | {"period": SOME_DAYS}, NOBODY | {10: ALWAYS[10]}),
        ({"period": SOME_DAYS, "provision": [NEW | {"period": {"end": "2025-04-25"}}]}, NOBODY | {10: ALWAYS[10]}),
        ({"period": SOME_DAYS, "provision": [NEW | {"period": {"start": "2025-04-18"}}]}, NOBODY),
        (NEW | {"period": {"start": "soon"}}, NOBODY),
        (NEW | {"period": {"start": "2025-04-05", "end": "soon"}}, NOBODY),
        (NEW | {"period": {"start": "2025-04-05", "end": "2025-04-15T23:59:60Z"}}, NOBODY | {10: ALWAYS[10]}),
        ({"period": {"start": "2025-04-05", "end": "soon"}, "provision": [NEW]}, NOBODY),
        (NEW | {"type": "deny"}, NOBODY),
        ({"type": "permit"}, NOBODY),
    ],
)
def test_a_permission_ties_whom_it_names_as_long_as_it_lasts(provision, expected):
    assert held(provision) == expected


def test_a_consent_that_is_not_in_force_or_about_something_else_ties_nobody():
    assert held(NEW, status="inactive") == held(NEW, scope={"text": "treatment"}) == NOBODY
