"""`case load` and `case show`."""

import copy
import json
from pathlib import Path

import pytest

STORY = Path(__file__).parents[2] / "fixtures" / "cases" / "river.json"


@pytest.fixture
def story() -> dict:
    return json.loads(STORY.read_text())


def written(path: Path, story: object) -> Path:
    path.write_text(story if isinstance(story, str) else json.dumps(story))
    return path


def test_a_story_is_loaded_and_its_case_can_be_seen(casebridge):
    (loaded,) = casebridge("case", "load", STORY, "--json").json
    assert loaded["story"] == "F-RIVER"
    (listed,) = casebridge("case", "show", "--json").json
    assert loaded["case"] == f"EpisodeOfCare/{listed['id']}"
    shown = casebridge("case", "show", listed["case_number"], "--json").json
    assert shown["id"] == listed["id"]
    assert {"client", "case_manager", "plan", "goal", "assessment"} <= {each["concept"] for each in shown["records"]}
    for name in (listed["case_number"], listed["id"], loaded["case"]):
        assert listed["case_number"] in casebridge("case", "show", name).out
    assert casebridge("verify").code == 0


def test_a_story_loaded_again_changes_nothing(casebridge):
    casebridge("case", "load", STORY)
    before = casebridge("export").out
    assert "0 moments loaded" in casebridge("case", "load", STORY).out
    assert casebridge("export").out == before


def test_no_case_and_an_unknown_case_are_told(casebridge):
    assert "There is none" in casebridge("case", "show").err
    assert casebridge("case", "show", "CM-0").code == 2


def without_title(story):
    del story["title"]


def unknown_concept(story):
    story["timeline"][0]["save"][0]["concept"] = "Kanarifugl"


def unknown_code(story):
    story["timeline"][0]["save"][0]["fields"]["kind"] = "Kanarifugl"


def missing_field(story):
    del story["timeline"][0]["save"][0]["fields"]["kind"]


def duplicate_identifier(story):
    saves = story["timeline"][0]["save"]
    saves[1]["fields"]["identifiers"] = copy.deepcopy(saves[0]["fields"]["identifiers"])


FAULTS = {
    without_title: "$.title: is missing",
    unknown_concept: "$.timeline[0].save[0].concept: is not a known concept",
    unknown_code: "$.timeline[0].save[0].fields.kind: is not one of",
    missing_field: "$.timeline[0].save[0].fields.kind: is missing",
    duplicate_identifier: "$.timeline[0].save[1].fields.identifiers[0]: is the identifier of another record",
}


@pytest.mark.parametrize("spoil", FAULTS)
def test_a_bad_story_is_named_by_file_and_path_and_no_story_is_loaded(casebridge, tmp_path, story, spoil):
    spoil(story)
    path = written(tmp_path / "bad.json", story)
    ran = casebridge("case", "load", STORY, path)
    assert ran.code == 2
    assert f"casebridge: {path}: " in ran.err
    assert FAULTS[spoil] in ran.err
    assert casebridge("export").out == ""


@pytest.mark.parametrize("text", ['{"story": "Kanarifugl', "[]", "{}", '{"story": 1, "title": null, "timeline": {}}'])
def test_what_is_no_story_is_bad_input(casebridge, tmp_path, text):
    ran = casebridge("case", "load", written(tmp_path / "bad.json", text))
    assert ran.code == 2
    assert "bad.json" in ran.err


def test_a_story_that_is_not_there_is_bad_input(casebridge, tmp_path):
    assert casebridge("case", "load", tmp_path / "missing.json").code == 2
    assert casebridge("case", "load", tmp_path).code == 2
