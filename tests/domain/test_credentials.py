"""K: what a case manager's credentials allow."""

import pytest

LICENCE = {"kind": "RN", "number": "1", "active": True, "unrestricted": True, "period": {"start": "2020-01-01", "end": "2027-12-31"}}


@pytest.fixture
def checked(office, api):
    """What is said of the credentials of a case manager with these fields."""

    def ask(**fields):
        return api.get(f"case-managers/{office.manager(**fields).partition('/')[2]}/credentials")

    return ask


def test_a_certificate_that_is_over_is_shown_as_lapsed(office, checked):
    """K-01"""
    issuer = office.organization("other", name="Commission for Case Manager Certification")
    for end, lapsed in (("2025-12-31", ["CCM"]), ("2027-12-31", [])):
        certificate = {"kind": "CCM", "number": "1", "issuer": issuer, "active": True, "period": {"start": "2021-01-01", "end": end}}
        assert checked(credentials=[certificate, LICENCE])["lapsed"] == lapsed


@pytest.mark.parametrize(("share", "verdict"), [(0.29, "fail"), (0.3, "pass"), (None, "unknown")])
def test_the_exam_needs_three_tenths_of_the_work_to_be_case_management(checked, share, verdict):
    """K-02"""
    assert checked(**({} if share is None else {"case_management_work_share": share}))["work_share"] == verdict


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "pass"),
        ({"active": False}, "fail"),
        ({"unrestricted": False}, "fail"),
        ({"period": {"start": "2020-01-01", "end": "2025-12-31"}}, "fail"),
    ],
)
def test_a_licence_counts_that_is_current_active_and_unrestricted(checked, change, verdict):
    """K-03"""
    assert checked(credentials=[LICENCE | change])["licence"] == verdict


@pytest.mark.parametrize(("field", "verdict"), [("nursing", "pass"), ("social work", "pass"), ("architecture", "fail")])
def test_a_degree_counts_that_is_in_a_health_or_human_services_field(checked, field, verdict):
    """K-04"""
    degree = {"kind": "degree", "number": "1", "degree_level": "bachelor", "field": field}
    found = checked(credentials=[degree, LICENCE], case_management_work_share=0.5)
    assert (found["degree"], found["overall"]) == (verdict, verdict)


def test_who_is_no_nurse_leads_a_case_that_is_not_clinical(office):
    """K-05"""
    manager = office.manager(discipline="social_worker")
    case = office.case("screening", case_manager=manager)
    assert (case["case_manager"], case["step"]) == (manager, "screening")
