"""`plan --explain`, `plan --save` and `apply`, as a person uses them."""

import json

import pytest

from tests.cli.conftest import ndjson, patient
from tests.cli.test_sync import THERE, edit, everything


@pytest.fixture
def joined(casebridge, hospital, tmp_path):
    """The hospital with a patient of its own, and one of ours that it has not got."""
    casebridge("remote", "add", "hospital", hospital.base_url, "--type", "Patient", "--sandbox")
    hospital.create(THERE)
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a", gender="female")))
    return hospital


def test_each_entry_is_explained_with_request_lineage_and_answer(casebridge, joined):
    shown = casebridge("plan", "hospital", "--explain").out
    assert "POST Patient   (request 1, by itself)" in shown
    assert "If-None-Exist: identifier=" in shown
    assert "answer: 201 (nothing there has our identifier)" in shown
    assert "in adapter/mapping/client.py" in shown
    found = casebridge("plan", "hospital", "--push", "--explain", "--json").json["entries"]
    assert [(entry["request"]["method"], entry["answer"]) for entry in found] == [("POST", "201")]
    assert "body" not in found[0]["request"]
    assert everything(joined)[1:] == []


def test_a_body_is_shown_only_where_it_is_asked_for_and_one_resource_can_be_picked(casebridge, joined):
    asked = ("plan", "hospital", "--explain", "--resource", "Patient/a")
    assert '"resourceType": "Patient"' not in casebridge(*asked).out
    assert '"resourceType": "Patient"' in casebridge(*asked, "--body").out
    (found,) = casebridge(*asked, "--body", "--json").json["entries"]
    assert found["request"]["body"]["gender"] == "female"
    assert "Nothing to explain" in casebridge("plan", "hospital", "--explain", "--resource", "Patient/b").out


@pytest.mark.parametrize("options", [("--explain", "--save", "x"), ("--body",), ("--resource", "Patient/a")])
def test_options_that_do_not_go_together_are_bad_input(casebridge, options):
    assert casebridge("plan", "hospital", *options).code == 2


def test_a_saved_plan_is_applied_and_nothing_else(casebridge, joined, tmp_path):
    file = tmp_path / "monday.plan"
    saved = casebridge("plan", "hospital", "--save", file)
    assert saved.code == 0
    assert "casebridge apply" in saved.err
    casebridge("import", ndjson(tmp_path / "b.ndjson", patient("b")))
    ran = casebridge("apply", file)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "2 of 2 entries carried out, 0 left alone."
    assert len(everything(joined)) == 2
    assert casebridge("plan", "hospital", "--push", "--json").json["summary"]["push"] == {"Patient": {"create": 1}}
    assert casebridge("certificates", "list", "--json").json[0]["holds"] is True


def test_what_moved_is_listed_and_the_exit_code_says_so(casebridge, joined, tmp_path):
    file = tmp_path / "monday.plan"
    casebridge("plan", "hospital", "--save", file)
    (there,) = everything(joined)
    edit(joined, there["id"], gender="other")
    ran = casebridge("apply", file, "--json")
    assert ran.code == 1
    assert [(each["direction"], each["there"]) for each in ran.json["moved"]] == [("pull", f"Patient/{there['id']}")]
    assert ran.json["planned"] == 2
    again = casebridge("apply", file)
    assert again.code == 1
    assert "not done, for it is not as it was when it was planned" in again.out


def test_a_file_that_is_no_plan_or_was_changed_is_bad_input(casebridge, joined, tmp_path):
    file = tmp_path / "monday.plan"
    casebridge("plan", "hospital", "--save", file)
    body = json.loads(file.read_text())
    file.write_text(json.dumps({**body, "entries": body["entries"][:1]}))
    assert casebridge("apply", file).code == 2
    file.write_text("no plan")
    assert casebridge("apply", file).code == 2
    assert len(everything(joined)) == 1
