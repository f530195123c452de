from collections.abc import Iterator
from typing import Any

import pytest

from adapter.cases.story import parse, replay
from adapter.errors import Invalid, RuleViolated

AT = "2025-04-14T08:30:00-04:00"
DANA = {
    "concept": "case_manager",
    "as": "dana",
    "fields": {"names": [{"family": "Kanarifugl"}], "discipline": "nurse", "organization": "@centre"},
}
CENTRE = {"concept": "stakeholder", "as": "centre", "fields": {"kind": "hospital", "name": "Example"}}
RIVER = {
    "concept": "client",
    "as": "river",
    "fields": {"identifiers": [{"system": "urn:x", "value": "1"}], "names": [{"family": "Kanarifugl"}]},
}
CASE = {
    "concept": "case",
    "as": "case",
    "fields": {"client": "@river", "case_number": "1", "case_type": "general", "case_manager": "@dana#PractitionerRole"},
}


def told(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    first = {"at": AT, "by": "@dana", "save": [CENTRE, DANA, RIVER, CASE]}
    return {"story": "F-TEST", "title": "A test", "timeline": [first, *entries], **more}


def saved(concept: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"at": AT, "by": "@dana", "save": [{"concept": concept, "as": name, "fields": fields}]}


def test_a_mention_becomes_the_reference_of_its_record_and_a_face_may_be_chosen():
    story = parse(told())
    centre, dana, river, case = story.entries[0].saves
    assert dana.fields["organization"] == centre.reference == f"Organization/{centre.id}"
    assert story.entries[0].by == dana.reference == f"Practitioner/{dana.id}"
    assert case.fields["client"] == river.reference
    assert case.fields["case_manager"] == f"PractitionerRole/{dana.id}"


def test_a_story_read_twice_is_the_same_and_another_storys_records_are_others():
    assert parse(told()) == parse(told())
    other = parse({**told(), "story": "F-OTHER"})
    assert not {one.id for one in other.entries[0].saves} & {one.id for one in parse(told()).entries[0].saves}


def test_saving_a_name_again_is_a_new_version_of_the_record():
    story = parse(told(saved("client", "river", **RIVER["fields"], birth_date="1994")))
    assert story.entries[1].saves[0].id == story.entries[0].saves[2].id
    assert story.entries[1].saves[0].fields["birth_date"] == "1994"


def test_a_case_saved_again_keeps_what_the_process_wrote():
    story = parse(told(saved("case", "case", **CASE["fields"], close_reason="other")))
    *_, (_, (case,)) = replay(story)
    assert (case.fields["step"], case.fields["status"], case.fields["opened_at"], case.fields["close_reason"]) == (
        "referred",
        "planned",
        AT,
        "other",
    )


def test_a_story_that_the_process_forbids_is_refused_when_it_is_replayed():
    story = parse(told({"at": AT, "by": "@dana", "transition": "TR-08", "case": "@case"}))
    with pytest.raises(RuleViolated) as refused:
        list(replay(story))
    assert refused.value.code == "transition_not_allowed"


WAY = {"at": AT, "by": "@dana", "transition": "TR-01", "case": "@case"}
FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("the title is missing", {"story": "F", "timeline": []}, "$.title", "is missing"),
    ("the timeline is no list", {"story": "F", "title": "T", "timeline": {}}, "$.timeline", "not of the right type"),
    ("an entry is no object", told("x"), "$.timeline[1]", "is not an object"),  # type: ignore[arg-type]
    ("an entry has neither save nor transition", told({"at": AT, "by": "@dana"}), "$.timeline[1]", "either save or transition"),
    ("an entry has both", told({**WAY, "save": []}), "$.timeline[1]", "either save or transition"),
    ("an entry has a strange key", told({**WAY, "Kanarifugl": 1}), "$.timeline[1]", "has a key other than"),
    ("the moment has no zone", told({**WAY, "at": "2025-04-15T09:00:00"}), "$.timeline[1].at", "is not an instant"),
    ("the moments go back", told({**WAY, "at": "2025-04-13T09:00:00Z"}), "$.timeline[1].at", "is before the entry before it"),
    ("nobody has that name", told({**WAY, "by": "@kanarifugl"}), "$.timeline[1].by", "does not have"),
    ("the transition is unknown", told({**WAY, "transition": "TR-26"}), "$.timeline[1].transition", "is not one of"),
    ("the case is no case", told({**WAY, "case": "@river"}), "$.timeline[1].case", "does not name a case"),
    ("a save is no object", told({"at": AT, "by": "@dana", "save": ["x"]}), "$.timeline[1].save[0]", "is not an object"),
    ("the concept is unknown", told(saved("kanarifugl", "x")), "$.timeline[1].save[0].concept", "is not a known concept"),
    ("the name is none", told(saved("client", "Kanarifugl X")), "$.timeline[1].save[0].as", "is not a name"),
    ("the name is another concept's", told(saved("goal", "river")), "$.timeline[1].save[0].as", "another concept"),
    (
        "a field is unknown",
        told(saved("client", "river", **RIVER["fields"], kanarifugl=1)),
        "$.timeline[1].save[0].fields",
        "does not exist",
    ),
    (
        "a nested field is unknown",
        told(saved("client", "river", **{**RIVER["fields"], "names": [{"x": "y"}]})),
        "$.timeline[1].save[0].fields.names[0]",
        "does not exist",
    ),
    ("a field is missing", told(saved("goal", "g", client="@river")), "$.timeline[1].save[0].fields.description", "is missing"),
    (
        "a code is unknown",
        told(saved("client", "river", **RIVER["fields"], administrative_gender="kanarifugl")),
        "$.timeline[1].save[0].fields.administrative_gender",
        "is not one of",
    ),
    (
        "a mention is unknown",
        told(saved("client", "river", **RIVER["fields"], decision_maker="@kanarifugl")),
        "$.timeline[1].save[0].fields.decision_maker",
        "names a record",
    ),
    (
        "a face is unknown",
        told(saved("client", "river", **RIVER["fields"], decision_maker="@dana#Group")),
        "$.timeline[1].save[0].fields.decision_maker",
        "names a face",
    ),
    (
        "a mention is of the wrong type",
        told(saved("client", "river", **RIVER["fields"], decision_maker="@dana")),
        "$.timeline[1].save[0].fields.decision_maker",
        "RelatedPerson",
    ),
    (
        "a client's identifier is there twice",
        told(saved("client", "twin", **RIVER["fields"])),
        "$.timeline[1].save[0].fields.identifiers[0]",
        "another record",
    ),
    (
        "a case number is there twice",
        told(saved("case", "case-two", **CASE["fields"])),
        "$.timeline[1].save[0].fields.case_number",
        "another record",
    ),
    (
        "the step is written by hand",
        told(saved("case", "case", **CASE["fields"], step="closed")),
        "$.timeline[1].save[0].fields.step",
        "transitions",
    ),
    (
        "an expected datum says nothing",
        told(expect={"seed": [{"datum": "x", "type": "Patient", "path": "x"}]}),
        "$.expect.seed[0]",
        "either value or contains",
    ),
]


@pytest.mark.parametrize(("fault", "story", "path", "reason"), FAULTS, ids=[fault for fault, *_ in FAULTS])
def test_a_fault_is_told_by_path_and_reason_and_never_by_value(fault: str, story: dict[str, Any], path: str, reason: str):
    with pytest.raises(Invalid) as refused:
        parse(story)
    assert path in refused.value.expression
    assert f"{path}: " in refused.value.text
    assert reason in refused.value.text
    assert "anarifugl" not in refused.value.text + str(refused.value.expression)


def test_all_faults_are_told_at_once():
    story = told(*(saved("client", "river", birth_date="x") for _ in range(4)))
    with pytest.raises(Invalid) as refused:
        parse(story)
    assert len(refused.value.expression) == 12
    assert "and 7 more" in refused.value.text


def _with_junk(value: Any, junk: object) -> Iterator[Any]:
    """The value with junk in one place, for every place in it."""
    yield junk
    if isinstance(value, dict):
        for key in value:
            yield from ({**value, key: changed} for changed in _with_junk(value[key], junk))
    elif isinstance(value, list):
        for place in range(len(value)):
            yield from ([*value[:place], changed, *value[place + 1 :]] for changed in _with_junk(value[place], junk))


def _text_of_refusal(story: dict[str, Any]) -> str:
    try:
        parse(story)
    except Invalid as refused:
        return refused.text
    return ""


@pytest.mark.parametrize("junk", [None, 1, "x", [], {}, [None], {"x": None}, True], ids=repr)
def test_junk_in_any_place_is_refused_or_read_but_never_breaks(junk: object):
    whole = told({**WAY, "at": "2025-04-15T09:00:00Z"}, expect={"path": ["TR-01"], "fhir": {"Goal": "1"}, "seed": []})
    texts = [_text_of_refusal(story) for story in _with_junk(whole, junk) if isinstance(story, dict)]
    assert len(texts) > 40
    assert any(texts)
    assert not any("Kanarifugl" in text for text in texts)


def test_a_story_that_breaks_a_rule_of_a_record_is_not_lived():
    """gol-1, V-12, V-18"""
    goal = {"client": "@river", "lifecycle": "active", "description": "Kanarifugl walks", "targets": [{"value": {"text": "walks"}}]}
    for entry, rule in (
        (saved("goal", "walks", **goal), "goal_target_invalid"),
        (
            saved("advocacy", "word", client="@river", status="completed", kind="advocacy", issue="Kanarifugl", at="2025-04-16"),
            "date_invalid",
        ),
    ):
        with pytest.raises(RuleViolated) as refused:
            list(replay(parse(told(entry))))
        assert refused.value.code == rule
        assert "Kanarifugl" not in refused.value.text
