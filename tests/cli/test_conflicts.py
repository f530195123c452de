"""`casebridge conflicts show` and `resolve`, where there are several, and what they leave."""

import getpass
import json

import pytest

from tests.cli.conftest import ndjson, patient
from tests.cli.test_sync import edit, everything


@pytest.fixture
def several(casebridge, hospital, tmp_path) -> list[str]:
    """Two conflicts, with their names."""
    casebridge("remote", "add", "hospital", hospital.base_url, "--type", "Patient", "--sandbox")
    casebridge("import", ndjson(tmp_path / "a.ndjson", *(patient(id, birthDate="1950-01-01") for id in "ab")))
    assert casebridge("sync", "hospital").code == 0
    for there in everything(hospital):
        edit(hospital, there["id"], birthDate="1950-03-03")
    casebridge("import", ndjson(tmp_path / "b.ndjson", *(patient(id, birthDate="1950-02-02") for id in "ab")))
    assert casebridge("sync", "hospital").code == 1
    return [each["id"] for each in casebridge("conflicts", "list", "--json").json]


def test_several_are_decided_at_once_and_each_leaves_a_provenance(casebridge, hospital, several):
    assert several == ["hospital:Patient/a", "hospital:Patient/b"]
    done = casebridge("conflicts", "resolve", *several, "--all", "ours", "--by", "Supervisor", "--json").json
    assert [(each["resource"], each["owed"]) for each in done] == [("Patient/a", ["hospital"]), ("Patient/b", ["hospital"])]
    kept = [json.loads(line) for line in casebridge("export", "--type", "Provenance").out.splitlines()]
    assert {f"Provenance/{raw['id']}" for raw in kept} == {each["provenance"] for each in done}
    assert casebridge("sync", "hospital").code == 0
    assert {raw["birthDate"] for raw in everything(hospital)} == {"1950-02-02"}
    assert casebridge("verify").code == 0


def test_what_is_shown_says_since_when_and_afterwards_who_decided(casebridge, hospital, several):
    (there, *_) = (raw for raw in everything(hospital) if any(each["value"] == "a" for each in raw["identifier"]))
    shown = casebridge("conflicts", "show", several[0])
    assert there["meta"]["lastUpdated"] in shown.out
    casebridge("conflicts", "resolve", several[0], "--theirs")
    assert f"Decided by {getpass.getuser()}" in casebridge("conflicts", "show", several[0]).out
    decided = casebridge("conflicts", "show", several[0], "--json").json["decided"]
    assert decided["decisions"] == {"*": "theirs"}
    assert decided["provenance"].startswith("Provenance/")


def test_an_element_that_is_not_in_conflict_is_bad_input_and_not_repeated(casebridge, several):
    ran = casebridge("conflicts", "resolve", several[0], "--set", "name[Kanarifugl]=ours")
    assert ran.code == 2
    assert "1 of the elements are not in conflict" in ran.err
