"""Blood pressure categories for adults, ACC/AHA 2017 (doi:10.1161/HYP.0000000000000065)."""

from decimal import Decimal
from typing import Literal

from adapter.errors import RuleViolated

Category = Literal["normal", "elevated", "stage_1", "stage_2", "crisis"]

UNIT = "mm[Hg]"

# V-06: the lowest and highest plausible values.
_SYSTOLIC = (40, 300)
_DIASTOLIC = (20, 200)

# Above 180/120 is a crisis; 180/120 itself is stage 2.
_CRISIS = (180, 120)
# From this systolic or this diastolic on. Elevated is a matter of the systolic alone.
_FROM: tuple[tuple[Category, int, int | None], ...] = (
    ("stage_2", 140, 90),
    ("stage_1", 130, 80),
    ("elevated", 120, None),
)


def category(systolic: int | Decimal, diastolic: int | Decimal, unit: str = UNIT) -> Category:
    """The category of a reading, or better of the mean of two or more, in mm[Hg].

    Raises RuleViolated with code `bp_implausible` (V-06) for another unit, values out of range, or systolic not above diastolic.
    """
    wrong = [
        name
        for name, value, (lowest, highest) in (("systolic", systolic, _SYSTOLIC), ("diastolic", diastolic, _DIASTOLIC))
        if not lowest <= value <= highest
    ]
    if unit != UNIT:
        wrong.append("unit")
    if not wrong and systolic <= diastolic:
        wrong = ["systolic", "diastolic"]
    if wrong:
        raise RuleViolated("The blood pressure is not plausible.", code="bp_implausible", expression=wrong)
    if systolic > _CRISIS[0] or diastolic > _CRISIS[1]:
        return "crisis"
    for name, from_systolic, from_diastolic in _FROM:
        if systolic >= from_systolic or (from_diastolic is not None and diastolic >= from_diastolic):
            return name
    return "normal"
