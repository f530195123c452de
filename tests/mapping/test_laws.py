"""The laws of DESIGN §3, for every mapping, with no code per concept."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.cases.registry import RECORDS
from adapter.errors import NotUnderstood
from adapter.fhir.resource import copy, dumps, parse
from adapter.mapping.registry import MAPPINGS, mapping_for
from tests.mapping.strategies import record_for

NAMES = [f"{mapping.concept}-{mapping.type}" for mapping in MAPPINGS]
every_mapping = pytest.mark.parametrize("mapping", MAPPINGS, ids=NAMES)
# Large records of many kinds: twenty draws of each law for each mapping take two minutes on two cores; a nightly run takes more.
some = settings(max_examples=int(os.environ.get("CASEBRIDGE_LAW_EXAMPLES", "20")))


@every_mapping
@some
@given(data=st.data())
def test_what_is_put_is_what_is_got(mapping, data):
    record = data.draw(record_for(mapping))
    raw = mapping.overlay(None, record)
    found = mapping.extract(raw)
    assert found.problems == []
    assert found.fields == record


@every_mapping
@some
@given(data=st.data())
def test_putting_over_another_gives_the_same_record(mapping, data):
    first, second = data.draw(record_for(mapping)), data.draw(record_for(mapping))
    raw = mapping.overlay(mapping.overlay(None, first), second)
    assert mapping.extract(raw).fields == second


@every_mapping
@some
@given(data=st.data())
def test_the_last_put_wins_alone(mapping, data):
    """PutPut up to the order of list items that were there before, which is the sender's to keep."""
    first, second = data.draw(record_for(mapping)), data.draw(record_for(mapping))
    twice = mapping.overlay(mapping.overlay(None, first), second)
    assert mapping.extract(mapping.overlay(twice, second)).fields == second
    assert mapping.overlay(twice, second) is twice


@every_mapping
@some
@given(data=st.data())
def test_getting_and_putting_back_changes_nothing(mapping, data):
    raw = mapping.overlay(None, data.draw(record_for(mapping)))
    raw["extension"] = [*raw.get("extension", []), {"url": "urn:example:unknown", "valueString": "kept"}]
    raw["_unknown"] = {"id": "a"}
    text = dumps(raw)
    again = parse(text)
    assert dumps(mapping.overlay(again, mapping.extract(again).fields)) == text


@every_mapping
@some
@given(data=st.data())
def test_an_edit_keeps_what_is_not_ours_and_spares_its_input(mapping, data):
    raw = mapping.overlay(None, data.draw(record_for(mapping)))
    raw["extension"] = [{"url": "urn:example:unknown", "valueString": "kept"}, *raw.get("extension", [])]
    before = copy(raw)
    edited = mapping.overlay(raw, data.draw(record_for(mapping)))
    assert raw == before
    assert {"url": "urn:example:unknown", "valueString": "kept"} in edited["extension"]


@every_mapping
def test_an_unknown_modifier_is_kept_and_not_edited(mapping):
    raw = {**mapping.overlay(None, {}), "modifierExtension": [{"url": "urn:example:not", "valueBoolean": True}]}
    found = mapping.extract(raw)
    assert not found.understood
    assert mapping.overlay(raw, found.fields) is raw
    with pytest.raises(NotUnderstood):
        mapping.overlay(raw, {next(iter(mapping.attrs)): "x"})


@every_mapping
def test_a_new_resource_is_recognised_as_its_own_concept(mapping):
    raw = mapping.overlay(None, {})
    found = mapping_for(raw)
    assert found is not None
    assert (found.concept, found.type) == (mapping.concept, mapping.type)


@pytest.mark.parametrize("concept", RECORDS)
def test_every_field_of_a_record_has_one_home(concept):
    record = RECORDS[concept]
    faces = [mapping for mapping in MAPPINGS if mapping.concept == concept]
    mapped = {attr for mapping in faces for attr in mapping.attrs if not attr.startswith("(")}
    assert faces, f"{concept} has no mapping"
    assert mapped | record.LOCAL == set(record.keys()), concept
    assert not mapped & record.LOCAL
