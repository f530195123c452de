"""`casebridge care check`, and that nothing starts on care knowledge that cannot be used."""

import json
import subprocess
import sys

import pytest

from tests.care.test_check import MODEL, TEMPLATE


@pytest.fixture
def site(tmp_path, environment):
    """The folder of the site's own care knowledge, with a place for models."""
    folder = tmp_path / "site"
    for kind in ("models", "templates"):
        (folder / kind).mkdir(parents=True)
    environment["CASEBRIDGE_CARE"] = str(folder)
    return folder


def test_what_comes_with_casebridge_can_be_used(casebridge):
    ran = casebridge("care", "check")
    assert ran.code == 0
    assert "All can be used." in ran.out


def test_a_good_file_counts_and_a_bad_one_is_named_with_its_line(casebridge, site):
    (site / "models" / "peer_support.json").write_text(json.dumps(MODEL))
    (site / "models" / "broken.json").write_text('{\n  "id": "broken",\n  nothing\n}')
    ran = casebridge("care", "check")
    assert (ran.code, "1 cannot be used." in ran.out) == (1, True)
    assert "broken.json: " in ran.err
    assert "line 3" in ran.err
    found = {each["name"]: each["problem"] for each in casebridge("care", "check", "--json").json}
    assert found["peer_support"] is None
    assert "line 3" in found["broken"]


def test_one_file_is_checked_before_it_is_put_in_its_place(casebridge, tmp_path):
    path = tmp_path / "draft.json"
    path.write_text(json.dumps({**MODEL, "caseload": 0}))
    assert casebridge("care", "check", path).code == 2
    ran = casebridge("care", "check", path, "--as", "models")
    assert (ran.code, "a caseload is 1 to 20" in ran.err) == (1, True)
    path.write_text(json.dumps(MODEL))
    assert casebridge("care", "check", path, "--as", "models").code == 0


def test_a_template_has_to_be_what_fhir_allows(casebridge, site):
    path = site / "templates" / "sleep.json"
    path.write_text(json.dumps({**TEMPLATE, "experimental": "maybe"}))
    for given in ([], [path]):
        ran = casebridge("care", "check", *given)
        assert (ran.code, "sleep.json: " in ran.err, "experimental" in ran.err) == (1, True, True)


def test_a_template_that_cites_nothing_can_be_used_and_is_named(casebridge, site):
    """C-27"""
    bare = {name: value for name, value in TEMPLATE.items() if name != "relatedArtifact"}
    (site / "templates" / "sleep.json").write_text(json.dumps(bare))
    ran = casebridge("care", "check")
    assert (ran.code, ran.err) == (0, "sleep: It cites no evidence.\n")
    found = {each["name"]: each["warning"] for each in casebridge("care", "check", "--json").json}
    assert {name for name, warning in found.items() if warning} == {"sleep"}


def test_a_file_that_is_not_there_is_bad_input(casebridge):
    assert casebridge("care", "check", "none.json").code == 2


@pytest.mark.parametrize("folder", ["models", "access"])
def test_the_server_and_a_worker_do_not_start_on_what_cannot_be_used(environment, site, folder):
    (site / folder).mkdir(exist_ok=True)
    (site / folder / "broken.json").write_text("{")
    settings = {**environment, "CASEBRIDGE_WORKERS": "redis://127.0.0.1:1/0"}
    for command in (["serve", "--port", "0"], ["worker"]):
        ran = subprocess.run([sys.executable, "-m", "adapter.cli", *command], env=settings, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 2, ran.stderr
        assert "broken.json: " in ran.stderr
