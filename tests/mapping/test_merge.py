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


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"reasonCode": [{"text": "1"}]}, {"reasonReference": [{"reference": "Condition/1"}]}),
        ({"locationCode": [{"text": "1"}]}, {"locationReference": [{"reference": "Location/1"}]}),
        ({"instantiatesUri": "u:1"}, {"instantiatesCanonical": "u:2"}),
    ],
)
def test_elements_that_are_only_named_like_types_of_one_choice_are_both_kept(ours, theirs):
    result = merge(Base({}, {}), ours, theirs)
    assert result.conflicts == []
    assert result.raw == {**ours, **theirs}


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


@pytest.mark.parametrize(
    ("owners", "phone", "email"),
    [
        ({"telecom": "theirs"}, "work", "old"),
        ({"telecom[phone|1]": "ours", "telecom": "theirs"}, "home", "old"),
        ({"telecom.use": "ours", "telecom": "theirs"}, "home", "mobile"),
        ({"telecom[phone|1].use": "theirs", "telecom.use": "ours"}, "work", "mobile"),
    ],
)
def test_the_owner_that_is_closest_to_an_element_decides(owners, phone, email):
    ours, theirs = (
        {"telecom": [{**BASE["telecom"][0], "use": first}, {**BASE["telecom"][1], "use": second}]}
        for first, second in (("home", "mobile"), ("work", "old"))
    )
    result = merged(ours, theirs, decisions=owners)
    assert result.conflicts == []
    assert [item["use"] for item in result.raw["telecom"]] == [phone, email]
    assert set(result.decided) == {"telecom[phone|1].use", "telecom[email|2].use"}


@pytest.mark.parametrize("name", ["deceased", "deceased[x]"])
def test_a_choice_element_has_one_owner_whatever_its_type(name):
    assert merged({"deceasedBoolean": True}, {"deceasedDateTime": "2020"}, decisions={name: "ours"}).raw["deceasedBoolean"] is True
    assert merged({"deceasedBoolean": True}, {"deceasedBoolean": False}, decisions={name: "theirs"}).raw["deceasedBoolean"] is False


def test_where_a_person_owns_an_element_of_what_they_own_it_is_a_conflict():
    ours, theirs = ({"name": [{**BASE["name"][0], "text": text}]} for text in ("B Kanarifugl", "C Kanarifugl"))
    result = merged(ours, theirs, decisions={"name": "theirs", "name.text": "person"})
    assert [row.path for row in result.conflicts] == ["name[official].text"]


@pytest.mark.parametrize(("winner", "conflicts"), [("ours", 0), ("theirs", 0), (None, 1)])
def test_where_the_newest_wins_and_nobody_knows_which_it_is_it_is_a_conflict(winner, conflicts):
    result = merged({"gender": "female"}, {"gender": "other"}, decisions={"gender": "newest"}, newest=lambda change: winner)
    assert len(result.conflicts) == conflicts
    assert result.raw["gender"] == ("female" if winner == "ours" else "other")


def test_an_element_in_conflict_can_be_looked_up_in_any_version():
    ours = {"telecom": [{"system": "phone", "value": "1", "use": "home"}], "deceasedBoolean": True}
    rows = {row.path: row for row in merged(ours, {"telecom": [], "deceasedDateTime": "2020"}).conflicts}
    other = {**BASE, "telecom": [*reversed(BASE["telecom"])]}
    assert rows["telecom[phone|1]"].alike(BASE, other)
    assert not rows["telecom[phone|1]"].alike(BASE, {**BASE, **ours})
    assert not rows["telecom[phone|1]"].alike(BASE, {"telecom": "nonsense"})
    assert rows["deceased[x]"].alike(BASE, other)
    assert not rows["deceased[x]"].alike(BASE, {**BASE, **ours})


@pytest.mark.parametrize("keep", ["ours", "theirs"])
def test_a_merged_list_has_one_order_whichever_side_is_kept(keep):
    a, b, c, d = ({"system": "phone", "value": value} for value in "abcd")
    ours, theirs = {"telecom": [a, b, c]}, {"telecom": [d, a, b]}
    base = Base({"telecom": [a, b]}, {"telecom": [a, b]})
    assert merge(base, ours, theirs, keep=keep).raw["telecom"] == [d, a, b, c]
    assert merge(base, {"telecom": [b, a, c]}, theirs, keep=keep).raw["telecom"] == [b, a, c, d]


def test_two_edits_of_an_only_item_that_nothing_tells_apart_meet():
    base = {"name": [{"family": "Kanarifugl", "text": "1"}]}
    result = merge(Base(base, base), {"name": [{"family": "Kanarifugl", "text": "2"}]}, {"name": [{"family": "Kanarifugl", "text": "3"}]})
    assert [(row.path, row.base, row.ours, row.theirs) for row in result.conflicts] == [("name[0].text", "1", "2", "3")]


def test_two_edits_of_an_only_given_name_do_not_make_two_names():
    result = merged({"name": [{**BASE["name"][0], "given": ["B"]}]}, {"name": [{**BASE["name"][0], "given": ["C"]}]})
    assert [(row.path, row.base, row.ours, row.theirs) for row in result.conflicts] == [("name[official].given[0]", "A", "B", "C")]
    assert result.raw["name"][0]["given"] == ["C"]


def test_notes_that_both_sides_add_are_both_kept():
    assert merge(Base({}, {}), {"note": [{"text": "1"}]}, {"note": [{"text": "2"}]}).raw["note"] == [{"text": "2"}, {"text": "1"}]


def note(text):
    return {"extension": [{"url": "urn:example:note", "valueString": text}]}


def name(given, beside=None):
    return {"name": [{"use": "official", "family": "Kanarifugl", "given": given, **({"_given": beside} if beside else {})}]}


def beside_each(given, beside):
    return dict(zip(given, beside or [None] * len(given), strict=True))


NAMED = {**BASE, **name(["A", "B"], [None, note("of B")])}


def named(ours, theirs, **options):
    result = merge(Base(NAMED, NAMED), {**NAMED, **ours}, {**NAMED, **theirs}, **options)
    return result.raw["name"][0], result.conflicts


@pytest.mark.parametrize("keep", ["ours", "theirs"])
@pytest.mark.parametrize(
    ("one", "other", "given", "beside"),
    [
        (name(["B"], [note("of B")]), name(["A", "B"], [None, note("new")]), ["B"], [note("new")]),
        (
            name(["Z", "A", "B"], [None, None, note("of B")]),
            name(["B", "A"], [note("of B"), None]),
            ["B", "A", "Z"],
            [note("of B"), None, None],
        ),
        (name(["A", "B", "C"], [None, note("of B"), note("of C")]), name(["B"], [note("of B")]), ["B", "C"], [note("of B"), note("of C")]),
        (name(["A", "B"]), name(["C", "A", "B"], [None, None, note("of B")]), ["A", "B", "C"], None),
        (name(["A"]), {"gender": "other"}, ["A"], None),
    ],
    ids=["removed and remarked", "added and moved", "added and removed", "unmarked and added", "removed alone"],
)
def test_what_stands_beside_a_primitive_of_a_list_stays_with_it(one, other, given, beside, keep):
    for ours, theirs in ((one, other), (other, one)):
        found, conflicts = named(ours, theirs, keep=keep)
        assert conflicts == []
        assert beside_each(found["given"], found.get("_given")) == beside_each(given, beside)


def test_a_primitive_that_both_marked_otherwise_is_one_conflict_and_shows_both_parts():
    _, [row] = named(name(["A", "B"], [None, note("ours")]), name(["A", "B"], [None, note("theirs")]))
    assert (row.path, row.ours, row.theirs) == ('name[official].given["B"]', {"value": "B"} | note("ours"), {"value": "B"} | note("theirs"))
    found, conflicts = named(name(["A", "B"], [None, note("ours")]), name(["A", "B"], [None, note("theirs")]), decisions={row.path: "ours"})
    assert (found["_given"], conflicts) == ([None, note("ours")], [])


@pytest.mark.parametrize("keep", ["ours", "theirs"])
def test_a_list_of_which_only_what_stands_beside_is_there_is_kept(keep):
    bare = {**BASE, "name": [{"use": "official", "_given": [note("unknown")]}]}
    edit = {**bare, "birthDate": "1951"}
    assert merge(Base(bare, bare), edit, {**bare, "gender": "other"}, keep=keep).raw["name"] == bare["name"]
