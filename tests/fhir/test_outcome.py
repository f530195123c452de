import pytest

from adapter.errors import Invalid, RuleViolated
from adapter.fhir.outcome import codes, outcome
from adapter.fhir.resource import Raw, check_structure


def test_an_error_becomes_an_outcome_of_valid_structure() -> None:
    made = outcome(Invalid("No type.", expression=["Patient.name"]))
    issue = {"severity": "error", "code": "invalid", "diagnostics": "No type.", "expression": ["Patient.name"]}
    assert made == {"resourceType": "OperationOutcome", "issue": [issue]}
    check_structure(made)


def test_a_broken_rule_is_named_by_its_code() -> None:
    made = outcome(RuleViolated("The plan is closed.", code="plan-closed"))
    assert made["issue"][0]["details"]["coding"][0]["code"] == "plan-closed"
    check_structure(made)


@pytest.mark.parametrize(
    ("issue", "shown"),
    [
        ({"severity": "error", "code": "invalid", "diagnostics": "Kanarifugl"}, ("error", "invalid", "")),
        ({"severity": "error", "code": "value", "expression": ["Patient.name[0].family"]}, ("error", "value", "Patient.name[0].family")),
        (
            {"severity": "error", "code": "value", "expression": ["Goal.subject.where(resolve() is Patient)"]},
            ("error", "value", "Goal.subject.where(resolve() is Patient)"),
        ),
        ({"severity": "error", "code": "value", "expression": ["Patient.name.where(family = 'Kanarifugl')"]}, ("error", "value", "")),
        ({"severity": "Kanarifugl!", "code": ["x"], "expression": ["Kanarifugl"]}, ("?", "?", "")),
        ({}, ("?", "?", "")),
    ],
)
def test_of_a_remote_s_issue_only_codes_and_paths_are_shown(issue: Raw, shown: tuple[str, str, str]) -> None:
    assert codes({"resourceType": "OperationOutcome", "issue": [issue]}) == [shown]
