"""What is due in a case, and when."""

from datetime import date

import pytest

from adapter.care.follow_up import policy
from adapter.cases.schedule import Due, business_day, dues

AT = "2026-03-20T09:00:00Z"


def case(step="follow_up", tier="high", models=("clinical",), **fields):
    history = [{"step": "implementation", "period": {"start": "2026-03-02T09:00:00Z"}}, {"step": step, "period": {"start": "2026-03-06"}}]
    followed = [{"model": model, "primary": not place} for place, model in enumerate(models)]
    return {"step": step, "tier": tier, "models": followed, "opened_at": "2026-02-20", "status_history": history} | fields


def contact(day, source="client", status="completed", **fields):
    return {"source": source, "status": status, "occurred_at": f"{day}T10:00:00Z"} | fields


def contact_due(case, *contacts, source="client"):
    return next((due for due in dues(case, contacts, AT, policy()) if (due.kind, due.source) == ("contact", source)), None)


@pytest.mark.parametrize(("tier", "day"), [("low", 30), ("rising", 14), ("high", 7), ("complex", 3)])
def test_the_time_between_contacts_hangs_on_the_tier(tier, day):
    """V-13, P-26"""
    found = contact_due(case(tier=tier), contact("2026-03-10"))
    assert (found.day - date(2026, 3, 10)).days == day


@pytest.mark.parametrize(("models", "day"), [(("intensive",), 2), (("brokerage",), 30), (("brokerage", "clinical"), 7)])
def test_and_on_the_models_of_which_the_smallest_interval_counts(models, day):
    """V-13, M-05"""
    found = contact_due(case(models=models), contact("2026-03-10"))
    assert (found.day - date(2026, 3, 10)).days == day


def test_brokerage_has_the_providers_asked_as_often_as_the_tier_demands():
    """V-13, M-01"""
    broker = case(models=("brokerage",))
    found = contact_due(broker, contact("2026-03-10"), contact("2026-03-12", "provider"), source="provider")
    assert found.day == date(2026, 3, 19)


def test_the_eighth_day_without_a_contact_of_seven_is_overdue():
    """P-26, V-13"""
    found = contact_due(case(), contact("2026-03-10"))
    assert [found.overdue(date(2026, 3, day)) for day in (17, 18)] == [False, True]
    assert [found.escalated(date(2026, 3, day)) for day in (24, 25)] == [False, True]
    assert found.escalates == date(2026, 3, 25)


def test_what_was_agreed_makes_the_next_contact_earlier_and_never_later():
    assert contact_due(case(), contact("2026-03-10", next_contact_due="2026-03-12")).day == date(2026, 3, 12)
    assert contact_due(case(), contact("2026-03-10", next_contact_due="2026-04-30")).day == date(2026, 3, 17)


def test_a_contact_that_did_not_come_about_is_none():
    """V-13"""
    tried = [contact("2026-03-10"), contact("2026-03-16", status="attempted"), contact("2026-03-16", "provider")]
    assert contact_due(case(), *tried).since == date(2026, 3, 10)


def test_before_the_first_contact_the_time_runs_from_the_active_plan():
    assert contact_due(case()).since == date(2026, 3, 2)


def test_outside_of_implementation_and_follow_up_no_contact_is_due():
    assert contact_due(case("planning")) is None
    assert dues(case("closed"), [], AT, policy()) == []


def test_a_step_is_due_so_many_business_days_after_it_began():
    """C-12"""
    assert dues(case("planning"), [], AT, policy()) == [Due(date(2026, 3, 13), "step", date(2026, 3, 6))]


def test_the_review_of_outcomes_is_due_ten_business_days_after_the_last_contact():
    found = dues(case("outcome_evaluation"), [contact("2026-03-10")], AT, policy())
    assert found == [Due(date(2026, 3, 24), "step", date(2026, 3, 10))]


def test_the_first_service_of_an_intensive_case_begins_within_two_days_of_its_opening():
    """M-04"""
    [found] = [due for due in dues(case("implementation", models=("intensive",)), [], AT, policy()) if due.kind == "service"]
    assert (found.since, found.day) == (date(2026, 2, 20), date(2026, 2, 22))
    [usual] = [due for due in dues(case("implementation"), [], AT, policy()) if due.kind == "service"]
    assert usual.day == date(2026, 3, 13)


def test_business_days_leave_the_weekend_out():
    friday = date(2026, 3, 6)
    assert [business_day(friday, number) for number in (0, 1, 5, 6)] == [friday, date(2026, 3, 9), date(2026, 3, 13), date(2026, 3, 16)]
