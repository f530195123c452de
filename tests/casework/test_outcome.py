"""What came of a case, proposed from its record."""

from decimal import Decimal

import pytest

from adapter.casework.outcome import proposed
from adapter.errors import NotFound
from adapter.store.documents import Change
from tests.casework.shelf import Shelf


def money(value, currency="USD"):
    return {"value": Decimal(value), "currency": currency}


def statement(desk, id, start="2026-02-10", status="active", paid=None, billed=None):
    total = [{"category": {"coding": [{"code": "submitted"}]}, "amount": billed}] if billed else []
    raw = {"resourceType": "ExplanationOfBenefit", "status": status, "use": "claim", "patient": {"reference": "Patient/alma"}}
    raw |= {"billablePeriod": {"start": start}, "total": total} | ({"payment": {"amount": paid}} if paid else {})
    desk.repository.commit([Change("ExplanationOfBenefit", id, raw, 0)])


@pytest.fixture
def shelf(desk):
    shelf = Shelf(desk.repository)
    shelf.case("alma")
    return shelf


def test_stay_readmission_goals_and_visits_are_told_as_of_today(desk, shelf, time):
    """P-21, P-22, O-01, O-09, V-14, V-15"""
    shelf.stay("alma", "2026-02-03", "2026-02-09", id="first")
    shelf.stay("alma", "2026-02-20", "2026-02-20", id="visit", code="EMER")
    for id, achievement in (("g1", "achieved"), ("g2", "not_achieved")):
        shelf.of("goal", "Goal", id, "alma", lifecycle="active", achievement=achievement, description="Kanarifugl walks")
    found = proposed(desk.repository, "c-alma", time)
    assert found["readmission"] == {"index_discharge_at": "2026-02-09", "within_30_days": "pending", "computed_on": "2026-03-02"}
    assert (found["length_of_stay_days"], found["utilisation"]["ed_visits"]) == (6, 1)
    assert found["clinical_recovery"] == {"goal_attainment": Decimal("0.5")}
    time.forward(days=20)
    assert proposed(desk.repository, "c-alma", time)["readmission"]["within_30_days"] == "no"
    shelf.stay("alma", "2026-03-11", id="second")
    assert proposed(desk.repository, "c-alma", time)["readmission"]["encounter"] == "Encounter/second-alma"


def test_expected_and_actual_cost_are_those_of_the_plan_and_of_the_insurer_s_statements(desk, shelf, time):
    """O-08, C-06"""
    service = {"status": "completed", "intent": "order", "kind": "therapy", "description": "Kanarifugl", "estimated_cost": money(10000)}
    shelf.of("planned_service", "ServiceRequest", "s1", "alma", **service)
    statement(desk, "e1", paid=money(8000), billed=money(9999))
    statement(desk, "e2", billed=money(500))
    statement(desk, "cancelled", status="cancelled", paid=money(77))
    statement(desk, "before", start="2025-01-01", paid=money(77))
    cost = proposed(desk.repository, "c-alma", time)["cost"]
    assert (cost["expected"], cost["actual"], cost["saving"]) == (money(10000), money(8500), money(1500))
    assert cost["method"]


def test_of_a_case_that_is_not_here_nothing_is_said(desk):
    with pytest.raises(NotFound):
        proposed(desk.repository, "nobody")
