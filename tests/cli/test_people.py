"""`casebridge people`: questions shown and answered, links made and taken back."""

import pytest

from tests.cli.conftest import ndjson, patient

SYSTEM = "urn:example:ssn"


def there(hospital, value: str, **elements) -> str:
    name = [{"use": "official", "family": "Kanarifugl"}]
    raw = {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], "name": name, "birthDate": "1950-01-01"}
    return hospital.create({**raw, **elements}).id


@pytest.fixture
def doubtful(casebridge, hospital):
    """Two of a trusted hospital that share an identifier and differ in a birth date."""
    assert casebridge("remote", "add", "hospital", hospital.base_url, "--type", "Patient", "--set", f"trust={SYSTEM}").code == 0
    there(hospital, "1")
    there(hospital, "1", birthDate="1950-01-02")
    casebridge("sync", "hospital")
    (question,) = casebridge("people", "questions", "--json").json
    return question


def test_a_question_shows_what_matches_and_what_differs(casebridge, doubtful):
    assert casebridge("people", "questions").out.splitlines()[1].startswith(doubtful["id"])
    shown = casebridge("people", "show", doubtful["id"], "--json").json
    assert {point["about"]: point["same"] for point in shown["points"]} == {
        SYSTEM: True,
        "birthDate": False,
        "gender": None,
        "name.family": True,
    }
    out = casebridge("people", "show", doubtful["id"]).out
    assert "1950-01-02" in out
    assert f"casebridge people same {doubtful['id']}" in out


def test_different_is_an_answer_and_is_kept_with_who_said_it(casebridge, doubtful):
    assert casebridge("people", "different", doubtful["id"], "--by", "supervisor").code == 0
    assert casebridge("people", "questions", "--json").json == []
    (answered,) = casebridge("people", "questions", "--all", "--json").json
    assert (answered["status"], answered["answer"]["by"]) == ("different", "supervisor")
    assert casebridge("people", "different", doubtful["id"]).code == 2
    assert "supervisor" in casebridge("people", "show", doubtful["id"]).out


def test_two_that_one_hospital_keeps_apart_are_not_linked(casebridge, doubtful):
    ran = casebridge("people", "same", doubtful["id"])
    assert ran.code == 2
    assert "keeps them as two" in ran.err


def test_a_link_is_made_listed_and_taken_back(casebridge, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", patient("a"), patient("b")))
    assert casebridge("people", "link", "Patient/a", "Patient/b", "--by", "supervisor").code == 0
    (link,) = casebridge("people", "links", "--json").json
    assert (link["survivor"], link["loser"], link["status"], link["by"]) == ("Patient/a", "Patient/b", "linked", "supervisor")
    assert link["id"] in casebridge("people", "links").out
    assert casebridge("people", "link", "Patient/a", "Patient/b").code == 2
    assert casebridge("people", "split", link["id"]).code == 0
    (link,) = casebridge("people", "links", "--json").json
    assert link["status"] == "split"
    assert casebridge("people", "split", link["id"]).code == 2
    assert casebridge("verify").code == 0


def test_a_look_asks_about_those_who_were_here_before_anybody_was_trusted(casebridge, hospital, tmp_path):
    casebridge("import", ndjson(tmp_path / "a.ndjson", *(patient(id) | {"identifier": [{"system": SYSTEM, "value": "1"}]} for id in "ab")))
    casebridge("import", ndjson(tmp_path / "b.ndjson", patient("c") | {"birthDate": "1950-01-02"}))
    assert casebridge("people", "look").code == 0
    assert {question["why"] for question in casebridge("people", "questions", "--json").json} == {
        "an identifier is the same, but not one to be trusted alone"
    }
    (question,) = casebridge("people", "questions", "--json").json
    assert {question["here"], question["other"]} == {"Patient/a", "Patient/b"}
    assert casebridge("people", "different", question["id"]).code == 0
    assert "There is no question" in casebridge("people", "look").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "nothing"),
        ("same", "nothing"),
        ("different", "nothing"),
        ("split", "nothing"),
        ("link", "Patient/x", "Patient/y"),
        ("link", "Goal/x", "Goal/y"),
        ("link", "Patient/x", "Patient/x"),
    ],
)
def test_what_does_not_exist_or_cannot_be_linked_is_bad_input(casebridge, arguments):
    assert casebridge("people", *arguments).code == 2
    assert casebridge("people", "links").out == ""
