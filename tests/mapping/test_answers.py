"""Edits of a response's items: nothing nested is lost, nothing repeated is guessed at."""

from decimal import Decimal

import pytest

from adapter.errors import DuplicateItem
from adapter.fhir.resource import copy
from adapter.mapping.answers import Answers, Item, chosen, section
from adapter.mapping.codecs import decimal
from adapter.mapping.codes import table
from adapter.mapping.rules import UNREADABLE, Field
from adapter.mapping.transition_plan import TRANSITION_PLAN

ALONE = {
    "linkId": "1.1",
    "answer": [{"id": "a", "valueBoolean": True, "item": [{"linkId": "1.1.1", "answer": [{"valueString": "since 2019"}]}]}],
}
NESTED = {"item": [{"linkId": "1", "text": "Living", "item": [ALONE, {"linkId": "1.2", "answer": [{"valueInteger": 2}]}]}]}
REPEATED = {"item": [{"linkId": "3", "answer": [{"valueInteger": 1}]}, {"linkId": "3", "answer": [{"valueInteger": 2}]}]}


def edited(node, value):
    new = copy(node)
    Answers().write(new, value)
    return new


def answer(link_id, *values):
    return {"link_id": link_id, "values": list(values)}


def test_a_nested_answer_is_changed_where_it_stands():
    new = edited(NESTED, [answer("1.1", {"boolean": False}), answer("1.1.1", {"text": "since 2019"}), answer("1.2", {"integer": 3})])
    inner = new["item"][0]["item"]
    assert inner[0]["answer"][0] == {"id": "a", "valueBoolean": False, "item": ALONE["answer"][0]["item"]}
    assert inner[1] == {"linkId": "1.2", "answer": [{"valueInteger": 3}]}
    assert len(new["item"]) == 1


def test_an_answer_taken_away_leaves_the_answers_nested_in_it():
    new = edited(NESTED, [answer("1.1.1", {"text": "since 2019"})])
    assert new["item"][0]["item"] == [{"linkId": "1.1", "answer": [{"id": "a", "item": ALONE["answer"][0]["item"]}]}]


def test_a_nested_answer_taken_away_leaves_no_empty_element():
    new = edited(NESTED, [answer("1.1", {"boolean": True}), answer("1.2", {"integer": 2})])
    assert new["item"][0]["item"][0] == {"linkId": "1.1", "answer": [{"id": "a", "valueBoolean": True}]}


def test_a_group_without_answers_stays_when_all_are_taken_away():
    assert edited(NESTED, []) == {"item": [{"linkId": "1", "text": "Living"}]}


def test_an_unanswered_question_is_answered_in_its_place():
    node = {"item": [{"linkId": "4", "text": "Unanswered"}, {"linkId": "5", "answer": [{"valueInteger": 5}]}]}
    new = edited(node, [{**answer("4", {"integer": 4}), "text": "Unanswered"}, answer("5", {"integer": 5})])
    assert new["item"][0] == {"linkId": "4", "text": "Unanswered", "answer": [{"valueInteger": 4}]}


def test_an_answer_among_several_keeps_what_the_sender_said_beside_it():
    node = {"item": [{"linkId": "6", "answer": [{"id": "x", "valueInteger": 1}, {"id": "y", "valueInteger": 2}]}]}
    assert edited(node, [answer("6", {"integer": 2})])["item"][0]["answer"] == [{"id": "y", "valueInteger": 2}]


def test_a_changed_coding_drops_the_score_of_the_old_one():
    scored = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": 4}], "code": "LA1"}
    new = edited({"item": [{"linkId": "7", "answer": [{"valueCoding": scored}]}]}, [answer("7", {"code": {"code": "LA2"}})])
    assert new["item"][0]["answer"] == [{"valueCoding": {"code": "LA2"}}]


def test_repeated_items_stay_and_are_not_edited():
    problems = []
    assert list(Answers().read({"item": [*REPEATED["item"], *NESTED["item"]]}, problems)) == Answers().read(NESTED, [])
    assert [problem.path for problem in problems] == ["item.linkId"]
    assert edited(REPEATED, [answer("8", {"integer": 8})])["item"][:2] == REPEATED["item"]
    with pytest.raises(DuplicateItem):
        edited(REPEATED, [answer("3", {"integer": 3})])


def test_an_attachment_is_left_where_it_is():
    node = {"item": [{"linkId": "9", "answer": [{"valueAttachment": {"url": "urn:example:x"}}]}]}
    assert edited(node, [answer("8", {"integer": 8})])["item"][0] == node["item"][0]


def test_an_item_of_another_kind_is_unreadable_and_gives_way_to_an_edit():
    rule, node = (
        Item("share", Field("valueDecimal", "share", decimal)),
        {"item": [{"linkId": "share", "answer": [{"valueString": "half"}]}]},
    )
    problems = []
    assert rule.read(node, problems) is UNREADABLE
    assert [problem.path for problem in problems] == ["item[linkId=share]"]
    rule.write(node, Decimal("0.5"))
    assert node == {"item": [{"linkId": "share", "answer": [{"valueDecimal": Decimal("0.5")}]}]}


def test_a_word_of_another_code_system_is_not_ours():
    node = {"item": [{"linkId": "c", "item": [{"linkId": "c/w", "answer": [{"valueCoding": {"system": "urn:example", "code": "yes"}}]}]}]}
    assert section("c", "c", chosen("w", "w", table("answer", "yes no"))).read(node, []) is not UNREADABLE
    assert chosen("c/w", "w", table("answer", "yes no")).read(node["item"][0], []) is UNREADABLE


@pytest.mark.parametrize("again", [False, True])
def test_what_is_answered_later_stands_where_the_questionnaire_has_it(again: bool) -> None:
    """R4: items stand in the order of the questionnaire."""
    first = TRANSITION_PLAN.overlay(
        None, {"to_setting": "rehab", "package": "DocumentReference/1", "readiness": {"transport": {"status": "open"}}}
    )
    ready = {"transport": {"status": "open"}, "clinical_stability": {"status": "done", "reason": "Kanarifugl"}}
    fields = {
        "from_setting": "home",
        "to_setting": "rehab",
        "package": "DocumentReference/1",
        "receiver": "Organization/1",
        "readiness": ready,
    }
    found = TRANSITION_PLAN.overlay(TRANSITION_PLAN.overlay(first, fields) if again else first, fields)
    assert [item["linkId"] for item in found["item"]] == ["from-setting", "to-setting", "readiness", "receiver", "package"]
    assert [item["linkId"] for item in found["item"][2]["item"]] == ["readiness/clinical-stability", "readiness/transport"]
    assert TRANSITION_PLAN.extract(found).fields == fields


def test_items_that_a_sender_put_in_another_order_stay_in_it() -> None:
    raw = TRANSITION_PLAN.overlay(None, {"to_setting": "rehab", "receiver": "Organization/1"})
    raw["item"] = [*reversed(raw["item"]), {"linkId": "theirs"}]
    found = TRANSITION_PLAN.overlay(raw, {"from_setting": "home", "to_setting": "rehab", "receiver": "Organization/1"})
    assert [item["linkId"] for item in found["item"]] == ["receiver", "to-setting", "theirs", "from-setting"]
