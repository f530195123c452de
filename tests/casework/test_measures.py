"""What is measured: O-01 to O-09."""

import csv
import io
from datetime import date, timedelta
from decimal import Decimal

import pytest

from adapter.casework.measures import Period, definitions, evaluate
from adapter.casework.measures.counting import GROUPS
from adapter.casework.measures.definitions import measure
from adapter.casework.measures.report import as_csv, as_json, measure_report
from adapter.errors import Invalid, NotFound
from adapter.fhir.resource import check_structure
from tests.casework.conftest import SAM
from tests.casework.shelf import Shelf

FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))
JANUARY = Period(date(2026, 1, 1), date(2026, 1, 31))


@pytest.fixture
def shelf(desk):
    return Shelf(desk.repository)


@pytest.fixture
def measured(desk):
    def measured(id, period=FEBRUARY, by=None, group=0, **more):
        return evaluate(desk.repository, id, period, by, **more).groups[group]

    return measured


def counts(tally):
    return tally.initial, tally.denominator, tally.numerator


def test_stays_of_four_six_and_eight_days_last_six_on_average(shelf, measured):
    """O-01"""
    for name, days in (("a", 4), ("b", 6), ("c", 8)):
        shelf.case(name, opened="2026-01-01T00:00:00Z")
        shelf.stay(name, "2026-02-02", str(date(2026, 2, 2) + timedelta(days=days)))
    found = measured("length-of-stay")
    assert found.whole.statistics == {"mean": 6, "median": 6, "minimum": 4, "maximum": 8, "sum": 18}


@pytest.fixture
def twenty(shelf):
    """20 index discharges: one followed on day 30, two earlier, one on day 31, one by a planned stay."""
    start = date(2026, 1, 10)
    after = {0: 30, 1: 5, 2: 1, 3: 31, 4: 7}
    for number in range(20):
        name = f"p{number}"
        manager = {"case_manager": SAM} if number % 2 else {}
        tier = "high" if number < 2 else "low"
        shelf.case(name, opened="2026-01-01T00:00:00Z", tier=tier, **manager)
        shelf.stay(name, "2026-01-05", str(start), id="first")
        if number in after:
            planned = {"priority": {"code": "EL"}} if number == 4 else {}
            shelf.stay(name, str(start + timedelta(days=after[number])), id="second", **planned)


def test_three_of_twenty_discharges_were_followed_by_a_readmission(twenty, measured):
    """O-02, V-15, C-14"""
    found = measured("readmission-30-days", JANUARY)
    assert (counts(found.whole), found.whole.rate) == ((20, 20, 3), Decimal("0.15"))
    assert [unit.of for unit in found.members] == ["Encounter/first-p0", "Encounter/first-p1", "Encounter/first-p2"]


def test_a_rate_is_told_by_manager_model_tier_and_month(twenty, measured):
    """O-02, C-14"""
    by = {name: measured("readmission-30-days", JANUARY, name).strata for name in ("manager", "model", "tier", "month")}
    assert {value: counts(tally) for value, tally in by["manager"].items()} == {"Practitioner/dana": (10, 10, 2), SAM: (10, 10, 1)}
    assert {value: counts(tally) for value, tally in by["tier"].items()} == {"high": (2, 2, 2), "low": (18, 18, 1)}
    assert [*by["model"]] == ["clinical"]
    assert [*by["month"]] == ["2026-01"]


def test_a_discharge_whose_thirty_days_run_is_not_counted_yet(shelf, measured):
    """O-02, V-15"""
    shelf.case("a", opened="2026-01-01T00:00:00Z")
    shelf.stay("a", "2026-02-20", "2026-02-25")
    assert counts(measured("readmission-30-days").whole) == (1, 0, 0)


def test_what_belongs_to_no_case_is_not_measured(shelf, measured):
    """C-15"""
    shelf.case("a", opened="2026-02-20T00:00:00Z")
    shelf.stay("a", "2026-02-01", "2026-02-05", id="before", case="EpisodeOfCare/other")
    assert counts(measured("length-of-stay").whole) == (0, 0, 0)


def test_cases_with_an_emergency_visit_and_services_ordered_twice_are_told(shelf, measured):
    """O-03"""
    for name in ("a", "b"):
        shelf.case(name, opened="2026-01-01T00:00:00Z")
    shelf.stay("a", "2026-02-03", "2026-02-03", code="EMER")
    shelf.stay("b", "2025-02-03", "2025-02-03", code="EMER")
    therapy = {"status": "in_progress", "intent": "order", "kind": "therapy", "description": "Kanarifugl"}
    therapy["code"] = {"system": "http://snomed.info/sct", "code": "91251008"}
    for id, start, end in (("one", "2026-02-01", "2026-02-20"), ("two", "2026-02-10", "2026-03-01"), ("three", "2026-03-02", "2026-03-09")):
        shelf.of("planned_service", "ServiceRequest", id, "a", **therapy, timing={"start": start, "end": end})
    assert counts(measured("utilisation").whole) == (2, 2, 1)
    assert counts(measured("utilisation", group=1).whole) == (2, 2, 2)


def outcome(shelf, name, day="2026-02-10", **fields):
    shelf.case(name, step="closed", status="finished", opened="2026-01-01T00:00:00Z", closed_at=day)
    return shelf.of("outcome", "QuestionnaireResponse", f"o-{name}", name, status="completed", reviewed_at=f"{day}T10:00:00Z", **fields)


def well(change):
    return {"well_being": {"final": "good", "scale": "self-rated health", "change": change}}


def test_the_share_of_clients_who_are_better_than_before(shelf, measured):
    """O-04"""
    for name, change in (("a", "improved"), ("b", "worse"), ("c", "unknown"), ("d", "same")):
        outcome(shelf, name, **well(change))
    assert counts(measured("well-being").whole) == (4, 3, 1)


def test_the_share_of_outcomes_with_the_client_s_experience(shelf, measured):
    """O-06"""
    outcome(shelf, "a", experience="Kanarifugl felt listened to")
    outcome(shelf, "b")
    assert counts(measured("experience").whole) == (2, 2, 1)


def money(value, currency="USD"):
    return {"value": Decimal(value), "currency": currency}


def test_ten_thousand_expected_and_eight_and_a_half_spent_are_fifteen_percent_saved(shelf, desk, measured):
    """O-08"""
    outcome(shelf, "a", cost={"expected": money(10000), "actual": money(8500)})
    outcome(shelf, "b", cost={"expected": money(100)})
    found = measured("cost")
    assert (found.whole.statistics["sum"], found.whole.statistics["saved"]) == (1500, Decimal("0.15"))
    assert (found.whole.initial, found.whole.denominator) == (2, 1)
    raw = measure_report(evaluate(desk.repository, "cost", FEBRUARY), "summary", desk.now())
    assert raw["group"][0]["measureScore"] == {"value": 1500, "unit": "USD", "system": "urn:iso:std:iso:4217", "code": "USD"}


def test_amounts_of_several_currencies_have_no_mean_together(shelf, desk):
    """O-08"""
    outcome(shelf, "a", cost={"expected": money(10000), "actual": money(8500)})
    outcome(shelf, "b", cost={"expected": money(100, "EUR"), "actual": money(90, "EUR")})
    raw = measure_report(evaluate(desk.repository, "cost", FEBRUARY, "currency"), "summary", desk.now())
    [group] = raw["group"]
    assert "measureScore" not in group
    scores = {each["value"]["text"]: each["measureScore"]["value"] for each in group["stratifier"][0]["stratum"]}
    assert scores == {"EUR": 10, "USD": 1500}


def test_eight_of_ten_activities_were_done(shelf, measured):
    """O-07"""
    shelf.case("a", opened="2026-01-01T00:00:00Z")
    for number in range(12):
        status = "fulfilled" if number < 8 else "noshow" if number < 10 else "cancelled"
        at = {"start": f"2026-02-{number + 1:02}T09:00:00Z", "end": f"2026-02-{number + 1:02}T10:00:00Z"}
        shelf.of("appointment", "Appointment", f"a{number}", "a", status=status, client_attendance="accepted", **at)
    found = measured("adherence")
    assert (counts(found.whole), found.whole.rate) == ((10, 10, 8), Decimal("0.8"))


def test_three_of_four_goals_were_reached(shelf, measured):
    """O-09, O-05"""
    shelf.case("a", opened="2026-01-01T00:00:00Z")
    for number, achievement in enumerate(("achieved", "sustaining", "achieved", "not_achieved", "achieved")):
        lifecycle = "cancelled" if number == 4 else "active"
        fields = {"lifecycle": lifecycle, "achievement": achievement, "achievement_at": "2026-02-10", "description": "Kanarifugl walks"}
        shelf.of("goal", "Goal", f"g{number}", "a", **fields)
    for found in (measured("goal-attainment"), measured("quality", group=2)):
        assert (counts(found.whole), found.whole.rate) == ((5, 4, 3), Decimal("0.75"))


def test_the_quality_of_plans_and_contacts_has_numerators_and_denominators_as_of_a_day(shelf, desk, measured):
    """O-05, P-07"""
    shelf.case("a", opened="2026-01-01T00:00:00Z")
    parts = {
        "goals": ["Goal/1"],
        "services": ["ServiceRequest/1"],
        "schedule": ["Appointment/1"],
        "no_resource_applicable": True,
        "medical_necessity": {"summary": "Kanarifugl", "services_determined": True},
        "social_situation": {"summary": "Kanarifugl", "none_identified": True},
    }
    plan = {"status": "active", "intent": "plan", "period": {"start": "2026-02-03"}}
    shelf.of("plan", "CarePlan", "whole", "a", **plan, **parts)
    shelf.of("plan", "CarePlan", "part", "a", **plan, **{name: value for name, value in parts.items() if name != "schedule"})
    for day, due in (
        ("2026-02-02", "2026-02-05"),
        ("2026-02-04", "2026-02-06"),
        ("2026-02-10", "2026-02-12"),
        ("2026-02-20", "2026-03-30"),
    ):
        shelf.contact("a", f"{day}T10:00:00Z", next_contact_due=due)
    assert counts(measured("quality").whole) == (2, 2, 1)
    assert counts(measured("quality", group=1).whole) == (3, 3, 1)
    rows = list(csv.DictReader(io.StringIO(as_csv(evaluate(desk.repository, "quality", FEBRUARY)))))
    assert [(row["group"], row["numerator"], row["denominator"], row["as_of"]) for row in rows] == [
        ("plan-completeness", "1", "2", "2026-03-02"),
        ("timeliness", "1", "3", "2026-03-02"),
        ("goal-attainment", "0", "0", "2026-03-02"),
    ]


def test_a_measure_of_one_client_counts_theirs_alone(twenty, measured):
    """P-21, C-14"""
    assert counts(measured("readmission-30-days", JANUARY, subject="Patient/p0").whole) == (1, 1, 1)
    assert counts(measured("readmission-30-days", JANUARY, subject="Patient/p9").whole) == (1, 1, 0)
    assert counts(measured("utilisation", JANUARY, subject="Patient/p9").whole) == (1, 1, 0)


def test_a_report_is_a_measure_report_that_names_its_members_where_that_is_asked(twenty, desk):
    """C-14, O-02"""
    report = evaluate(desk.repository, "readmission-30-days", JANUARY, "tier")
    summary = measure_report(report, "summary", desk.now())
    check_structure(summary)
    assert "contained" not in summary
    assert [each["count"] for each in summary["group"][0]["population"]] == [20, 20, 3]
    listed = measure_report(report, "subject-list", desk.now())
    check_structure(listed)
    assert [each["item"]["reference"] for each in listed["contained"][0]["entry"]] == [unit.of for unit in report.groups[0].members]
    assert as_json(report, members=True)["groups"][0]["members"][0] == {"of": "Encounter/first-p0", "day": "2026-01-10"}


@pytest.mark.parametrize("id", [*definitions()])
def test_of_nothing_a_measure_says_nothing(measured, desk, id):
    """C-14"""
    report = evaluate(desk.repository, id, FEBRUARY)
    assert [counts(each.whole) for each in report.groups] == [(0, 0, 0)] * len(report.groups)
    check_structure(measure_report(report, "summary", desk.now()))


@pytest.mark.parametrize("found", definitions().values(), ids=[*definitions()])
def test_a_measure_is_a_whole_resource_and_each_of_its_groups_is_counted(found):
    """C-14"""
    check_structure(measure(found))
    assert {group.code for group in found.groups} <= GROUPS.keys()


def test_what_cannot_be_asked_is_refused(desk):
    with pytest.raises(NotFound):
        evaluate(desk.repository, "happiness", FEBRUARY)
    with pytest.raises(Invalid):
        evaluate(desk.repository, "cost", FEBRUARY, "weather")
    with pytest.raises(Invalid):
        evaluate(desk.repository, "cost", Period(date(2026, 2, 1), date(2026, 1, 1)))
