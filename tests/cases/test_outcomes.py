"""What came of a case, computed from its records."""

from datetime import date
from decimal import Decimal

import pytest

from adapter.cases import outcomes
from adapter.cases.facts import Facts, Situation
from tests.cases.test_stays import encounter

TODAY = date(2025, 6, 30)
CASE = "EpisodeOfCare/1"


def goals(*achievements, lifecycle="active"):
    return [{"lifecycle": lifecycle} | ({"achievement": each} if each else {}) for each in achievements]


def usd(value):
    return {"value": Decimal(value), "currency": "USD"}


def appointment(status, start="2025-06-01T09:00:00Z", **fields):
    return {"status": status, "start": start} | fields


def service(status, **timing):
    return {"status": status, "intent": "order", "timing": timing}


def test_three_of_four_goals_reached_are_three_quarters():
    """O-09"""
    assert outcomes.attainment(goals("achieved", "sustaining", "achieved", "not_achieved")) == Decimal("0.75")


def test_dropped_goals_do_not_count_and_no_goals_are_no_share():
    """O-09"""
    assert outcomes.attainment(goals("achieved") + goals("not_achieved", lifecycle="cancelled")) == 1
    assert outcomes.attainment([]) is None


def test_eight_of_ten_activities_done_are_an_adherence_of_080():
    """O-07"""
    kept = [appointment("fulfilled")] * 8 + [appointment("noshow")] * 2
    off = [appointment("cancelled"), appointment("booked", "2025-07-01T09:00:00Z"), appointment("proposed")]
    assert outcomes.adherence(kept + off, {}, TODAY) == Decimal("0.8")


def test_a_service_counts_by_its_appointments_and_by_itself_where_it_has_none():
    """O-07"""
    services = {
        "ServiceRequest/a": service("in_progress", end="2025-06-01"),
        "ServiceRequest/b": service("completed", start="2025-06-02", count=1),
        "ServiceRequest/c": service("scheduled", end="2025-08-01"),
    }
    assert outcomes.adherence([appointment("noshow", services=["ServiceRequest/a"])], services, TODAY) == Decimal("0.5")


def test_ten_thousand_expected_and_eight_and_a_half_spent_save_fifteen_percent():
    """O-08, P-22"""
    assert outcomes.saving(usd(10000), usd(8500)) == (usd(1500), Decimal("0.15"))
    assert outcomes.saving(usd(10000), {"value": Decimal(8500), "currency": "EUR"}) is None


def test_a_readmission_is_pending_until_the_window_has_closed():
    """V-14, V-15, P-22"""
    stay = {"Encounter/a": encounter("2025-04-12", "2025-05-03", case=CASE)}

    def said(day, **more):
        return outcomes.readmission(stay | more, CASE, date.fromisoformat(day), 30)

    assert said("2025-06-02")["within_30_days"] == "pending"
    assert said("2025-06-03") == {"index_discharge_at": "2025-05-03", "computed_on": "2025-06-03", "within_30_days": "no"}
    again = said("2025-06-02", **{"Encounter/b": encounter("2025-06-02")})
    assert (again["within_30_days"], again["encounter"]) == ("yes", "Encounter/b")


def test_a_case_without_a_discharge_has_no_readmission_to_speak_of():
    """V-15"""
    other = {"Encounter/a": encounter("2025-04-12", "2025-05-03", case="EpisodeOfCare/2")}
    assert outcomes.readmission(other, CASE, TODAY, 30)["within_30_days"] == "not_applicable"


def test_the_outcome_is_computed_from_the_record():
    """P-21, P-22"""
    facts = Facts(
        {
            "encounter": {
                "Encounter/a": encounter("2025-04-12", "2025-05-03", case=CASE),
                "Encounter/e": encounter("2025-05-20", "2025-05-20", code="EMER"),
            },
            "goal": {"Goal/a": goals("achieved")[0], "Goal/b": goals(None)[0]},
            "appointment": {"Appointment/a": appointment("fulfilled")},
            "planned_service": {"ServiceRequest/a": service("completed") | {"estimated_cost": usd(10000)}},
        }
    )
    found = outcomes.computed(facts, CASE, TODAY, 30, actual=usd(8500))
    assert found == {
        "readmission": {"index_discharge_at": "2025-05-03", "computed_on": "2025-06-30", "within_30_days": "no"},
        "length_of_stay_days": 21,
        "plan_adherence": 1,
        "clinical_recovery": {"goal_attainment": Decimal("0.5")},
        "cost": {"expected": usd(10000), "actual": usd(8500), "saving": usd(1500), "method": outcomes.COST_METHOD},
        "utilisation": {"ed_visits": 1},
    }


def test_what_is_not_known_is_not_said():
    """O-08"""
    found = outcomes.computed(Facts(), CASE, TODAY, 30)
    assert found.keys() == {"readmission", "utilisation"}


def reviewing(said, back_on=None, paid=None):
    """The review of a case whose client left hospital on 3 May and perhaps came back, on 30 June."""
    stays = {"Encounter/a": encounter("2025-04-12", "2025-05-03", case=CASE)}
    if back_on:
        stays["Encounter/b"] = encounter(back_on, case=CASE)
    case = {"case_number": "1"}
    facts = Facts({"case": {CASE: case}, "encounter": stays, "outcome": {"QuestionnaireResponse/o": said}}, paid=paid)
    return outcomes.filled(Situation(case, facts, "2025-06-30T12:00:00Z", "Practitioner/1", None))


def test_what_a_reviewer_did_not_say_is_computed_and_what_they_said_stays():
    """V-14, O-01"""
    reference, found = reviewing({"well_being": {"final": "good"}, "length_of_stay_days": 20}, paid=usd(8500))
    assert reference == "QuestionnaireResponse/o"
    assert found == {
        "well_being": {"final": "good"},
        "length_of_stay_days": 20,
        "readmission": {"index_discharge_at": "2025-05-03", "computed_on": "2025-06-30", "within_30_days": "no"},
        "cost": {"actual": usd(8500), "method": outcomes.COST_METHOD},
    }


def test_a_readmission_that_was_pending_is_looked_for_again():
    """V-14, V-15"""
    said = {"readmission": {"within_30_days": "pending"}}
    assert reviewing(said)[1]["readmission"]["within_30_days"] == "no"
    assert reviewing(said, back_on="2025-06-01")[1]["readmission"]["encounter"] == "Encounter/b"
    denied = {"readmission": {"within_30_days": "no"}}
    assert reviewing(denied, back_on="2025-06-01")[1]["readmission"] == denied["readmission"]


@pytest.mark.parametrize("places", [("first", "second", "mistaken"), ("mistaken", "second", "first")])
def test_of_a_reopened_case_s_outcomes_the_last_review_counts_that_was_not_entered_in_error(places):
    """V-14"""
    said = {
        "first": {"status": "completed", "reviewed_at": "2025-03-01"},
        "second": {"status": "in_progress", "reviewed_at": "2025-06-20", "transition": "open"},
        "mistaken": {"status": "entered_in_error", "reviewed_at": "2025-06-25", "transition": "done"},
    }
    case = {"case_number": "1"}
    facts = Facts({"case": {CASE: case}, "outcome": {f"QuestionnaireResponse/{place}": said[place] for place in places}})
    reference, found = outcomes.filled(Situation(case, facts, "2025-06-30T12:00:00Z", "Practitioner/1", None))
    assert reference == "QuestionnaireResponse/second"
    assert found.items() >= said["second"].items()


def test_without_an_outcome_nothing_is_filled_in():
    assert outcomes.filled(Situation({}, Facts(), "2025-06-30T12:00:00Z", "Practitioner/1", None)) == ("", {})
