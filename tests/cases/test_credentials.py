"""Credentials: what is lapsed, and who may sit the exam."""

from decimal import Decimal

import pytest

from adapter.cases.credentials import ccm_eligibility, certified, lapsed

AT = "2026-03-02T09:00:00Z"
LICENCE = {"kind": "RN", "active": True, "unrestricted": True, "period": {"start": "2020-01-01", "end": "2026-12-31"}}
DEGREE = {"kind": "degree", "degree_level": "bachelor", "field": "Nursing"}


@pytest.mark.parametrize(("share", "verdict"), [(Decimal("0.29"), "fail"), (Decimal("0.30"), "pass"), (None, "unknown")])
def test_three_tenths_of_the_work_are_case_management(share, verdict):
    """K-02"""
    assert ccm_eligibility({} if share is None else {"case_management_work_share": share}, AT).work_share == verdict


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "pass"),
        ({"active": False}, "fail"),
        ({"unrestricted": False}, "fail"),
        ({"period": {"end": "2026-03-01"}}, "fail"),
        ({"kind": "degree"}, "unknown"),
    ],
)
def test_a_licence_is_current_active_and_unrestricted(change, verdict):
    """K-03"""
    assert ccm_eligibility({"credentials": [LICENCE | change]}, AT).licence == verdict


def test_a_licence_of_which_the_status_is_not_known_is_not_judged():
    """K-03"""
    bare = {name: value for name, value in LICENCE.items() if name != "unrestricted"}
    assert ccm_eligibility({"credentials": [bare]}, AT).licence == "unknown"
    assert ccm_eligibility({"credentials": [bare, LICENCE]}, AT).licence == "pass"


@pytest.mark.parametrize(
    ("field", "verdict"),
    [("Nursing", "pass"), ("Social Work", "pass"), ("Public health", "pass"), ("Fine arts", "fail"), (None, "unknown")],
)
def test_a_degree_is_in_health_or_human_services(field, verdict):
    """K-04"""
    degree = DEGREE | {"field": field} if field else {"kind": "degree"}
    assert ccm_eligibility({"credentials": [degree]}, AT).degree == verdict


def test_who_fails_one_check_fails_and_who_misses_one_is_not_judged():
    """X9, K-02, K-03, K-04"""
    whole = {"case_management_work_share": Decimal("0.85"), "credentials": [LICENCE, DEGREE]}
    assert ccm_eligibility(whole, AT).overall == "pass"
    assert ccm_eligibility(whole | {"credentials": [LICENCE]}, AT).overall == "unknown"
    assert ccm_eligibility(whole | {"credentials": [LICENCE | {"active": False}]}, AT).overall == "fail"


def test_a_certificate_that_ended_is_lapsed_until_there_is_another():
    """K-01"""
    ended = {"kind": "CCM", "period": {"end": "2026-01-31"}}
    assert lapsed({"credentials": [ended, LICENCE]}, AT) == ["CCM"]
    assert not certified({"credentials": [ended]}, AT)
    renewed = {"credentials": [ended, {"kind": "CCM", "period": {"start": "2026-02-01"}}]}
    assert lapsed(renewed, AT) == []
    assert certified(renewed, AT)
