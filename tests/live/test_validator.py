"""The validator itself: it must refuse what is wrong, or its silence about our resources would mean nothing."""

from .validator import validate

GOOD = {
    "resourceType": "CarePlan",
    "meta": {"tag": [{"system": "https://casebridge.example/fhir/CodeSystem/tag", "code": "synthetic"}]},
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Kanarifugl</div>'},
    "status": "active",
    "intent": "plan",
    "title": "Housing first for Kanarifugl",
    "subject": {"reference": "Patient/p1"},
    "period": {"start": "2025-04-22"},
    "activity": [{"detail": {"kind": "ServiceRequest", "status": "scheduled", "description": "Apply for a flat (Kanarifugl)"}}],
}
BAD = {
    **{name: value for name, value in GOOD.items() if name != "intent"},
    "status": "ongoing",
    "period": {"start": "22.04.2025"},
    "activity": [{"detail": {"description": "No status (Kanarifugl)"}}],
}


def test_the_validator_refuses_a_bad_care_plan_and_accepts_a_good_one() -> None:
    issues = validate([GOOD, BAD])
    errors = [(issue.resource, issue.location, issue.message) for issue in issues if issue.is_error]
    assert {resource for resource, _, _ in errors} == {1}
    for fault in ("CarePlan.status", "CarePlan.intent", "CarePlan.period.start", "CarePlan.activity.detail.status"):
        assert any(fault in f"{place} {message}" for _, place, message in errors), f"{fault} is missing in {errors}"


def test_a_profile_is_held_where_it_is_named() -> None:
    profile = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-careplan"
    issues = validate([GOOD], profiles=[profile], igs=["hl7.fhir.us.core#6.1.0"])
    assert any(issue.is_error and "category" in issue.message for issue in issues), issues
