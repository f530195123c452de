"""`$evaluate-measure`, asked of the server as anybody would. What is counted is tested in tests/casework/test_measures.py."""

import pytest

from adapter.casework.measures import definitions
from adapter.fhir.resource import check_structure
from tests.casework.shelf import Shelf

from ..fhir import assert_outcome

PERIOD = "periodStart=2026-01&periodEnd=2026-01"


@pytest.fixture
def stays(repository):
    """Three discharges in January, one of them followed by a readmission."""
    shelf = Shelf(repository)
    for name in ("a", "b", "c"):
        shelf.case(name, opened="2026-01-01T00:00:00Z")
        shelf.stay(name, "2026-01-05", "2026-01-31", id="first")
    shelf.stay("b", "2026-02-10", id="second")


@pytest.mark.parametrize("id", [*definitions()])
def test_each_measure_is_readable(fhir, id):
    """C-14"""
    answer = fhir.send("GET", f"Measure/{id}")
    assert answer.status_code == 200
    check_structure(answer.json)
    assert answer.json["url"].endswith(f"/Measure/{id}")
    assert_outcome(fhir.send("GET", "Measure/happiness"), 404, "not-found")


def test_a_summary_has_no_names_and_its_numerator_is_part_of_its_denominator(fhir, stays):
    """C-14, O-02"""
    answer = fhir.send("GET", f"Measure/readmission-30-days/$evaluate-measure?{PERIOD}&by=tier")
    assert answer.status_code == 200
    report = answer.json
    [group] = report["group"]
    assert (report["type"], [each["count"] for each in group["population"]]) == ("summary", [3, 3, 1])
    assert group["measureScore"]["value"] == pytest.approx(0.3333)
    assert group["stratifier"][0]["stratum"][0]["value"] == {"text": "high"}
    assert (report["period"], "contained" in report) == ({"start": "2026-01-01", "end": "2026-01-31"}, False)


def test_the_members_of_the_numerator_are_listed_where_they_are_asked_for(fhir, stays):
    """O-02"""
    url = "https://casebridge.example/fhir/Measure/readmission-30-days"
    report = fhir.send("GET", f"Measure/$evaluate-measure?{PERIOD}&measure={url}&reportType=subject-list").json
    assert [each["item"]["reference"] for each in report["contained"][0]["entry"]] == ["Encounter/first-b"]
    assert report["group"][0]["population"][2]["subjectResults"] == {"reference": "#readmission-30-days"}


def test_a_report_of_one_client_is_an_individual_one(fhir, stays):
    """P-21, C-14"""
    report = fhir.send("GET", f"Measure/readmission-30-days/$evaluate-measure?{PERIOD}&subject=Patient/b").json
    assert (report["type"], report["subject"]) == ("individual", {"reference": "Patient/b"})
    assert [each["count"] for each in report["group"][0]["population"]] == [1, 1, 1]


@pytest.fixture
def shelf(repository):
    shelf = Shelf(repository)
    shelf.case("a", opened="2026-01-01T00:00:00Z")
    return shelf


@pytest.fixture
def told(fhir):
    """Counts and score of a measure's group in January."""

    def told(id, group=0):
        found = fhir.send("GET", f"Measure/{id}/$evaluate-measure?{PERIOD}").json["group"][group]
        return [each["count"] for each in found["population"]], found.get("measureScore", {}).get("value")

    return told


def outcome(shelf, id, **fields):
    shelf.of("outcome", "QuestionnaireResponse", id, "a", status="completed", reviewed_at="2026-01-20T10:00:00Z", **fields)


def test_well_being_experience_and_cost_are_those_of_the_reviewed_outcomes(shelf, told):
    """O-04, O-06, O-08"""
    money = {name: {"value": value, "currency": "USD"} for name, value in (("expected", 10000), ("actual", 8500))}
    better = {"baseline": "fair", "final": "good", "scale": "self-rated health", "change": "improved"}
    outcome(shelf, "one", well_being=better, cost=money, experience="Kanarifugl felt heard")
    outcome(shelf, "two", well_being=better | {"change": "same"})
    assert told("well-being") == ([2, 2, 1], 0.5)
    assert told("experience") == ([2, 2, 1], 0.5)
    assert told("cost") == ([2, 1, 1], 1500)


def test_adherence_is_the_share_of_what_was_due_that_was_done(shelf, told):
    """O-07"""
    for number in range(10):
        at = {"start": f"2026-01-{number + 10}T09:00:00Z", "end": f"2026-01-{number + 10}T10:00:00Z"}
        status = "fulfilled" if number < 8 else "noshow"
        shelf.of("appointment", "Appointment", f"t{number}", "a", status=status, client_attendance="accepted", **at)
    assert told("adherence") == ([10, 10, 8], 0.8)


def test_attainment_is_the_share_of_the_goals_that_were_reached(shelf, told):
    """O-05, O-09"""
    for number, achievement in enumerate(("achieved", "achieved", "sustaining", "not_achieved")):
        fields = {"lifecycle": "active", "achievement": achievement, "achievement_at": "2026-01-20", "description": "Kanarifugl walks"}
        shelf.of("goal", "Goal", f"g{number}", "a", **fields)
    assert told("goal-attainment") == ([4, 4, 3], 0.75)
    assert told("quality", group=2) == ([4, 4, 3], 0.75)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("periodStart=2026&periodEnd=2026", 400, "invalid"),
        ("periodStart=2026-02&periodEnd=2026-01&measure=cost", 400, "invalid"),
        ("periodStart=soon&periodEnd=2026-01&measure=cost", 400, "invalid"),
        (f"{PERIOD}&measure=happiness", 404, "not-found"),
        (f"{PERIOD}&measure=cost&by=weather", 400, "invalid"),
        (f"{PERIOD}&measure=cost&reportType=subject", 400, "invalid"),
        (f"{PERIOD}&measure=cost&reportType=data-collection", 400, "invalid"),
        (f"{PERIOD}&measure=cost&subject=Group/1", 400, "invalid"),
        (f"{PERIOD}&measure=cost&subject=Patient/nobody", 404, "not-found"),
    ],
)
def test_what_cannot_be_answered_is_refused(fhir, query, status, code):
    assert_outcome(fhir.send("GET", f"Measure/$evaluate-measure?{query}"), status, code)
