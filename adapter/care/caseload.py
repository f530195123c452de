"""How much of a case manager's caseload a case takes (DOMAIN §3.6, suggested caseload cap)."""

from collections.abc import Iterable

FULL = 20
"""The most that a case manager has, in cases that each take one place (DOMAIN V-01)."""
_CAPS = {"brokerage": 20, "clinical": 20, "strengths_based": 20, "intensive": 10}


def weight(models: Iterable[str]) -> int:
    """The places that a case of these models takes: two of the 20 where a model caps at 10; the smallest cap counts."""
    return FULL // min((_CAPS.get(model, FULL) for model in models), default=FULL)
