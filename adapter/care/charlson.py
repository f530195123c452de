"""What a Charlson index says about survival: Charlson, Pompei, Ales and MacKenzie, J Chronic Dis 1987;40:373-383."""

from decimal import Decimal
from math import exp


def ten_year_survival(age_adjusted: int) -> Decimal:
    """The estimated ten-year survival in percent, to one decimal, for an age-adjusted Charlson index under the 1987 weights."""
    return Decimal(100 * 0.983 ** exp(0.9 * age_adjusted)).quantize(Decimal("0.1"))
