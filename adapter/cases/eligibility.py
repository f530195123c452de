"""What in the record speaks for case management: markers of complexity, age and transition (DOMAIN C-05)."""

from datetime import timedelta

from adapter.cases.facts import Situation, day, latest
from adapter.cases.record import Fields
from adapter.cases.stays import INPATIENT

MARKERS = ("complex", "chronic", "multi_chronic", "elderly", "transitioning", "high_risk")
OLD = 65
"""From this age on a client is elderly, in years."""
SEVERAL = 2
"""So many chronic conditions are several."""
_STANDING = ("active", "recurrence", "relapse")
_RULED_OUT = ("refuted", "entered_in_error")
_AFTER_DISCHARGE = timedelta(days=30)


def markers(now: Situation) -> list[str]:
    """The case's markers: those that somebody set, and those that the record shows at this moment."""
    tier = latest(now.facts.of("risk_evaluation"), "at").get("tier", now.case.get("tier"))
    chronic = len({_name(condition) for condition in now.facts.of("condition").values() if _chronic(condition)})
    shown = {
        "complex": tier == "complex",
        "chronic": chronic > 0,
        "multi_chronic": chronic >= SEVERAL,
        "elderly": _age(now) >= OLD,
        "transitioning": any(_between_settings(stay, now.at) for stay in now.facts.of("encounter").values()),
        "high_risk": tier in ("high", "complex"),
    }
    return [name for name in MARKERS if shown[name] or name in now.case.get("eligibility_markers", [])]


def _chronic(condition: Fields) -> bool:
    """Whether it is on the problem list, stands, and was not ruled out."""
    listed = any(category.get("code") == "problem-list-item" for category in condition.get("categories", []))
    return listed and condition.get("clinical_status") in _STANDING and condition.get("verification_status") not in _RULED_OUT


def _name(condition: Fields) -> tuple[str | None, str | None]:
    code = condition["code"]
    return code.get("system"), code.get("code", code.get("text"))


def _age(now: Situation) -> int:
    born = now.facts.of("client").get(now.case["client"], {}).get("birth_date")
    if born is None:
        return 0
    birth, today = day(born), day(now.at)
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


def _between_settings(stay: Fields, at: str) -> bool:
    if stay["encounter_class"].get("code") not in INPATIENT or stay["status"] in ("planned", "cancelled", "entered_in_error"):
        return False
    end = stay.get("period", {}).get("end")
    return end is None or timedelta() <= day(at) - day(end) <= _AFTER_DISCHARGE
