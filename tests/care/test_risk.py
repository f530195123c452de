"""Policy v1: every vector of DOMAIN section 3.7, and both stories from their raw inputs."""

import json
from datetime import date
from importlib import resources

import msgspec
import pytest

from adapter.care.blood_pressure import category
from adapter.care.data import decode
from adapter.care.risk import LEVEL_NAMES, Policy, evaluate, policy, stratify, worklist_order
from adapter.care.scoring import score
from adapter.errors import Invalid, NotFound, RuleViolated, UnknownCode
from tests.care.answers import NO_NEED, in_order, lace, steadi

KINDS = ("existing_conditions", "blood_pressure", "mental_health", "finances", "readmission", "function_safety")


def of(*levels: int) -> dict[str, int]:
    return dict(zip(KINDS, levels, strict=True))


@pytest.mark.parametrize(
    ("levels", "potential", "flags", "severity", "tier", "priority"),
    [
        ((3, 0, 2, 2, 3, 3), 2, (), 13, "complex", 39),
        ((2, 2, 1, 0, 3, 2), 2, (), 10, "high", 30),
        ((0, 0, 0, 0, 0, 0), 0, (), 0, "low", 0),
        ((0, 0, 3, 0, 0, 0), 1, ("suicide_item",), 3, "high", 6),
        ((1, 1, 1, 1, 1, 1), 0, (), 6, "rising", 6),
        ((3, 3, 3, 3, 3, 3), 2, (), 18, "complex", 54),
        ((0, 0, 3, 0, 0, 0), 1, (), 3, "low", 6),
        ((1, 0, 3, 0, 0, 0), 0, (), 4, "rising", 4),
        ((1, 3, 3, 0, 0, 0), 0, (), 7, "high", 7),
        ((3, 3, 3, 2, 0, 0), 0, ("hypertensive_crisis",), 11, "complex", 11),
    ],
)
def test_severity_tier_and_priority_follow_from_the_levels(levels, potential, flags, severity, tier, priority):
    result = stratify(of(*levels), potential, flags)
    assert (result.severity, result.tier, result.priority_score) == (severity, tier, priority)
    assert (result.policy, result.version, result.urgent_flags) == ("stratification", "1", flags)


@pytest.mark.parametrize(
    ("facts", "levels", "flags"),
    [
        *(({"charlson": n}, {"existing_conditions": level}, ()) for n, level in ((0, 0), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (20, 3))),
        *(
            ({"acute_severity": name}, {"existing_conditions": level}, ())
            for name, level in (("none", 0), ("mild", 1), ("moderate", 2), ("severe", 3), ("catastrophic", 3))
        ),
        ({"charlson": 1, "acute_severity": "moderate"}, {"existing_conditions": 2}, ()),
        *(
            ({"blood_pressure": name}, {"blood_pressure": level}, ())
            for name, level in (("normal", 0), ("elevated", 1), ("stage_1", 1), ("stage_2", 2))
        ),
        ({"blood_pressure": "crisis"}, {"blood_pressure": 3}, ("hypertensive_crisis",)),
        *(
            ({name: n}, {"mental_health": level}, ())
            for name in ("phq9", "gad7")
            for n, level in ((4, 0), (5, 1), (9, 1), (10, 2), (14, 2), (15, 3))
        ),
        ({"phq9": 12, "gad7": 8}, {"mental_health": 2}, ()),
        ({"phq9": 2, "phq9_item_9": 1}, {"mental_health": 3}, ("suicide_item",)),
        ({"phq9": 2, "phq9_item_9": 0}, {"mental_health": 0}, ()),
        ({"positive_domains": []}, {"finances": 0}, ()),
        ({"positive_domains": ["safety", "social"]}, {"finances": 0}, ()),
        ({"positive_domains": ["food"]}, {"finances": 1}, ()),
        ({"positive_domains": ("transport", "financial", "safety")}, {"finances": 2}, ()),
        ({"positive_domains": {"housing", "food", "transport", "utilities", "financial"}}, {"finances": 3}, ()),
        ({"recent_inpatient": False}, {"readmission": 0}, ()),
        ({"recent_inpatient": False, "lace": 12}, {"readmission": 0}, ()),
        ({"recent_inpatient": True}, {"readmission": 1}, ()),
        ({"lace": 12}, {}, ()),
        *(
            ({"recent_inpatient": True, "lace": n}, {"readmission": level}, ())
            for n, level in ((0, 1), (4, 1), (5, 2), (9, 2), (10, 3), (19, 3))
        ),
        *(({"katz": n}, {"function_safety": level}, ()) for n, level in ((6, 0), (5, 1), (4, 2), (3, 2), (2, 3), (0, 3))),
        ({"katz": 6, "steadi": 3}, {"function_safety": 0}, ()),
        ({"katz": 5, "steadi": 4}, {"function_safety": 2}, ()),
        ({"hits": 10}, {"function_safety": 0}, ()),
        ({"hits": 11}, {"function_safety": 3}, ("safety_hits_positive",)),
        ({}, {}, ()),
    ],
)
def test_a_factor_has_the_highest_level_of_its_facts(facts, levels, flags):
    found = evaluate(facts)
    assert (dict(found.levels), found.urgent_flags) == (levels, flags)


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"charlston": 1}, Invalid),
        ({"phq9": -1}, Invalid),
        ({"phq9": True}, Invalid),
        ({"phq9": "12"}, Invalid),
        ({"hits": 3}, Invalid),
        ({"positive_domains": 2}, Invalid),
        ({"positive_domains": "housing"}, Invalid),
        ({"blood_pressure": "low"}, UnknownCode),
        ({"recent_inpatient": 1}, UnknownCode),
    ],
)
def test_a_fact_that_the_policy_cannot_read_is_refused_by_name(facts, error):
    with pytest.raises(error) as refused:
        evaluate(facts)
    assert refused.value.expression == tuple(facts)


def test_a_required_factor_without_a_level_stops_the_stratification():
    with pytest.raises(RuleViolated) as refused:
        stratify({"existing_conditions": 1, "mental_health": 0}, 0)
    assert (refused.value.code, refused.value.expression) == ("risk_incomplete", ("blood_pressure", "finances"))


def test_readmission_and_function_may_be_left_out():
    assert stratify(dict.fromkeys(KINDS[:4], 1), 0).severity == 4


@pytest.mark.parametrize(
    ("levels", "potential", "wrong"),
    [
        (of(4, 0, 0, 0, 0, 0), 0, ("existing_conditions",)),
        (of(0, 0, 0, 0, 0, -1), 3, ("function_safety", "potential_for_change")),
        (of(0, 0, 0, 0, 0, 0) | {"weather": 1}, 0, ("weather",)),
    ],
)
def test_a_level_or_potential_out_of_range_is_refused(levels, potential, wrong):
    with pytest.raises(Invalid) as refused:
        stratify(levels, potential)
    assert refused.value.expression == wrong


def test_rivers_numbers_follow_from_the_raw_inputs():
    screening = score("ahc_hrsn", NO_NEED | {"93030-5": ["LA33-6"], "76513-1": ["LA22683-9"]})
    phq9 = in_order("phq9", [2, 2, 2, 2, 1, 1, 1, 1, 0])
    gad7 = in_order("gad7", [2, 1, 1, 1, 1, 1, 1])
    charlson = score("charlson", {"comorbidity": ["none"], "age": [30]})
    lace_score = score("lace", lace(21, True, ["none"], 0))
    katz = in_order("katz", [0, 0, 1, 0, 0, 1])
    assert (phq9.value, phq9.band.band, gad7.value, gad7.band.band) == (12, "moderate", 8, "mild")
    assert (charlson.value, lace_score.value, lace_score.band.band, katz.value) == (0, 10, "high", 2)
    assert (screening.positive_domains, screening.subtotals) == (("transport", "financial"), {"hits": 4})
    found = evaluate(
        {
            "charlson": charlson.value,
            "acute_severity": "catastrophic",
            "blood_pressure": category(118, 76),
            "phq9": phq9.value,
            "phq9_item_9": phq9.points["44260-8"],
            "gad7": gad7.value,
            "positive_domains": screening.positive_domains,
            "recent_inpatient": True,
            "lace": lace_score.value,
            "katz": katz.value,
            "hits": screening.subtotals["hits"],
        }
    )
    assert dict(found.levels) == of(3, 0, 2, 2, 3, 3)
    result = stratify(found.levels, 2, found.urgent_flags)
    assert (result.severity, result.tier, result.priority_score, result.urgent_flags) == (13, "complex", 39, ())


def test_almas_numbers_follow_from_the_raw_inputs():
    screening = score("ahc_hrsn", NO_NEED)
    phq2 = in_order("phq2", [2, 1])
    phq9 = in_order("phq9", [2, 1, 1, 1, 1, 1, 1, 1, 0])
    charlson = score("charlson", {"comorbidity": ["cerebrovascular", "diabetes", "hemiplegia"], "age": [78]})
    lace_score = score("lace", lace(6, True, ["cerebrovascular", "diabetes"], 1))
    katz = in_order("katz", [0, 0, 1, 0, 1, 1])
    falls = score("steadi", steadi("52552-7", "97875-9", "97876-7", "97878-3"))
    assert (phq2.value, phq2.positive, phq9.value, phq9.band.band) == (3, True, 9, "mild")
    assert (charlson.value, charlson.subtotals["age_adjusted"], lace_score.value) == (4, 7, 10)
    assert (katz.value, falls.value, falls.positive) == (3, 6, True)
    found = evaluate(
        {
            "charlson": charlson.value,
            "acute_severity": "moderate",
            "blood_pressure": category(148, 86),
            "phq9": phq9.value,
            "phq9_item_9": phq9.points["44260-8"],
            "positive_domains": screening.positive_domains,
            "recent_inpatient": True,
            "lace": lace_score.value,
            "katz": katz.value,
            "steadi": falls.value,
        }
    )
    assert dict(found.levels) == of(2, 2, 1, 0, 3, 2)
    result = stratify(found.levels, 2, found.urgent_flags)
    assert (result.severity, result.tier, result.priority_score) == (10, "high", 30)


def test_the_worklist_has_urgent_flags_first_then_priority_then_the_oldest_referral_then_the_case_number():
    calm = stratify(of(1, 1, 1, 1, 1, 1), 0)
    heavy = stratify(of(3, 0, 2, 2, 3, 3), 2)
    urgent = stratify(of(0, 0, 3, 0, 0, 0), 1, ("suicide_item",))
    entries = [
        worklist_order(calm, date(2025, 2, 1), "CM-2"),
        worklist_order(calm, date(2025, 2, 1), "CM-1"),
        worklist_order(calm, date(2025, 1, 1), "CM-3"),
        worklist_order(heavy, date(2025, 3, 1), "CM-4"),
        worklist_order(urgent, date(2025, 4, 1), "CM-5"),
    ]
    assert [case_number for *_, case_number in sorted(entries)] == ["CM-5", "CM-4", "CM-3", "CM-1", "CM-2"]


def test_a_site_may_use_a_policy_of_its_own():
    strict = msgspec.structs.replace(policy(), id="site", urgent_tier="complex")
    result = stratify(of(0, 0, 3, 0, 0, 0), 1, ("suicide_item",), strict)
    assert (result.policy, result.tier) == ("site", "complex")


def test_levels_have_names():
    assert [LEVEL_NAMES[level] for level in range(4)] == ["none", "low", "moderate", "high"]


def test_an_unknown_policy_is_not_found():
    with pytest.raises(NotFound):
        policy("stratification_0")


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"level": 3}', '"level": 4}', "$.factors[0]"),
        ('"from": 3, "level": 2', '"from": 9, "level": 2', "$.factors[0].rules[0]"),
        ('"urgent_tier": "high"', '"urgent_tier": "highest"', "the urgent tier is not one of the tiers"),
        ('"tier": "low", "from": 0', '"tier": "low", "from": 1', "the tiers do not start at 0"),
        ('"is": "none", "level"', '"level"', "$.factors[0].rules[1].levels[0]"),
    ],
)
def test_a_bad_policy_file_is_refused_by_name_and_path(old, new, where):
    text = resources.files("adapter.care.policies").joinpath("stratification_1.json").read_text()
    assert json.loads(text)
    with pytest.raises(Invalid, match=r"^site\.json: ") as refused:
        decode("site.json", text.replace(old, new, 1).encode(), Policy)
    assert where in refused.value.text
