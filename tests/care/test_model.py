"""The four models and what they come to together: every cell of DOMAIN §3.6."""

from fractions import Fraction
from itertools import combinations

import pytest

from adapter.care.model import ModelRules, load, names, rules, signs, suggested
from adapter.errors import NotFound

FOUR = ("brokerage", "clinical", "intensive", "strengths_based")
TIERS = ("low", "rising", "high", "complex")
EVERY_COMBINATION = [chosen for size in range(1, 5) for chosen in combinations(FOUR, size)]


def every(model: ModelRules, source: str) -> list[int | None]:
    return [model.days_between(source, tier) for tier in TIERS]


def test_there_is_a_file_for_each_model_of_the_domain():
    assert names() == FOUR


@pytest.mark.parametrize(
    ("model", "unlicensed", "licensed"),
    [("brokerage", False, False), ("clinical", True, True), ("strengths_based", False, True), ("intensive", False, True)],
)
def test_m01_m02_only_the_clinical_model_lets_everyone_treat_and_brokerage_nobody(model, unlicensed, licensed):
    found = rules([model])
    assert (found.permitted("treat", licensed=False), found.permitted("treat", licensed=True)) == (unlicensed, licensed)


@pytest.mark.parametrize(
    ("model", "acts"),
    [
        ("brokerage", {"assess", "refer", "liaise"}),
        ("clinical", {"treat", "coordinate"}),
        ("strengths_based", {"empower"}),
        ("intensive", {"accompany"}),
    ],
)
def test_each_model_suggests_its_main_acts(model, acts):
    assert set(load(model).suggests) == acts


@pytest.mark.parametrize(
    ("model", "source", "days"),
    [
        ("brokerage", "client", [30, 30, 30, 30]),
        ("brokerage", "provider", [30, 14, 7, 3]),
        ("clinical", "client", [30, 14, 7, 3]),
        ("clinical", "provider", [None] * 4),
        ("strengths_based", "client", [30, 14, 7, 3]),
        ("strengths_based", "support_network", [30, 14, 7, 3]),
        ("intensive", "client", [2, 2, 2, 2]),
    ],
)
def test_v13_each_model_says_the_longest_time_between_contacts(model, source, days):
    assert every(rules([model]), source) == days


def test_without_a_tier_the_longest_time_counts():
    assert rules(["clinical"]).days_between("client", None) == 30
    assert rules(["intensive"]).days_between("client", None) == 2


@pytest.mark.parametrize(
    ("model", "demanded"),
    [
        ("brokerage", {"outcome_monitor": True, "accepted_referral": True, "referral_confirmation": True}),
        (
            "clinical",
            {"licence": True, "assigner": True, "session_records": True, "follow_up": ("client",), "full_outcome": True},
        ),
        (
            "strengths_based",
            {
                "strengths": 3,
                "goal_strength": True,
                "interventions": (("narrative_reframing", "environmental_change"),),
                "client_goal_percent": 50,
                "follow_up": ("client", "support_network"),
                "full_outcome": True,
                "empowerment_rating": True,
            },
        ),
        (
            "intensive",
            {
                "first_service_hours": 48,
                "accompaniment": True,
                "follow_up": ("client", "provider"),
                "full_outcome": True,
                "session_goals": True,
            },
        ),
    ],
)
def test_each_model_demands_its_artefacts_and_no_other(model, demanded):
    demands, nothing = rules([model]).demands, rules([]).demands
    assert {
        name: getattr(demands, name) for name in demands.__struct_fields__ if getattr(demands, name) != getattr(nothing, name)
    } == demanded


@pytest.mark.parametrize(("model", "cases"), [("brokerage", 20), ("clinical", 20), ("strengths_based", 20), ("intensive", 10)])
def test_each_model_has_its_caseload(model, cases):
    assert rules([model]).caseload == cases


def test_an_intensive_case_takes_two_places_of_a_standard_caseload():
    assert rules(["clinical"]).places == 1
    assert rules(["clinical", "intensive"]).places == 2
    assert sum([rules(["intensive"]).places] * 9 + [rules(["brokerage"]).places] * 2, Fraction(0)) == 20


def test_m05_brokerage_forbids_treatment_only_where_it_is_the_sole_model():
    assert not rules(["brokerage"]).permitted("treat", licensed=True)
    assert rules(["brokerage", "clinical"]).permitted("treat", licensed=True)
    assert not rules(["brokerage", "intensive"]).permitted("treat", licensed=False)


@pytest.mark.parametrize("chosen", EVERY_COMBINATION, ids=" ".join)
def test_m05_together_models_permit_what_any_permits_and_demand_what_any_demands(chosen):
    together, alone = rules(chosen), [rules([name]) for name in chosen]
    assert together.permits == frozenset().union(*(each.permits for each in alone))
    assert together.caseload == min(each.caseload for each in alone)
    for source in ("client", "provider", "support_network"):
        tables = [every(each, source) for each in alone if each.days_between(source, "low") is not None]
        assert every(together, source) == ([min(days) for days in zip(*tables, strict=True)] or [None] * 4)
    for each in alone:
        assert set(each.demands.follow_up) <= set(together.demands.follow_up)
        assert set(each.demands.interventions) <= set(together.demands.interventions)
        assert each.demands.strengths <= together.demands.strengths
        assert each.demands.client_goal_percent <= together.demands.client_goal_percent
        for name in ("licence", "assigner", "outcome_monitor", "accompaniment", "full_outcome", "session_goals"):
            assert getattr(together.demands, name) >= getattr(each.demands, name)
    hours = [each.demands.first_service_hours for each in alone if each.demands.first_service_hours is not None]
    assert together.demands.first_service_hours == min(hours, default=None)


@pytest.mark.parametrize("chosen", EVERY_COMBINATION, ids=" ".join)
def test_the_order_of_the_models_and_naming_one_twice_change_nothing(chosen):
    assert rules(chosen) == rules([*reversed(chosen), chosen[0]])


def test_without_a_model_nothing_is_permitted_or_demanded():
    found = rules([])
    assert not found.permits
    assert found.days_between("client", "high") is None


def test_a_model_that_is_not_known_is_not_taken_for_none():
    with pytest.raises(NotFound):
        rules(["clinical", "concierge"])


@pytest.mark.parametrize(
    ("signs", "models"),
    [
        ({"severe_mental_illness"}, {"strengths_based", "intensive"}),
        ({"complex_trauma"}, {"clinical", "intensive"}),
        ({"rehabilitation"}, {"clinical", "intensive"}),
        ({"single_need"}, {"brokerage"}),
        (set(), set()),
    ],
)
def test_the_signs_suggest_models(signs, models):
    assert set(suggested(signs)) == models


def condition(code):
    return {"code": {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}, "clinical_status": "active"}


@pytest.mark.parametrize(
    ("codes", "setting", "needs", "found"),
    [
        (["F20.0"], None, (), {"severe_mental_illness"}),
        (["S06.9X9A"], "rehabilitation", (), {"complex_trauma", "rehabilitation"}),
        (["I10"], "hospital", ["food"], {"single_need"}),
        (["F31.9"], "hospital", ["food"], {"severe_mental_illness"}),
        (["I10"], "hospital", ["food", "transport"], set()),
        ([], None, (), set()),
    ],
)
def test_signs_are_found_in_conditions_setting_and_needs(codes, setting, needs, found):
    known = {f"Condition/{place}": condition(code) for place, code in enumerate(codes)}
    assert signs(known, setting, needs) == found


def test_the_model_that_most_signs_speak_for_comes_first():
    assert suggested({"severe_mental_illness", "rehabilitation"})[0] == "intensive"
