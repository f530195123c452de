"""The console's pages, through the application."""

import pytest

from adapter.casework.records import save
from server.console.routes import PAGES
from server.console.shown import period
from tests.server.console.conftest import words


def test_whoever_is_not_signed_in_is_asked_who_they_are_and_then_led_on(stranger, loaded, dana):
    answer = stranger.get(f"/cases/{loaded}")
    assert (answer.status_code, answer.location) == (302, f"/sign-in?to=/cases/{loaded}")
    assert "Dana Kanarifugl" in stranger.text("/sign-in")
    dana()
    assert "River Kanarifugl" in stranger.text(f"/cases/{loaded}")


def test_nobody_is_led_to_another_server(stranger, loaded, dana):
    dana()
    for to in ("https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example"):
        answer = stranger.post("/sign-in", actor=stranger.client.get_cookie("casebridge_actor").value, to=to)
        assert answer.location == "/"


def test_a_form_of_another_site_is_refused(stranger, loaded, dana):
    dana()
    for origin in ({}, {"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Origin": "https://["}, {"Origin": ""}):
        answer = stranger.client.post(f"/cases/{loaded}/go", data={"way": "TR-01"}, headers=origin)
        assert answer.status_code == 403


def test_a_case_shows_its_step_its_plan_and_its_risk_with_reasons(stranger, loaded, dana):
    """C-13, P-06"""
    dana()
    text = stranger.text(f"/cases/{loaded}")
    for told in ("case CM-2025-0042", "priority 39", "Severity 13 of 18", "Existing conditions", "Goals", "Services"):
        assert told in text


def test_the_timeline_has_every_record_that_happened(stranger, loaded, dana, repository):
    """S-03"""
    dana()
    shown = stranger.get(f"/cases/{loaded}/timeline").text
    for type in ("Encounter", "QuestionnaireResponse", "RiskAssessment", "CarePlan", "Goal", "Appointment", "Task"):
        for stored in repository.scan(type):
            if stored.concept:
                assert stored.id in shown, stored.concept


def test_what_is_missing_for_the_next_step_is_said_before_it_is_tried(stranger, halfway, dana):
    dana()
    text = stranger.text(f"/cases/{halfway}")
    assert "Go to implementation" in text
    assert "Give a reason and go" in text


def test_a_case_goes_on_by_its_form_once_however_often_it_is_sent(stranger, halfway, dana, repository):
    dana()
    for _ in range(2):
        answer = stranger.post(f"/cases/{halfway}/go", way="TR-08", request_id="r")
        assert (answer.status_code, answer.location) == (303, f"/cases/{halfway}")
    case = repository.read("EpisodeOfCare", halfway)
    assert case.record["step"] == "implementation"
    assert [each["id"] for each in case.local["requests"]][-1:] == ["r"]


def test_what_cannot_be_done_is_said_with_what_can(stranger, halfway, dana):
    dana()
    answer = stranger.post(f"/cases/{halfway}/go", way="closed")
    assert answer.status_code == 409
    assert "Implementation" in words(answer.text)
    assert "Nothing was changed" in words(answer.text)


def test_an_instrument_is_asked_scored_as_it_stands_and_kept(stranger, halfway, dana, repository):
    dana()
    assert "Little interest" in stranger.text(f"/cases/{halfway}/screening/phq2")
    half = stranger.client.post(
        "/screening/phq2/score", data={"44250-9": "LA6571-9"}, headers={"Origin": "http://localhost", "Accept": "application/json"}
    )
    assert (half.json["value"], half.json["missing"]) == (None, 1)
    answers = {"44250-9": "LA6571-9", "44255-8": "LA6570-1"}
    assert stranger.post("/screening/phq2/score", **answers).json["value"] == 5
    before = sum(1 for _ in repository.scan("QuestionnaireResponse"))
    assert stranger.post(f"/cases/{halfway}/screening/phq2", **answers).status_code == 303
    made = [each for each in repository.scan("QuestionnaireResponse") if "phq2" in each.raw["questionnaire"]]
    assert sum(1 for _ in repository.scan("QuestionnaireResponse")) == before + 1
    assert [score["value"] for score in made[-1].local["scores"]] == [5]


def test_a_person_is_found_by_name_birth_date_and_number(stranger, loaded, dana):
    dana()
    for wanted in ("kanarif", "1994-05-17", "RIV-0001"):
        assert "River Kanarifugl" in stranger.text(f"/people?q={wanted}")
    assert "Nobody is found" in stranger.text("/people?q=zzz")


@pytest.mark.parametrize("number", ["1994", "0000", "2026-13"])
def test_a_number_that_could_be_a_date_is_found_beside_who_was_born_then(stranger, loaded, dana, repository, number):
    dana()
    fields = {"names": [{"text": "Skov Kanarifugl"}], "identifiers": [{"system": "urn:example:mrn", "value": number}]}
    save(repository, "client", "skov", fields)
    found = stranger.text(f"/people?q={number}")
    assert "Skov Kanarifugl" in found
    assert ("River Kanarifugl" in found) == (number == "1994")


def test_a_record_shows_its_versions_and_its_faces(stranger, loaded, dana, repository):
    """S-06, C-07"""
    dana()
    plan = next(stored.id for stored in repository.scan("CarePlan") if stored.record.get("status") == "completed")
    text = stranger.text(f"/records/plan/{plan}")
    assert "FHIR CarePlan" in text
    assert "CarePlan 2" in text


def test_only_the_fields_of_references_are_shown_by_the_names_of_what_they_lead_to(stranger, loaded, dana, repository):
    dana()
    client = repository.read("EpisodeOfCare", loaded).record["client"]
    fields = {"client": client, "lifecycle": "proposed", "description": "Anxiety/Depression", "achievement_reason": client}
    save(repository, "goal", "calm", fields)
    text = stranger.text("/records/goal/calm")
    assert "Client River Kanarifugl" in text
    assert "Description Anxiety/Depression" in text
    assert f"Achievement reason {client}" in text
    assert "Anxiety" not in repository.database.list_collection_names()


def test_a_field_of_several_parts_is_shown_with_their_values(stranger, loaded, dana, repository):
    dana()
    plan = next(stored for stored in repository.scan("CarePlan") if "start" in stored.record.get("period", {}))
    assert f"Period {period(plan.record['period'])}" in stranger.text(f"/records/plan/{plan.id}")


def test_pages_load_nothing_from_elsewhere_and_are_not_kept(stranger, loaded, dana):
    dana()
    answer = stranger.get(f"/cases/{loaded}")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "http://" not in answer.text.replace("http://localhost", "")


@pytest.mark.parametrize(
    "path", [rule for method, rule, _ in PAGES if method == "GET" and "<" not in rule and rule not in ("/cases/new", "/team")]
)
def test_every_page_without_a_place_answers(stranger, loaded, dana, path):
    dana()
    assert stranger.get(path).status_code == 200


def test_what_is_typed_into_a_record_never_runs(stranger, loaded, dana):
    dana()
    assert "<script>alert" not in stranger.get("/people?q=<script>alert(1)</script>").text
