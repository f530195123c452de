"""Three-way merge by element and list key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.resource import same
from adapter.mapping.merge import Base, diff, merge

BASE = {
    "resourceType": "Patient",
    "id": "1",
    "meta": {"versionId": "1", "tag": [{"system": "s", "code": "a"}]},
    "gender": "unknown",
    "birthDate": "1950",
    "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}],
    "name": [{"use": "official", "family": "Kanarifugl", "given": ["A"]}],
    "extension": [{"url": "u:1", "valueString": "x"}],
}


def merged(ours, theirs, **options):
    return merge(Base(BASE, BASE), {**BASE, **ours}, {**BASE, **theirs}, **options)


def test_different_elements_merge():
    result = merged({"gender": "female"}, {"birthDate": "1951"})
    assert result.conflicts == []
    assert (result.raw["gender"], result.raw["birthDate"]) == ("female", "1951")


def test_the_same_change_on_both_sides_is_no_conflict():
    assert merged({"gender": "female"}, {"gender": "female"}).conflicts == []


def test_the_same_element_is_a_conflict_with_all_three_values():
    [row] = merged({"gender": "female"}, {"gender": "other"}).conflicts
    assert (row.path, row.base, row.ours, row.theirs) == ("gender", "unknown", "female", "other")


@pytest.mark.parametrize(("winner", "expected"), [("ours", "female"), ("theirs", "other")])
def test_a_decision_settles_a_conflict(winner, expected):
    result = merged({"gender": "female"}, {"gender": "other"}, decisions={"gender": winner})
    assert result.conflicts == []
    assert result.raw["gender"] == expected


def test_list_items_are_matched_by_what_they_are_about_and_not_by_position():
    ours = {"telecom": [{"system": "email", "value": "2"}, {"system": "phone", "value": "1", "use": "home"}]}
    theirs = {"telecom": [{"system": "sms", "value": "3"}, *BASE["telecom"]]}
    result = merged(ours, theirs)
    assert result.conflicts == []
    assert {(item["value"], item.get("use")) for item in result.raw["telecom"]} == {("1", "home"), ("2", None), ("3", None)}


def test_an_item_removed_there_and_changed_here_is_a_conflict():
    [row] = merged({"telecom": [{"system": "phone", "value": "1", "use": "home"}]}, {"telecom": []}).conflicts
    assert (row.path, row.theirs) == ("telecom[phone|1]", None)


def test_an_item_removed_on_one_side_stays_removed():
    assert [item["value"] for item in merged({"telecom": BASE["telecom"][:1]}, {"gender": "other"}).raw["telecom"]] == ["1"]


def test_two_types_of_one_choice_element_are_a_conflict():
    [row] = merged({"deceasedBoolean": True}, {"deceasedDateTime": "2020"}).conflicts
    assert row.path == "deceased[x]"


def test_items_that_nothing_tells_apart_are_one_element():
    base = {"resourceType": "Basic", "note": [{"a": 1}, {"a": 1}]}
    ours, theirs = {**base, "note": [{"a": 1}, {"a": 2}]}, {**base, "note": [{"a": 3}, {"a": 1}]}
    [row] = merge(Base(base, base), ours, theirs).conflicts
    assert row.path == "note"


def test_repeated_extensions_are_told_apart_by_their_first_part():
    def factor(kind, level):
        return {"url": "u", "extension": [{"url": "kind", "valueCode": kind}, {"url": "level", "valueInteger": level}]}

    base = {"resourceType": "RiskAssessment", "extension": [factor("a", 1), factor("b", 1)]}
    ours = {**base, "extension": [factor("a", 2), factor("b", 1)]}
    theirs = {**base, "extension": [factor("a", 1), factor("b", 3)]}
    result = merge(Base(base, base), ours, theirs)
    assert result.conflicts == []
    assert result.raw["extension"] == [factor("a", 2), factor("b", 3)]


def test_what_the_remote_cannot_keep_is_neither_lost_here_nor_sent_for_ever():
    """It dropped an extension of ours when it took the resource; then it edits something else."""
    kept = {name: value for name, value in BASE.items() if name != "extension"}
    agreed = Base(BASE, kept)
    result = merge(agreed, BASE, {**kept, "gender": "other"}, keep="ours")
    assert (result.raw["gender"], result.raw["extension"]) == ("other", BASE["extension"])
    sent = merge(agreed, BASE, kept, keep="theirs")
    assert "extension" not in sent.raw


def test_what_a_server_owns_is_not_a_change():
    theirs = {**BASE, "id": "9", "meta": {"versionId": "7", "lastUpdated": "2020-01-01T00:00:00Z", "tag": BASE["meta"]["tag"]}}
    assert diff(BASE, theirs) == []


leaves = st.sampled_from(["a", "b", "c"])
resources = st.fixed_dictionaries(
    {"resourceType": st.just("Basic")},
    optional={
        "one": leaves,
        "two": st.fixed_dictionaries({}, optional={"x": leaves, "y": leaves}).filter(bool),
        "list": st.lists(
            st.fixed_dictionaries({"url": leaves}, optional={"valueString": leaves}),
            min_size=1,
            max_size=3,
            unique_by=lambda item: item["url"],
        ),
    },
)


@given(resources, resources)
def test_a_side_that_changed_nothing_yields(base, changed):
    assert same(merge(Base(base, base), base, changed).raw, changed)
    assert same(merge(Base(base, base), changed, base, keep="theirs").raw, changed)


@given(resources, resources, resources)
def test_deciding_everything_for_one_side_leaves_no_conflict(base, ours, theirs):
    open_rows = merge(Base(base, base), ours, theirs).conflicts
    decided = merge(Base(base, base), ours, theirs, decisions={row.path: "ours" for row in open_rows})
    assert decided.conflicts == []


@given(resources, resources, resources)
def test_an_element_that_only_one_side_changed_is_never_in_conflict(base, ours, theirs):
    for row in merge(Base(base, base), ours, theirs).conflicts:
        assert row.ours != row.theirs
        assert row.base != row.ours or row.base != row.theirs
