"""What is read from tests about the domain's catalogue."""

import json

import pytest

from adapter.cli.domain_coverage import Proof, document, proofs

TEST = '''
@pytest.fixture
def plan(api):
    return api.create("plans", {"status": "draft"})

def test_a_plan_is_shown(api, plan):
    """C-06, V-12: with its options."""
    api.get(f"plans/{plan['id']}/options?x=1")
    assert plan.get("status") == "draft"

def test_nothing_in_particular(api):
    """Not C-06."""

class TestMany:
    def test_a_patient_is_found(self, fhir):
        """C-26"""
        fhir.send("GET", "Patient/alma")
        fhir.send("POST", "$process")
'''


@pytest.fixture
def tests(tmp_path):
    """A folder of tests, with a catalogue of three rows of which one has no test and no reason."""
    folder = tmp_path / "tests"
    for place in ("domain", "server", "cases"):
        (folder / place).mkdir(parents=True)
        (folder / place / "test_plans.py").write_text(TEST if place == "server" else 'def test_inside():\n    """C-09"""\n')
    (folder / "domain" / "test_plans.py").unlink()
    (folder / "domain" / "catalogue.json").write_text(
        json.dumps({"C-06": "Options", "C-09": "Hand-over", "C-21": "Preferences", "C-26": "One"})
    )
    (folder / "domain" / "not_yet.json").write_text(json.dumps({"C-21": "It is not shown."}))
    return folder


def test_a_test_bears_the_ids_that_its_docstring_begins_with_and_names_its_requests_and_its_fixtures(tests):
    assert proofs(tests) == [
        Proof("tests/server/test_plans.py", "test_a_plan_is_shown", ("C-06", "V-12"), ("GET /api/plans/…/options", "POST /api/plans")),
        Proof("tests/server/test_plans.py", "test_a_patient_is_found", ("C-26",), ("GET /fhir/Patient/alma", "POST /fhir/$process")),
    ]


def test_what_only_looks_inside_proves_nothing_and_what_has_no_reason_is_missing(tests):
    page = document(tests)
    assert "2 of the 4 rows" in page
    assert "| C-06 | Options | `tests/server/test_plans.py` a plan is shown | `GET /api/plans/…/options`<br>`POST /api/plans` |" in page
    assert "| C-09 | Hand-over | missing |" in page
    assert "| C-21 | Preferences | It is not shown. |" in page
