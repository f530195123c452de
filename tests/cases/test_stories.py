import json
from decimal import Decimal

import pytest

from adapter.care.instrument import load
from adapter.care.questionnaire import canonical
from adapter.care.scoring import score
from adapter.cases.registry import RECORDS
from adapter.cases.story import Saved, replay
from tests.cases.stories import NAMES, raw, story

INSTRUMENTS = {
    f"{canonical(name)}|{load(name).version}": name
    for name in ("ahc_hrsn", "phq2", "phq9", "gad7", "katz", "lace", "charlson", "hospital", "steadi", "morse")
}
# Where an instrument says more than one number, what the story calls it.
TOTALS = {"hospital-score-total 2013": ("hospital", "2013"), "hospital-score-total 2016": ("hospital", "2016")}


def final(name: str) -> dict[str, Saved]:
    records: dict[str, Saved] = {}
    for _, written in replay(story(name)):
        records |= {saved.reference: saved for saved in written}
    return records


def of(name: str, concept: str) -> list[dict]:
    return [saved.fields for saved in final(name).values() if saved.concept == concept]


@pytest.mark.parametrize("name", NAMES)
def test_the_story_goes_the_way_that_it_expects(name: str):
    told = story(name)
    assert [entry.transition for entry, _ in replay(told) if entry.transition] == told.expect["path"]


@pytest.mark.parametrize("name", NAMES)
def test_every_version_of_every_record_is_without_problems(name: str):
    for _, written in replay(story(name)):
        for saved in written:
            assert RECORDS[saved.concept].of(saved.fields).problems() == []


@pytest.mark.parametrize("name", NAMES)
def test_the_history_of_the_case_is_without_gaps_and_has_a_stretch_for_each_transition(name: str):
    case = of(name, "case")[0]
    history = case["status_history"]
    assert len(history) == len(story(name).expect["path"]) + 1
    assert all(before["period"]["end"] == after["period"]["start"] for before, after in zip(history, history[1:], strict=False))
    assert (case["step"], case["status"], case["closed_at"]) == ("closed", "finished", history[-1]["period"]["start"])


@pytest.mark.parametrize("name", NAMES)
def test_every_record_is_referred_to_by_a_type_that_it_has(name: str):
    records = final(name)
    ids = {saved.id for saved in records.values()}
    assert len(ids) == len(records)
    text = json.dumps([saved.fields for saved in records.values()], default=str)
    assert '"@' not in text


@pytest.mark.parametrize("name", NAMES)
def test_all_persons_are_called_kanarifugl_and_all_notes_say_so(name: str):
    for saved in final(name).values():
        assert all(person["family"] == "Kanarifugl" for person in saved.fields.get("names", []))
        assert all("Kanarifugl" in note["text"] for note in saved.fields.get("notes", []))
        for told in ("note", "description", "summary", "issue", "comment", "mitigation", "lessons"):
            assert "Kanarifugl" in saved.fields.get(told, "Kanarifugl")


@pytest.mark.parametrize("name", NAMES)
def test_the_scores_of_the_story_are_those_of_the_instruments(name: str):
    checked = 0
    for fields in of(name, "response") + of(name, "screening"):
        instrument = INSTRUMENTS.get(fields["instrument"])
        if instrument is None:
            continue
        answers = {answer["link_id"]: [_given(value) for value in answer["values"]] for answer in fields["answers"]}
        for told in fields["scores"]:
            method = TOTALS.get(told["name"], (instrument, None))[1]
            found = score(instrument, answers, method=method)
            if told["name"] in found.subtotals:
                assert told["value"] == found.subtotals[told["name"]]
            else:
                assert told["value"] == found.value
                assert told.get("band") == (found.band.band if found.band else None)
            checked += 1
    assert checked >= 6


def _given(value: dict) -> str | bool | int | Decimal:
    (kind, content) = next(iter(value.items()))
    return content["code"] if kind == "code" else content


@pytest.mark.parametrize("name", NAMES)
def test_the_risk_evaluation_adds_up(name: str):
    risk = of(name, "risk_evaluation")[0]
    levels = [("none", "low", "moderate", "high").index(factor["level"]) for factor in risk["factors"]]
    assert sum(levels) == risk["severity"]
    assert risk["priority_score"] == risk["severity"] * (1 + risk["potential_for_change"]["value"])
    case = of(name, "case")[0]
    assert (case["tier"], case["priority_score"]) == (risk["tier"], risk["priority_score"])


@pytest.mark.parametrize("name", NAMES)
def test_goal_attainment_is_the_share_of_goals_that_were_achieved(name: str):
    goals = of(name, "goal")
    achieved = [goal for goal in goals if goal["achievement"] == "achieved"]
    assert of(name, "outcome")[0]["clinical_recovery"]["goal_attainment"] == Decimal(len(achieved)) / len(goals)


def test_the_seed_data_of_river_are_in_the_records():
    client = of("river", "client")[0]
    assert client["names"][0]["given"] == ["River"]
    assert client["pronouns"]["text"] == "they/them"
    assert client["administrative_gender"] == "unknown"
    texts = {condition["code"].get("text") for condition in of("river", "condition")}
    assert texts >= {"catastrophic brain injury", "fractured arm", "fractured femur"}
    assert {service["kind"] for service in of("river", "planned_service")} >= {"therapy", "diagnostic", "financial_planning"}
    assert [model["model"] for model in of("river", "case")[0]["models"]] == ["clinical"]


def test_rivers_missed_appointment_leads_to_the_task_of_the_rule():
    told = next(saved for saved in _versions("river", "task"))
    missed = next(saved for saved in final("river").values() if saved.fields.get("status") == "noshow")
    assert missed.fields["start"].startswith("2025-05-12")
    assert (told.fields["focus"], told.fields["due"]) == (missed.reference, "2025-05-13")


def test_rivers_transport_barrier_leads_to_the_second_version_of_one_plan():
    versions = [saved.fields for saved in _versions("river", "plan") if saved.fields["status"] == "active"]
    assert len(versions) == 2
    assert versions[1]["adjustments"][0]["resulting_plan_version"] == 2
    assert len(versions[1]["services"]) == len(versions[0]["services"]) + 1
    assert of("river", "barrier")[0]["kind"] == "transport"


def test_almas_rehabilitation_has_three_proposals_and_one_order():
    kinds = [service["intent"] for service in of("alma", "planned_service") if service["kind"] == "rehabilitation"]
    assert sorted(kinds) == ["order", "proposal", "proposal", "proposal"]


def test_almas_second_plan_replaces_the_first_which_is_revoked():
    plans = {saved.reference: saved.fields for saved in final("alma").values() if saved.concept == "plan"}
    second = next(plan for plan in plans.values() if "replaces" in plan)
    assert [plans[old]["status"] for old in second["replaces"]] == ["revoked"]


def test_almas_insurer_is_in_the_team_and_her_hospital_assigned_her():
    kinds = {saved.reference: saved.fields["kind"] for saved in final("alma").values() if saved.concept == "stakeholder"}
    assert "insurer" in {kinds.get(seat["member"]) for seat in of("alma", "care_team")[0]["participants"]}
    assert kinds[of("alma", "referral")[0]["requester"]] == "hospital"


def test_every_follow_up_with_alma_reviews_appointments_and_medication():
    contacts = [contact for contact in of("alma", "follow_up") if contact["source"] == "client"]
    assert len(contacts) == 3
    assert all(len(contact["medication_adherence"]) == 3 and contact["appointments_reviewed"] for contact in contacts)


@pytest.mark.parametrize("name", NAMES)
def test_the_story_says_where_its_seed_data_are_found(name: str):
    expect = raw(name)["expect"]
    assert len(expect["seed"]) >= 20
    assert {datum["type"] for datum in expect["seed"]} >= {"EpisodeOfCare", "Condition", "ServiceRequest", "Encounter", "Appointment"}


def _versions(name: str, concept: str) -> list[Saved]:
    return [saved for _, written in replay(story(name)) for saved in written if saved.concept == concept]
