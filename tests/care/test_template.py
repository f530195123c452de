"""Plan templates: whom they say they are for."""

import pytest

from adapter.care import template

STROKE = ("http://snomed.info/sct", "230690007")


def test_a_template_says_which_conditions_it_is_about():
    assert template.load("stroke_home").focus == {STROKE}
    assert template.load("social_needs_navigation").focus == frozenset()


@pytest.mark.parametrize("name", template.names())
def test_the_packaged_templates_are_for_any_model(name):
    assert template.load(name).models == frozenset()
