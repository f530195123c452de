"""What a case manager's credentials allow: which are lapsed, and whether the exam for Certified Case Manager is open (K-01 to K-04)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from adapter.cases.facts import covers
from adapter.cases.record import Fields

LICENCES = ("RN", "LCSW", "other_license")
WORK_SHARE = Decimal("0.30")
"""From this share of case management in their work on, as 0 to 1."""
FIELDS = (
    "social work",
    "nursing",
    "psychology",
    "counseling",
    "counselling",
    "public health",
    "health",
    "human services",
    "rehabilitation",
)
"""Words of the fields of a degree in social work, nursing or another health or human services field."""

Verdict = Literal["pass", "fail", "unknown"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class CcmEligibility:
    """Three separate checks, each passed, failed, or unknown where the record does not say; failed as a whole where one is."""

    work_share: Verdict
    licence: Verdict
    degree: Verdict

    @property
    def overall(self) -> Verdict:
        parts = (self.work_share, self.licence, self.degree)
        return "fail" if "fail" in parts else "unknown" if "unknown" in parts else "pass"


def ccm_eligibility(manager: Fields, at: str) -> CcmEligibility:
    """Whether the case manager may sit the exam, by their record at that moment."""
    share = manager.get("case_management_work_share")
    held = manager.get("credentials", [])
    return CcmEligibility(
        "unknown" if share is None else "pass" if share >= WORK_SHARE else "fail",
        _best([_licence(each, at) for each in held if each["kind"] in LICENCES]),
        _best([_degree(each) for each in held if each["kind"] == "degree"]),
    )


def lapsed(manager: Fields, at: str) -> list[str]:
    """The kinds of credentials that were held and are not in force at that moment, each once, in the order of the record."""
    held = manager.get("credentials", [])
    valid = {each["kind"] for each in held if in_force(each, at)}
    return list(dict.fromkeys(each["kind"] for each in held if each["kind"] not in valid))


def in_force(credential: Fields, at: str) -> bool:
    """Whether it is within its period and not said to be inactive."""
    return credential.get("active", True) and covers(credential.get("period"), at)


def certified(manager: Fields, at: str) -> bool:
    """Whether they are a Certified Case Manager at that moment."""
    return any(each["kind"] == "CCM" and in_force(each, at) for each in manager.get("credentials", []))


def _licence(credential: Fields, at: str) -> Verdict:
    """Current, active and unrestricted."""
    if not in_force(credential, at) or credential.get("unrestricted") is False:
        return "fail"
    return "pass" if {"active", "unrestricted"} <= credential.keys() else "unknown"


def _degree(credential: Fields) -> Verdict:
    if "degree_level" not in credential or "field" not in credential:
        return "unknown"
    return "pass" if any(word in credential["field"].casefold() for word in FIELDS) else "fail"


def _best(verdicts: list[Verdict]) -> Verdict:
    """One that passes is enough; nothing recorded is not known."""
    ranked: tuple[Verdict, ...] = ("pass", "unknown", "fail")
    return next((verdict for verdict in ranked if verdict in verdicts), "unknown")
