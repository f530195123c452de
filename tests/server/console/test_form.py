"""The form of any record: what is read from it, and what it keeps."""

import pytest

from adapter.cases.registry import RECORDS
from adapter.errors import Invalid
from server.console import form, forms


def _sent(widgets):
    """What a browser sends of a form that nobody touched."""
    found = {}
    for each in widgets:
        if each.parts:
            found |= _sent(each.parts)
        elif each.kind in ("words", "references"):
            found[each.name] = list(each.value)
        elif each.kind not in ("group", "list"):
            found[each.name] = [str(each.value)]
    return found


def _round(concept, fields):
    names = tuple(name for part in forms.layout(concept) for name in part)
    asked = form.widgets(RECORDS[concept], names, fields, lambda types, several: (), {})
    return form.filled(RECORDS[concept], names, form.Sent(_sent(asked)), fields)


def test_a_form_that_nobody_touched_changes_nothing_of_any_record(loaded, repository):
    seen = set()
    for type in (
        "Goal",
        "ServiceRequest",
        "CarePlan",
        "Encounter",
        "RiskAssessment",
        "ClinicalImpression",
        "Task",
        "Appointment",
        "Condition",
    ):
        for stored in repository.scan(type):
            if stored.concept:
                fields = stored.record | stored.local
                assert _round(stored.concept, fields) == fields, stored.concept
                seen.add(stored.concept)
    assert {"goal", "planned_service", "plan", "follow_up", "risk_evaluation", "assessment", "task", "barrier"} <= seen


@pytest.mark.parametrize("concept", RECORDS)
def test_every_concept_has_a_form_with_all_that_it_requires(concept):
    kind = RECORDS[concept]
    first, more = forms.layout(concept)
    assert first
    required = {name for name in form.schema(kind) if kind.field(name).required}
    never = {"client", "case", *forms.MADE.get(concept, {}), *forms.MOVED.get(concept, {})}
    assert required - never <= {*first, *more}
    form.widgets(kind, (*first, *more), {}, lambda types, several: (), {})


def _filled(concept, before=None, **typed):
    names = tuple({name.partition(".")[0].partition("[")[0]: None for name in typed})
    sent = form.Sent({name: value if isinstance(value, list) else [value] for name, value in typed.items()})
    return form.filled(RECORDS[concept], names, sent, before or {})


def test_a_time_keeps_its_zone_and_a_new_one_is_in_utc():
    before = {"due": "2025-04-22T09:00:00-04:00"}
    assert _filled("task", before, due="2025-04-22T09:00") == before
    assert _filled("task", before, due="2025-04-23T10:30") == {"due": "2025-04-23T10:30:00-04:00"}
    assert _filled("task", due="2025-04-23T10:30") == {"due": "2025-04-23T10:30:00Z"}


def test_a_code_stays_while_its_words_do_and_new_words_have_none():
    before = {"code": {"system": "urn:s", "code": "c", "display": "Words"}}
    assert _filled("task", before, code="Words") == before
    assert _filled("task", before, code="Other words") == {"code": {"text": "Other words"}}


def test_what_is_no_number_is_kept_as_it_was_typed_and_refused_by_the_record():
    found = _filled("follow_up", duration_min="a while")
    assert found == {"duration_min": "a while"}
    assert any(problem.startswith("duration_min:") for problem in RECORDS["follow_up"].of(found).problems())


def test_empty_items_are_left_out_and_marked_ones_taken_away():
    sheet = {"goal_reviews[0].goal": "Goal/a", "goal_reviews[1].goal": "", "goal_reviews[2].goal": "Goal/b", "remove:goal_reviews[2]": "1"}
    names = ("goal_reviews",)
    sent = form.Sent({name: [value] for name, value in sheet.items()})
    assert form.filled(RECORDS["follow_up"], names, sent, {}) == {"goal_reviews": [{"goal": "Goal/a"}]}


def test_a_code_s_system_goes_with_the_unit_that_it_was_of():
    before = {"targets": [{"value": {"quantity": {"value": 3, "unit": "m", "system": "http://unitsofmeasure.org", "code": "m"}}}]}
    typed = {"targets[0].value.quantity.value": "4", "targets[0].value.quantity.unit": "steps"}
    sent = form.Sent({name: [value] for name, value in typed.items()})
    found = form.filled(RECORDS["goal"], ("targets",), sent, before)
    assert found == {"targets": [{"value": {"quantity": {"value": 4, "unit": "steps"}}}]}


class _Counted(form.Sent):
    """What a browser sent, asked for no more than a thousand times."""

    asked = 0

    def text(self, name):
        self.asked += 1
        assert self.asked < 1000, name
        return super().text(name)


def test_a_list_is_read_where_something_was_sent_however_far_down_that_is():
    sent = _Counted({"goal_reviews[9999].goal": ["Goal/b"], "goal_reviews[2].goal": ["Goal/a"]})
    found = form.filled(RECORDS["follow_up"], ("goal_reviews",), sent, {})
    assert found == {"goal_reviews": [{"goal": "Goal/a"}, {"goal": "Goal/b"}]}


@pytest.mark.parametrize("place", ["x", "", "-1", "²", "1000000000", "1" * 5000])
def test_what_is_at_no_place_of_its_list_is_refused_and_not_looked_for(place):
    with pytest.raises(Invalid) as refused:
        form.filled(RECORDS["client"], ("names",), _Counted({f"names[{place}].family": ["Kanarifugl"]}), {})
    assert refused.value.expression == ("names",)
