"""The JSON Patch between two resources: applied by the server's own reader of patches, it gives the second; old values are tested."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.errors import NotApplicable
from adapter.fhir.json_patch import patch
from adapter.fhir.resource import same
from server.fhir.json_patch import change

_names = st.sampled_from(["a", "b~", "c/d", "reference", ""])
_values = st.recursive(
    st.text("xy", max_size=2) | st.integers(0, 3) | st.booleans() | st.decimals(0, 2, places=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=8,
)
_objects = st.dictionaries(_names, _values, max_size=4)


@given(_objects, _objects)
def test_a_patch_makes_the_one_into_the_other(before, after):
    operations = patch(before, after)
    assert same(change(operations)(before), after)
    assert bool(operations) is not same(before, after)


@given(_objects, _objects)
def test_each_value_that_is_taken_away_is_tested_just_before(before, after):
    operations = patch(before, after)
    for place, operation in enumerate(operations):
        if operation["op"] in ("remove", "replace"):
            test = operations[place - 1]
            assert (test["op"], test["path"]) == ("test", operation["path"])


def test_only_what_differs_is_named():
    name = {"family": "Kanarifugl", "given": ["A", "B"]}
    before = {"resourceType": "Patient", "name": [name], "gender": "female", "active": True}
    after = {"resourceType": "Patient", "name": [{**name, "given": ["A", "C", "D"]}], "gender": "female", "birthDate": "1950"}
    assert patch(before, after) == [
        {"op": "test", "path": "/name/0/given/1", "value": "B"},
        {"op": "replace", "path": "/name/0/given/1", "value": "C"},
        {"op": "add", "path": "/name/0/given/2", "value": "D"},
        {"op": "test", "path": "/active", "value": True},
        {"op": "remove", "path": "/active"},
        {"op": "add", "path": "/birthDate", "value": "1950"},
    ]


def test_an_item_taken_from_the_midst_of_a_list_is_the_only_one_named():
    before, after = ({"identifier": [{"value": value} for value in values]} for values in ("abcd", "acd"))
    assert [operation["path"] for operation in patch(before, after)] == ["/identifier/1"] * 2


def test_a_resource_that_moved_meanwhile_is_not_changed():
    operations = patch({"gender": "female"}, {"gender": "other"})
    with pytest.raises(NotApplicable):
        change(operations)({"gender": "male"})
