"""A plan template in the console: what fits, what it would make, the draft that it makes, and what it leaves alone."""

import json
import re

import pytest

from adapter.care import template
from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put, read, save
from tests.server.console.conftest import words

NAME = "brain_injury_rehabilitation"


def _counts(repository):
    return {type: sum(1 for each in repository.scan(type) if not each.deleted) for type in ("CarePlan", "Goal", "ServiceRequest")}


def _path(case):
    return f"/cases/{case}/plan/templates/{NAME}"


def _draft(repository):
    return next(stored for stored in repository.scan("CarePlan") if stored.record.get("status") == "draft")


def test_a_template_about_a_condition_of_the_case_comes_first(stranger, unplanned, dana, repository):
    """C-08"""
    dana()
    desk = Desk(repository, Actor(stranger.client.get_cookie("casebridge_actor").value), repository.clock)
    case = read(repository, "case", unplanned)
    stroke = {"system": "http://snomed.info/sct", "code": "230690007", "display": "Cerebrovascular accident"}
    about = {"client": case.fields["client"], "case": case.reference, "clinical_status": "active", "verification_status": "confirmed"}
    put(desk, "condition", None, {**about, "code": stroke, "recorded_at": "2025-04-20"})
    page = stranger.get(f"/cases/{unplanned}/plan/templates").text
    assert f'href="{_path(unplanned)}"' in page
    text = words(page)
    titles = ("Home after a stroke", "Navigation of social needs", "Rehabilitation after a brain injury")
    assert "about a condition of the case" in text
    assert text.index(titles[0]) < min(text.index(title) for title in titles[1:])


@pytest.mark.parametrize(("model", "offered"), [("intensive", False), ("clinical", True)])
def test_a_template_for_another_model_of_case_management_is_not_offered(
    stranger, unplanned, dana, repository, tmp_path, monkeypatch, model, offered
):
    dana()
    assert {each["model"] for each in read(repository, "case", unplanned).fields["models"]} == {"clinical"}
    made = template.plan_definition(NAME)
    use = {
        "code": {"system": "http://terminology.hl7.org/CodeSystem/usage-context-type", "code": "program"},
        "valueCodeableConcept": {"coding": [{"system": "https://casebridge.example/fhir/CodeSystem/cm-model", "code": model}]},
    }
    made |= {"id": "site-plan", "title": "Plan of the site", "useContext": [use]}
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "site_plan.json").write_text(json.dumps(made, default=float))
    monkeypatch.setenv("CASEBRIDGE_CARE", str(tmp_path))
    assert ("Plan of the site" in stranger.text(f"/cases/{unplanned}/plan/templates")) is offered


def test_the_preview_says_what_is_made_and_makes_nothing(stranger, unplanned, dana, repository):
    dana()
    before = _counts(repository)
    text = stranger.text(f"{_path(unplanned)}?start=2025-05-01")
    for told in ("Goals 4", "Strength, balance and walking", "3 times a week", "from 1 May 2025", "new"):
        assert told in text
    assert _counts(repository) == before
    assert "Nothing was made" in stranger.text(f"{_path(unplanned)}?start=soon")


def test_a_draft_is_made_once_under_the_visitor_s_name_and_applied_again_it_is_brought_up_to_date(stranger, unplanned, dana, repository):
    """C-07"""
    dana()
    answer = stranger.post(_path(unplanned), start="2025-05-01")
    assert (answer.status_code, answer.location) == (303, f"/cases/{unplanned}/plan"), words(answer.text)[:400]
    made, draft = _counts(repository), _draft(repository)
    me = stranger.client.get_cookie("casebridge_actor").value
    signed = [each.raw for each in repository.scan("Provenance") if each.raw["agent"][0]["who"].get("reference") == me]
    assert any(f"CarePlan/{draft.id}" in str(each["target"]) for each in signed)
    assert "The plan has all of it already" in stranger.text(_path(unplanned))

    goal = draft.record["goals"][0].partition("/")[2]
    desk = Desk(repository, Actor(me), repository.clock)
    put(desk, "goal", goal, {**read(repository, "goal", goal).fields, "description": "Kanarifugl: their own words"})
    text = stranger.text(f"{_path(unplanned)}?start=2025-06-01")
    assert "changed by somebody: stays as it is" in text
    assert "updated" in text
    assert stranger.post(_path(unplanned), start="2025-06-01").status_code == 303
    assert _counts(repository) == made
    assert _draft(repository).record["period"]["start"] == "2025-06-01"
    assert read(repository, "goal", goal).fields["description"] == "Kanarifugl: their own words"


def test_its_goals_and_services_join_a_draft_that_was_begun_otherwise(stranger, drafting, dana, repository):
    dana()
    before = _draft(repository).record
    assert "in the draft" in stranger.text(_path(drafting))
    for _ in range(2):
        assert stranger.post(_path(drafting), start="2025-05-01").status_code == 303
    after = _draft(repository).record
    assert len([stored for stored in repository.scan("CarePlan") if stored.record.get("status") == "draft"]) == 1
    assert after["goals"][: len(before["goals"])] == before["goals"]
    assert (len(after["goals"]) - len(before["goals"]), len(after["services"]) - len(before["services"])) == (4, 5)
    assert any(NAME.replace("_", "-") in url for url in after["templates"])


def _links(page):
    return re.findall(r'href="([^"]+)"', page)


def test_a_reopened_case_gets_a_new_plan_by_the_links_of_its_pages(stranger, closed, dana, repository):
    """TR-23"""
    dana()
    assert "This plan is over" in stranger.text(f"/cases/{closed}/plan")
    assert stranger.post(f"/cases/{closed}/go", way="TR-23", request_id="r").status_code == 303
    first = {stored.id for stored in repository.scan("CarePlan")}
    for page in (f"/cases/{closed}", f"/cases/{closed}/plan"):
        found = _links(stranger.get(page).text)
        assert {f"/cases/{closed}/plan/templates", f"/records/plan/new?case={closed}"} <= set(found)
    assert _path(closed) in _links(stranger.get(f"/cases/{closed}/plan/templates").text)
    assert "Make the draft" in stranger.text(_path(closed))
    assert stranger.post(_path(closed), start="2025-11-03").status_code == 303
    assert _draft(repository).id not in first
    assert "Before it is put into force" in stranger.text(f"/cases/{closed}/plan")


def test_a_template_s_plan_of_a_case_that_was_closed_since_stays_and_another_is_made(stranger, unplanned, dana, repository):
    """TR-23"""
    dana()
    assert stranger.post(_path(unplanned), start="2025-05-01").status_code == 303
    first = _draft(repository)
    desk = Desk(repository, Actor(stranger.client.get_cookie("casebridge_actor").value), repository.clock)
    put(desk, "plan", first.id, {**first.record, "status": "revoked"})
    refused = stranger.post(_path(unplanned), start="2025-05-01")
    assert refused.status_code == 409
    assert "no draft any more" in words(refused.text)
    case = read(repository, "case", unplanned).fields
    last = case["status_history"][-1]
    end, again = "2025-04-20T09:00:00Z", "2025-04-21T09:00:00Z"
    over = {"step": "closed", "status": "finished", "period": {"start": end, "end": again}}
    first_time = {**last, "period": {**last["period"], "end": end}}
    history = [*case["status_history"][:-1], first_time, over, {**last, "period": {"start": again}}]
    save(repository, "case", unplanned, {**case, "status_history": history})
    assert stranger.post(_path(unplanned), start="2025-05-01").status_code == 303
    second = _draft(repository)
    assert second.id != first.id
    assert not {*second.record["goals"], *second.record["services"]} & {*first.record["goals"], *first.record["services"]}


def test_a_plan_in_force_is_not_changed_by_a_template(stranger, halfway, dana, repository):
    dana()
    before = _counts(repository)
    answer = stranger.post(_path(halfway), start="2025-05-01")
    assert answer.status_code == 409
    assert "propose an adjustment" in words(answer.text)
    assert _counts(repository) == before


def test_a_goal_that_a_template_proposed_is_pursued_once_its_plan_is_in_force(stranger, drafting, dana, repository):
    dana()
    draft = _draft(repository)
    goal = draft.record["goals"][0].partition("/")[2]
    me = stranger.client.get_cookie("casebridge_actor").value
    put(Desk(repository, Actor(me), repository.clock), "goal", goal, {**read(repository, "goal", goal).fields, "lifecycle": "proposed"})
    stranger.post(f"/cases/{drafting}/plan/{draft.id}/answer", word="accepted", by=draft.record["client"])
    answer = stranger.post(f"/cases/{drafting}/go", way="TR-08", request_id="r")
    assert answer.status_code == 303, words(answer.text)[:400]
    assert read(repository, "goal", goal).fields["lifecycle"] == "active"
