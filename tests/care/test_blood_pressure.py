from decimal import Decimal

import pytest

from adapter.care.blood_pressure import category
from adapter.errors import RuleViolated


@pytest.mark.parametrize(
    ("systolic", "diastolic", "expected"),
    [
        (119, 79, "normal"),
        (120, 79, "elevated"),
        (119, 80, "stage_1"),
        (129, 79, "elevated"),
        (130, 79, "stage_1"),
        (139, 89, "stage_1"),
        (140, 70, "stage_2"),
        (120, 90, "stage_2"),
        (180, 120, "stage_2"),
        (181, 80, "crisis"),
        (150, 121, "crisis"),
        (Decimal("180.5"), 80, "crisis"),
        (Decimal("129.5"), Decimal("79.5"), "elevated"),
        (300, 200, "crisis"),
        (40, 20, "normal"),
    ],
)
def test_the_higher_category_of_systolic_and_diastolic_counts(systolic, diastolic, expected):
    assert category(systolic, diastolic) == expected


@pytest.mark.parametrize(
    ("systolic", "diastolic", "unit", "wrong"),
    [
        (80, 120, "mm[Hg]", ("systolic", "diastolic")),
        (80, 80, "mm[Hg]", ("systolic", "diastolic")),
        (301, 80, "mm[Hg]", ("systolic",)),
        (39, 20, "mm[Hg]", ("systolic",)),
        (210, 201, "mm[Hg]", ("diastolic",)),
        (120, 19, "mm[Hg]", ("diastolic",)),
        (120, 80, "kPa", ("unit",)),
    ],
)
def test_an_implausible_reading_is_refused(systolic, diastolic, unit, wrong):
    with pytest.raises(RuleViolated) as refused:
        category(systolic, diastolic, unit)
    assert (refused.value.code, refused.value.expression) == ("bp_implausible", wrong)
