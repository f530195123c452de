"""Lineage: which record field and which rule set an element."""

import importlib

import pytest

from adapter.mapping.lineage import Lineage, steps
from adapter.mapping.merge import diff
from adapter.mapping.registry import MAPPINGS

PLAN = {"resourceType": "CarePlan", "status": "active", "intent": "plan", "title": "walk (Kanarifugl)"}


@pytest.mark.parametrize("mapping", MAPPINGS, ids=lambda mapping: f"{mapping.concept}-{mapping.type}")
def test_a_mapping_is_in_the_file_that_its_lineage_names(mapping):
    assert mapping in importlib.import_module(f"adapter.mapping.{mapping.concept}").MAPPINGS


def test_a_changed_element_names_its_field_its_rule_and_the_file():
    [origin] = Lineage(PLAN, {**PLAN, "title": "run (Kanarifugl)"}).origins("title")
    assert (origin.field, origin.rule, origin.file) == ("title", "title ⇄ title (text)", "adapter/mapping/plan.py")


def test_a_part_of_a_list_item_is_set_by_the_rule_of_that_item():
    old = {"resourceType": "Patient", "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}]}
    new = {**old, "telecom": [{"system": "phone", "value": "1", "use": "home"}, old["telecom"][1]]}
    [change] = diff(old, new)
    assert change.path == "telecom[phone|1].use"
    [origin] = Lineage(old, new).origins(change.path)
    assert origin.rule.startswith("telecom[")
    assert origin.field.endswith(".use")


def test_what_no_rule_reads_has_no_origin():
    new = {**PLAN, "language": "en"}
    assert Lineage(PLAN, new).origins("language") == []
    assert not Lineage(PLAN, new).constant("language")


def test_a_rule_whose_value_is_the_same_set_nothing():
    assert Lineage(PLAN, {**PLAN, "title": "run (Kanarifugl)"}).origins("status") == []


def test_what_a_new_resource_starts_with_is_no_fields():
    new = {**PLAN, "category": [{"text": "Kanarifugl"}]}
    assert Lineage({}, new).constant("category")
    assert not Lineage(PLAN, new).constant("category")


def test_a_path_is_taken_apart_whatever_its_keys_hold():
    path = 'extension[["https://a.b/c",{"url":"id","valueString":"x.y"}]].valueString'
    assert steps(path) == (("extension", '["https://a.b/c",{"url":"id","valueString":"x.y"}]'), ("valueString", ""))
    assert steps("telecom[system=phone].value") == (("telecom", "system=phone"), ("value", ""))
    assert steps("name") == (("name", ""),)
