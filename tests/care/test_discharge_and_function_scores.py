"""The vectors of DOMAIN sections 6.8 to 6.12: readmission, comorbidity, daily activities and falls."""

from decimal import Decimal

import pytest

from adapter.care.charlson import ten_year_survival
from adapter.care.instrument import load
from adapter.care.scoring import score
from adapter.errors import Invalid
from tests.care.answers import band, digits, in_order, lace, steadi

DISEASES_BY_LACE_WEIGHT = {
    0: ["none"],
    2: ["cerebrovascular", "diabetes"],
    3: ["dementia"],
    4: ["aids"],
    9: ["metastatic_tumour", "dementia"],
}


@pytest.mark.parametrize(
    ("days", "acute", "comorbidity", "visits", "value", "name"),
    [
        (0, False, 0, 0, 0, "low"),
        (1, False, 0, 0, 1, "low"),
        (3, True, 0, 0, 6, "moderate"),
        (6, True, 2, 1, 10, "high"),
        (21, True, 0, 0, 10, "high"),
        (7, False, 3, 1, 9, "moderate"),
        (14, True, 4, 4, 19, "high"),
        (30, True, 9, 9, 19, "high"),
    ],
)
def test_lace_adds_stay_acuity_comorbidity_and_emergency_visits(days, acute, comorbidity, visits, value, name):
    result = in_order("lace", [days, acute])
    assert result.value is None
    result = score("lace", lace(days, acute, DISEASES_BY_LACE_WEIGHT[comorbidity], visits))
    assert (result.value, band(result)) == (value, name)


@pytest.mark.parametrize(
    ("diseases", "points"),
    [
        (["diabetes", "diabetes_end_organ"], 2),
        (["mild_liver_or_renal", "moderate_severe_liver_or_renal"], 5),
        (["tumour", "metastatic_tumour"], 5),
        (["diabetes_end_organ", "myocardial_infarction"], 3),
    ],
)
def test_lace_counts_the_heavier_of_paired_diseases(diseases, points):
    assert score("lace", lace(0, False, diseases, 0)).value == points


def test_the_modified_lace_gives_a_long_stay_six_points():
    assert score("lace", lace(14, False, ["none"], 0), method="modified").value == 6


def hospital(hb: str, oncology: bool, na: int, procedure: bool, urgent: bool, admissions: int, days: int):
    values = [Decimal(hb), oncology, na, procedure, urgent, admissions, days]
    return {item.link_id: [value] for item, value in zip(load("hospital").items, values, strict=True)}


@pytest.mark.parametrize(
    ("stay", "of_2016", "of_2013"),
    [
        (hospital("13", False, 140, False, False, 0, 2), (0, "low"), (0, "low")),
        (hospital("12.8", False, 134, False, True, 1, 6), (4, "low"), (6, "intermediate")),
        (hospital("11.9", True, 134, True, True, 6, 5), (13, "high"), (13, "high")),
        (hospital("12.0", False, 135, False, False, 2, 4), (2, "low"), (2, "low")),
        (hospital("11.9", False, 134, True, True, 2, 5), (8, "high"), (8, "high")),
    ],
)
def test_the_hospital_score_says_which_version_it_is(stay, of_2016, of_2013):
    for method, expected in ((None, of_2016), ("2016", of_2016), ("2013", of_2013)):
        result = score("hospital", stay, method=method)
        assert ((result.value, band(result)), result.method) == (expected, method or "2016")


@pytest.mark.parametrize(("admissions", "value", "name"), [(6, 12, "likely"), (0, 7, "likely")])
def test_the_simplified_hospital_score_has_no_procedure_and_two_groups(admissions, value, name):
    stay = hospital("11.9", True, 134, True, True, admissions, 5)
    with pytest.raises(Invalid):
        score("hospital", stay, method="simplified2017")
    del stay["procedure"]
    result = score("hospital", stay, method="simplified2017")
    assert (result.value, band(result)) == (value, name)


@pytest.mark.parametrize(
    ("diseases", "age", "unadjusted", "adjusted"),
    [
        (["none"], 45, 0, 0),
        (["myocardial_infarction", "diabetes"], 62, 2, 4),
        (["cerebrovascular", "diabetes", "hemiplegia"], 78, 4, 7),
        (["diabetes", "diabetes_end_organ"], 40, 2, 2),
        (["tumour", "metastatic_tumour"], 81, 6, 10),
        (["mild_liver", "moderate_severe_liver"], 49, 3, 3),
    ],
)
def test_charlson_takes_the_heavier_of_paired_diseases_and_adjusts_for_age(diseases, age, unadjusted, adjusted):
    result = score("charlson", {"comorbidity": diseases, "age": [age]})
    assert (result.value, result.subtotals) == (unadjusted, {"age_adjusted": adjusted})
    assert score("charlson", {"comorbidity": diseases}).subtotals == {"age_adjusted": None}


@pytest.mark.parametrize(
    ("diseases", "value"),
    [
        (["cerebrovascular", "diabetes", "hemiplegia"], 2),
        (["tumour", "leukaemia", "lymphoma"], 2),
        (["lymphoma", "metastatic_tumour", "aids"], 10),
    ],
)
def test_charlson_under_the_weights_of_2011_counts_one_cancer(diseases, value):
    assert score("charlson", {"comorbidity": diseases}, method="quan2011").value == value


@pytest.mark.parametrize(("adjusted", "percent"), [(0, "98.3"), (4, "53.4"), (37, "0.0")])
def test_survival_follows_from_the_age_adjusted_charlson(adjusted, percent):
    assert ten_year_survival(adjusted) == Decimal(percent)


@pytest.mark.parametrize(
    ("answers", "value", "name"),
    [
        ("111111", 6, "independent"),
        ("011111", 5, "moderate_impairment"),
        ("001011", 3, "moderate_impairment"),
        ("000011", 2, "severe_impairment"),
        ("000000", 0, "severe_impairment"),
    ],
)
def test_katz_counts_the_activities_done_independently(answers, value, name):
    result = in_order("katz", digits(answers))
    assert (result.value, band(result)) == (value, name)


@pytest.mark.parametrize(
    ("yes", "value", "at_risk", "assess"),
    [
        ((), 0, False, False),
        (("52552-7", "97875-9"), 4, True, True),
        (("52552-7", "97876-7"), 3, False, True),
        (("97875-9", "97877-5"), 3, False, False),
        (tuple(item.link_id for item in load("steadi").items), 14, True, True),
    ],
)
def test_steadi_is_at_risk_from_four_and_a_key_question_alone_asks_for_an_assessment(yes, value, at_risk, assess):
    result = score("steadi", steadi(*yes))
    assert (result.value, result.positive, band(result)) == (value, at_risk, "at_risk" if at_risk else "not_at_risk")
    assert result.advice == (("assess_key_question",) if assess else ())


@pytest.mark.parametrize(
    ("answers", "value", "name"),
    [
        ((0, 0, 0, 0, 0, 0), 0, "low"),
        ((25, 0, 0, 0, 0, 0), 25, "moderate"),
        ((0, 15, 15, 0, 10, 0), 40, "moderate"),
        ((25, 15, 15, 0, 10, 0), 65, "high"),
        ((25, 15, 30, 20, 20, 15), 125, "high"),
    ],
)
def test_morse_sums_six_items(answers, value, name):
    result = in_order("morse", list(answers))
    assert (result.value, band(result)) == (value, name)
